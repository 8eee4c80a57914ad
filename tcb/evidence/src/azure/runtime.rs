// SPDX-License-Identifier: Apache-2.0

//! The runtime data of an HCL report: a JSON text that says which keys the virtual TPM has.
//!
//! The digest in the hardware's report is over the text as it is. It is never written again from what was read.

use alloc::string::String;
use alloc::vec::Vec;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde::Deserialize;

use crate::{Fault, ParseError};

const FORMAT: &str = "HCL runtime data";

/// Limit of the text in bytes. Genuine ones have about 1200.
const MAX_LEN: usize = 4096;
/// Limit of the number of keys. Genuine ones have 2.
const MAX_KEYS: usize = 8;
/// The name of the attestation key of the virtual TPM.
const AK: &str = "HCLAkPub";
/// The name of its endorsement key.
const EK: &str = "HCLEkPub";

/// A key (RFC 7517), an RSA one as far as it is read here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jwk {
    /// `kid`: its name.
    pub name: String,
    /// `n`: the modulus, big-endian, without leading zeros.
    pub modulus: Vec<u8>,
    /// `e`: the public exponent, likewise.
    pub exponent: Vec<u8>,
}

/// `vm-configuration`: what the paravisor knows about its machine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
#[allow(clippy::struct_excessive_bools, reason = "the members of the text")]
pub struct VmConfiguration {
    /// `console-enabled`: there is a serial console.
    pub console_enabled: bool,
    /// `secure-boot`: the firmware verifies what it boots.
    pub secure_boot: bool,
    /// `tpm-enabled`: there is a virtual TPM.
    pub tpm_enabled: bool,
    /// `tpm-persisted`: the state of the TPM outlives the machine.
    pub tpm_persisted: bool,
    /// `vmUniqueId`, which Azure gives each machine.
    #[serde(rename = "vmUniqueId")]
    pub vm_unique_id: String,
}

/// The runtime data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeData {
    /// The attestation key of the virtual TPM, `HCLAkPub`.
    pub attestation_key: Jwk,
    /// Its endorsement key, `HCLEkPub`, if it is there.
    pub endorsement_key: Option<Jwk>,
    /// What the machine is like.
    pub configuration: VmConfiguration,
    /// `user-data`: 64 bytes that the guest had put in, as hexadecimal digits.
    pub user_data: String,
}

#[derive(Deserialize)]
struct Text {
    keys: Vec<Key>,
    #[serde(rename = "vm-configuration", default)]
    configuration: VmConfiguration,
    #[serde(rename = "user-data", default)]
    user_data: String,
}

#[derive(Deserialize)]
struct Key {
    kid: String,
    kty: String,
    n: String,
    e: String,
}

impl RuntimeData {
    /// Reads the text. Members that are not known here are passed over; one that is there twice is refused.
    pub fn parse(json: &[u8]) -> Result<Self, ParseError> {
        if json.len() > MAX_LEN {
            return Err(error("text", 0, Fault::TooLarge { limit: MAX_LEN }));
        }
        let text: Text = serde_json::from_slice(json).map_err(|cause| {
            // One line is usual; in another the column is at least near.
            error("JSON", cause.column(), Fault::Malformed)
        })?;
        if text.keys.len() > MAX_KEYS {
            return Err(error("keys", 0, Fault::TooLarge { limit: MAX_KEYS }));
        }
        let attestation_key = key(&text.keys, AK)?.ok_or_else(|| error(AK, 0, Fault::Missing))?;
        let endorsement_key = key(&text.keys, EK)?;
        Ok(Self {
            attestation_key,
            endorsement_key,
            configuration: text.configuration,
            user_data: text.user_data,
        })
    }

    /// A text of this data as Azure writes it.
    pub fn to_json(&self) -> Vec<u8> {
        let keys = [
            Some((&self.attestation_key, "sign")),
            self.endorsement_key.as_ref().map(|key| (key, "encrypt")),
        ];
        let keys = keys.into_iter().flatten().map(|(key, operation)| {
            serde_json::json!({
                "kid": key.name,
                "key_ops": [operation],
                "kty": "RSA",
                "e": Base64UrlUnpadded::encode_string(&key.exponent),
                "n": Base64UrlUnpadded::encode_string(&key.modulus),
            })
        });
        let configuration = &self.configuration;
        let text = serde_json::json!({
            "keys": keys.collect::<Vec<_>>(),
            "vm-configuration": {
                "console-enabled": configuration.console_enabled,
                "secure-boot": configuration.secure_boot,
                "tpm-enabled": configuration.tpm_enabled,
                "tpm-persisted": configuration.tpm_persisted,
                "vmUniqueId": configuration.vm_unique_id,
            },
            "user-data": self.user_data,
        });
        serde_json::to_vec(&text).unwrap_or_default()
    }
}

/// The key of a name, which must not be there twice.
fn key(keys: &[Key], name: &'static str) -> Result<Option<Jwk>, ParseError> {
    let mut named = keys.iter().filter(|key| key.kid == name);
    let Some(key) = named.next() else { return Ok(None) };
    if named.next().is_some() {
        return Err(error(name, 0, Fault::Duplicate));
    }
    if key.kty != "RSA" {
        return Err(error(name, 0, Fault::Malformed));
    }
    let number = |digits: &str| {
        let bytes = Base64UrlUnpadded::decode_vec(digits).ok()?;
        // RFC 7518, section 6.3.1: no leading zeros.
        bytes.first().is_some_and(|first| *first != 0).then_some(bytes)
    };
    let (modulus, exponent) = (number(&key.n), number(&key.e));
    match (modulus, exponent) {
        (Some(modulus), Some(exponent)) => Ok(Some(Jwk { name: name.into(), modulus, exponent })),
        _ => Err(error(name, 0, Fault::Malformed)),
    }
}

fn error(field: &'static str, offset: usize, fault: Fault) -> ParseError {
    ParseError { format: FORMAT, field, offset, fault }
}
