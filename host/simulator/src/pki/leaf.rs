// SPDX-License-Identifier: Apache-2.0

//! The keys that sign reports: VCEK, of one chip, and VLEK, lent to a cloud provider.

use std::time::Duration;

use der::asn1::OctetString;
use der::{Decode as _, Encode as _};
use enarx_evidence::snp::cert::KeyExtensions;
use enarx_evidence::snp::{Generation, SigningKey};
use sha2::{Digest as _, Sha256};
use x509_cert::Certificate;
use x509_cert::ext::Extension;

use super::{Authority, Role, x509};
use crate::keys::ChipKey;
use crate::store::{Entry, Store};
use crate::{SimulatedPlatform, SimulatorError};

const VCEK_VALIDITY: Duration = Duration::from_hours(7 * 365 * 24);
const VLEK_VALIDITY: Duration = Duration::from_hours(365 * 24);
/// A certificate is replaced when less than this is left.
const RESERVE: Duration = Duration::from_hours(30 * 24);

/// Whom the simulated VLEKs are lent to.
const CLOUD_PROVIDER: &str = "CN=simulated.invalid";

const CERTIFICATE: &str = "certificate.der";
const KEY: &str = "key.der";

/// A key for reports and its certificate.
pub(crate) struct Leaf {
    pub(crate) key: ChipKey,
    pub(crate) certificate: Vec<u8>,
}

/// Which key it is: hardware derives one for each chip or provider and TCB version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LeafId {
    generation: Generation,
    extensions: KeyExtensions,
}

impl LeafId {
    /// The key that signs the reports of a platform, if any does.
    pub(crate) fn of(platform: &SimulatedPlatform, chip_id: &[u8; 64]) -> Option<Self> {
        let generation = platform.product.generation();
        let hwid = chip_id.iter().copied().take(generation.chip_id_len()).collect();
        let (hwid, csp_id) = match platform.signing_key {
            SigningKey::Vcek => (Some(hwid), None),
            SigningKey::Vlek => (None, Some(CLOUD_PROVIDER.to_owned())),
            SigningKey::None => return None,
        };
        let product_name = match generation {
            // AMD's certificates for Milan name a stepping, the others do not.
            Generation::Milan if hwid.is_some() => "Milan-B0",
            _ => generation.product_name(),
        };
        let extensions = KeyExtensions {
            struct_version: u8::from(generation == Generation::Turin),
            product_name: product_name.to_owned(),
            tcb: platform.reported_tcb,
            hwid,
            csp_id,
        };
        Some(Self { generation, extensions })
    }

    /// Which authority certifies it.
    pub(crate) fn issuer(&self) -> Role {
        if self.is_vcek() { Role::ChipKeys } else { Role::LoadedKeys }
    }

    /// Its name in the store.
    pub(crate) fn entry(&self) -> String {
        let mut digest = Sha256::new();
        for extension in self.extensions.encode() {
            digest.update(extension.oid.as_bytes());
            digest.update(&extension.value);
        }
        let id = hex::encode(digest.finalize().get(..8).unwrap_or_default());
        format!("{}/{}-{id}", self.generation, self.kind())
    }

    fn kind(&self) -> &'static str {
        if self.is_vcek() { "vcek" } else { "vlek" }
    }

    fn is_vcek(&self) -> bool {
        self.extensions.hwid.is_some()
    }

    fn make(&self, key: &ChipKey, issuer: &Authority) -> Result<Vec<u8>, SimulatorError> {
        let extensions = self.extensions.encode().into_iter().map(|extension| {
            let extn_value = OctetString::new(extension.value)?;
            Ok(Extension { extn_id: extension.oid, critical: false, extn_value })
        });
        let content = x509::Content {
            // AMD's are all numbered 0.
            serial_number: 0,
            issuer: issuer.name().clone(),
            subject: x509::name(&format!("Simulated SEV {}", self.kind().to_uppercase()))?,
            spki: key.spki()?,
            validity: x509::validity(if self.is_vcek() { VCEK_VALIDITY } else { VLEK_VALIDITY })?,
            extensions: extensions.collect::<Result<_, SimulatorError>>()?,
        };
        x509::certificate(content, x509::rsa_pss_sha384(x509::Trailer::Default)?, &issuer.key()?)
    }
}

impl Leaf {
    /// Reads the key from the store, or makes it, also when its certificate is about to expire.
    pub(crate) fn load(store: &Store, id: &LeafId, issuer: &Authority) -> Result<Self, SimulatorError> {
        store.read_or_make(
            &id.entry(),
            |entry| Self::read(entry, issuer),
            || {
                let key = ChipKey::generate()?;
                Ok(vec![(CERTIFICATE, id.make(&key, issuer)?), (KEY, key.to_pkcs8()?)])
            },
        )
    }

    fn read(entry: &Entry, issuer: &Authority) -> Result<Option<Self>, SimulatorError> {
        let certificate = entry.read(CERTIFICATE)?;
        let parsed = Certificate::from_der(&certificate)
            .map_err(|_| entry.damaged(&format!("`{CERTIFICATE}` is not a certificate")))?;
        if !issuer.signed(&certificate) {
            return Err(entry.damaged(&format!("`{CERTIFICATE}` is not signed by its authority")));
        }
        let tbs = parsed.tbs_certificate();
        let own = |key: &ChipKey| {
            key.spki().is_ok_and(|spki| tbs.subject_public_key_info().to_der().is_ok_and(|own| own == spki))
        };
        let key = ChipKey::from_pkcs8(&entry.read(KEY)?)
            .filter(own)
            .ok_or_else(|| entry.damaged(&format!("`{KEY}` does not belong to `{CERTIFICATE}`")))?;
        let over = x509::nearly_over(tbs.validity().not_after, RESERVE);
        Ok((!over).then_some(Self { key, certificate }))
    }
}
