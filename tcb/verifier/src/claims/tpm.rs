// SPDX-License-Identifier: Apache-2.0

//! What TPM quotes say.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use enarx_evidence::tpm::{Attest, Attributes, HashAlgorithm, PcrValues};
use serde::ser::{SerializeMap as _, SerializeStruct as _};
use serde::{Serialize, Serializer};

use super::Register;

/// What a quote of a TPM says, whoever vouches for its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuoteClaims {
    /// What was signed.
    pub attest: Attest,
    /// By which hash function the signature is, and the digest of the registers.
    pub hash: HashAlgorithm,
    /// The values of the registers that the quote is about, and of no other. `None` if they were not sent.
    pub values: Option<PcrValues>,
}

impl QuoteClaims {
    /// Each register in the strongest bank that the quote has of it, by its number.
    pub fn registers(&self) -> BTreeMap<u8, (HashAlgorithm, &[u8])> {
        let banks = self.values.iter().flat_map(|values| &values.banks);
        // Banks are in the order of their strength, and a stronger one replaces a weaker one.
        let values = banks.flat_map(|(bank, registers)| {
            registers.iter().map(|(number, value)| (*number, (*bank, value.as_slice())))
        });
        values.collect()
    }

    /// The registers that are not as a reset left them, as far as zero does not say so already.
    pub(super) fn extended(&self) -> Vec<Register<'_>> {
        self.named(|number, value| !is_reset(number, value))
    }

    /// The others.
    pub(super) fn as_reset(&self) -> Vec<Register<'_>> {
        self.named(is_reset)
    }

    fn named(&self, wanted: impl Fn(u8, &[u8]) -> bool) -> Vec<Register<'_>> {
        let registers = self.registers().into_iter().filter(|(number, (_, value))| wanted(*number, value));
        registers.map(|(number, (_, value))| Register { name: format!("pcr{number}"), value }).collect()
    }
}

/// The registers of a dynamic launch are all ones as long as there was none (*PC Client Platform TPM Profile*,
/// section 4.6.1).
fn is_reset(number: u8, value: &[u8]) -> bool {
    (17..=22).contains(&number) && value.iter().all(|byte| *byte == 0xff)
}

impl Serialize for QuoteClaims {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let attest = &self.attest;
        let mut fields = serializer.serialize_struct("QuoteClaims", 9)?;
        fields.serialize_field("extra_data", &hex::encode(&attest.extra_data))?;
        fields.serialize_field("pcr_digest", &hex::encode(&attest.pcr_digest))?;
        fields.serialize_field("hash", self.hash.name())?;
        fields.serialize_field("registers", &self.values.as_ref().map(Banks))?;
        fields.serialize_field("clock", &attest.clock.clock)?;
        fields.serialize_field("reset_count", &attest.clock.reset_count)?;
        fields.serialize_field("restart_count", &attest.clock.restart_count)?;
        fields.serialize_field("firmware_version", &hex::encode(attest.firmware_version.to_be_bytes()))?;
        fields.serialize_field("qualified_signer", &hex::encode(&attest.qualified_signer))?;
        fields.end()
    }
}

/// Values by bank and register.
struct Banks<'a>(&'a PcrValues);

impl Serialize for Banks<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut banks = serializer.serialize_map(Some(self.0.banks.len()))?;
        for (bank, registers) in &self.0.banks {
            let registers =
                registers.iter().map(|(number, value)| (format!("pcr{number}"), hex::encode(value)));
            banks.serialize_entry(bank.name(), &registers.collect::<BTreeMap<_, _>>())?;
        }
        banks.end()
    }
}

/// What a TPM says about the machine that it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TpmClaims {
    /// The quote.
    pub quote: QuoteClaims,
    /// SHA-256 of the attestation key's `SubjectPublicKeyInfo`.
    pub key_sha256: [u8; 32],
    /// The name in the certificate of the key, if there is one.
    pub certificate: Option<String>,
    /// What the TPM says about the key, if it was sent.
    pub attributes: Option<Attributes>,
    /// Whether that is confirmed.
    pub name: KeyName,
}

/// Whether the name of the key in the quote confirms what was sent about the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyName {
    /// The key stands directly below a hierarchy, and its name is that of what was sent.
    Confirmed,
    /// Nothing was sent but the key, or it stands below another key, or something else was sent.
    Unconfirmed,
}

impl Serialize for TpmClaims {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("TpmClaims", 5)?;
        fields.serialize_field("quote", &self.quote)?;
        fields.serialize_field("key", &format!("sha256:{}", hex::encode(self.key_sha256)))?;
        fields.serialize_field("certificate", &self.certificate)?;
        let attributes = self.attributes.map(|attributes| format!("{:#010x}", attributes.0));
        fields.serialize_field("key_attributes", &attributes)?;
        fields.serialize_field("key_attributes_confirmed", &(self.name == KeyName::Confirmed))?;
        fields.end()
    }
}
