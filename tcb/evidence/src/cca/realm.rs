// SPDX-License-Identifier: Apache-2.0

//! Realm claims (RMM, section A7.2.3.1; token draft, section "CCA Realm Delegated Attestation Token").

use alloc::string::String;
use alloc::vec::Vec;

use super::platform::{exactly, ueid};
use super::{HashAlgorithm, Measurement};
use crate::cbor::{Label, Reader};
use crate::cose::{EcKey, written};
use crate::{Fault, ParseError};

const FORMAT: &str = "CCA realm claims";

const CHALLENGE: i64 = 10;
const INSTANCE_ID: i64 = 256;
const PROFILE: i64 = 265;
const PERSONALIZATION: i64 = 44235;
const HASH: i64 = 44236;
const PUBLIC_KEY: i64 = 44237;
const INITIAL: i64 = 44238;
const EXTENSIBLE: i64 = 44239;
const PUBLIC_KEY_HASH: i64 = 44240;
const MEC_POLICY: i64 = 44243;

/// Limit of the number of claims; ten are defined.
const MAX_CLAIMS: usize = 48;
/// Limit of the name of a profile in bytes.
const MAX_PROFILE: usize = 1024;
/// Limit of the public key claim in bytes: a `COSE_Key` of P-384 has 107.
const MAX_KEY: usize = 256;

/// Which specification the claims follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RealmProfile {
    /// None is named, as in the first releases, in which the attestation key is a bare point.
    Legacy,
    /// `tag:arm.com,2023:realm#1.0.0`; from here on the attestation key is a `COSE_Key`.
    V1,
    /// `tag:arm.com,2024:realm#2.0.0`.
    V2,
    /// Another one, so that nobody knows here what the claims mean.
    Other(String),
}

impl RealmProfile {
    /// The profile as a token names it.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Legacy => None,
            Self::V1 => Some("tag:arm.com,2023:realm#1.0.0"),
            Self::V2 => Some("tag:arm.com,2024:realm#2.0.0"),
            Self::Other(name) => Some(name),
        }
    }

    fn from_name(name: &str) -> Self {
        [Self::V1, Self::V2]
            .into_iter()
            .find(|known| known.name() == Some(name))
            .unwrap_or_else(|| Self::Other(name.into()))
    }
}

/// Whether the realm's memory has an encryption key of its own (RMM 2.0, memory encryption contexts).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MecPolicy {
    /// The key is that of other realms, too.
    Shared,
    /// The key is the realm's own.
    Private,
}

impl MecPolicy {
    const fn number(self) -> u64 {
        match self {
            Self::Shared => 0,
            Self::Private => 1,
        }
    }
}

/// What the realm manager says about a realm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RealmClaims {
    /// `cca-realm-profile`.
    pub profile: RealmProfile,
    /// `cca-realm-challenge`: 64 bytes that the realm chose.
    pub challenge: [u8; 64],
    /// `cca-realm-instance-id`, of the profile of 2024.
    pub instance_id: Option<[u8; 33]>,
    /// `cca-realm-personalization-value`: 64 bytes that the host chose at the creation of the realm.
    pub personalization: [u8; 64],
    /// `cca-realm-initial-measurement` (RIM): digest of the realm as it was created.
    pub initial: Measurement,
    /// `cca-realm-extensible-measurements` (REM): what the realm has measured since.
    pub extensible: [Measurement; 4],
    /// `cca-realm-hash-algo-id`: how the measurements were computed.
    pub hash: HashAlgorithm,
    /// `cca-realm-public-key`: the realm's attestation key (RAK), as it is encoded, because its digest is the
    /// platform's challenge.
    pub public_key: Vec<u8>,
    /// `cca-realm-public-key-hash-algo-id`: how that digest is computed.
    pub public_key_hash: HashAlgorithm,
    /// `cca-realm-mec-policy`, of the profile of 2024.
    pub mec_policy: Option<MecPolicy>,
}

impl RealmClaims {
    /// Reads the payload of a realm token. Claims that are not defined are passed over (RFC 9711, section 4).
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let mut reader = Reader::new(FORMAT, bytes);
        let mut found = Found::default();
        let mut entries = reader.map("claims", MAX_CLAIMS)?;
        while let Some(label) = reader.label(&mut entries, "claim")? {
            found.read(label, &mut reader)?;
        }
        reader.finish()?;
        let missing = |field| reader.missing(field);
        let claims = Self {
            profile: found.profile.unwrap_or(RealmProfile::Legacy),
            challenge: found.challenge.ok_or_else(|| missing("cca-realm-challenge"))?,
            instance_id: found.instance_id,
            personalization: found
                .personalization
                .ok_or_else(|| missing("cca-realm-personalization-value"))?,
            initial: found.initial.ok_or_else(|| missing("cca-realm-initial-measurement"))?,
            extensible: found.extensible.ok_or_else(|| missing("cca-realm-extensible-measurements"))?,
            hash: found.hash.ok_or_else(|| missing("cca-realm-hash-algo-id"))?,
            public_key: found.public_key.ok_or_else(|| missing("cca-realm-public-key"))?,
            public_key_hash: found
                .public_key_hash
                .ok_or_else(|| missing("cca-realm-public-key-hash-algo-id"))?,
            mec_policy: found.mec_policy,
        };
        claims.attestation_key()?;
        Ok(claims)
    }

    /// The realm's attestation key: a `COSE_Key`, or without a profile also a bare point of P-384. The first byte
    /// tells them apart.
    pub fn attestation_key(&self) -> Result<EcKey, ParseError> {
        let point = EcKey::from_point(&self.public_key).filter(|key| matches!(key, EcKey::P384(_)));
        match point.filter(|_| self.profile == RealmProfile::Legacy) {
            Some(key) => Ok(key),
            None => EcKey::parse(&self.public_key),
        }
    }

    /// The claims as the payload of a token, in the order in which the realm manager has them; what is parsed
    /// from it is these claims.
    pub fn encode(&self) -> Vec<u8> {
        let optional = [self.profile.name().is_some(), self.instance_id.is_some(), self.mec_policy.is_some()];
        let count = optional.into_iter().filter(|there| *there).count().saturating_add(7);
        written(|encoder| {
            encoder.map(count as u64)?;
            if let Some(name) = self.profile.name() {
                encoder.i64(PROFILE)?.str(name)?;
            }
            encoder.i64(CHALLENGE)?.bytes(&self.challenge)?;
            if let Some(id) = &self.instance_id {
                encoder.i64(INSTANCE_ID)?.bytes(id)?;
            }
            encoder.i64(HASH)?.str(self.hash.name())?;
            encoder.i64(PUBLIC_KEY_HASH)?.str(self.public_key_hash.name())?;
            encoder.i64(PERSONALIZATION)?.bytes(&self.personalization)?;
            encoder.i64(PUBLIC_KEY)?.bytes(&self.public_key)?;
            encoder.i64(INITIAL)?.bytes(self.initial.as_bytes())?;
            if let Some(policy) = self.mec_policy {
                encoder.i64(MEC_POLICY)?.u64(policy.number())?;
            }
            encoder.i64(EXTENSIBLE)?.array(4)?;
            for measurement in &self.extensible {
                encoder.bytes(measurement.as_bytes())?;
            }
            Ok(())
        })
    }
}

/// The claims as far as they were found.
#[derive(Default)]
struct Found {
    profile: Option<RealmProfile>,
    challenge: Option<[u8; 64]>,
    instance_id: Option<[u8; 33]>,
    personalization: Option<[u8; 64]>,
    initial: Option<Measurement>,
    extensible: Option<[Measurement; 4]>,
    hash: Option<HashAlgorithm>,
    public_key: Option<Vec<u8>>,
    public_key_hash: Option<HashAlgorithm>,
    mec_policy: Option<MecPolicy>,
}

impl Found {
    fn read(&mut self, label: Label<'_>, reader: &mut Reader<'_>) -> Result<(), ParseError> {
        let Label::Int(label) = label else { return reader.raw("claim").map(|_| ()) };
        match label {
            PROFILE => {
                let name = reader.text("cca-realm-profile", MAX_PROFILE)?;
                self.profile = Some(RealmProfile::from_name(name));
            }
            CHALLENGE => self.challenge = Some(exactly(reader, "cca-realm-challenge")?),
            INSTANCE_ID => self.instance_id = Some(ueid(reader, "cca-realm-instance-id")?),
            PERSONALIZATION => {
                self.personalization = Some(exactly(reader, "cca-realm-personalization-value")?);
            }
            INITIAL => self.initial = Some(Measurement::read(reader, "cca-realm-initial-measurement")?),
            EXTENSIBLE => self.extensible = Some(extensible(reader)?),
            HASH => self.hash = Some(HashAlgorithm::read(reader, "cca-realm-hash-algo-id")?),
            PUBLIC_KEY => self.public_key = Some(reader.bytes("cca-realm-public-key", MAX_KEY)?.to_vec()),
            PUBLIC_KEY_HASH => {
                let hash = HashAlgorithm::read(reader, "cca-realm-public-key-hash-algo-id")?;
                self.public_key_hash = Some(hash);
            }
            MEC_POLICY => self.mec_policy = Some(mec_policy(reader)?),
            _ => {
                reader.raw("claim")?;
            }
        }
        Ok(())
    }
}

fn extensible(reader: &mut Reader<'_>) -> Result<[Measurement; 4], ParseError> {
    const FIELD: &str = "cca-realm-extensible-measurements";
    let at = reader.offset();
    if reader.array(FIELD, 4)? != 4 {
        return Err(reader.error(FIELD, at, Fault::Malformed));
    }
    let mut next = || Measurement::read(reader, FIELD);
    Ok([next()?, next()?, next()?, next()?])
}

fn mec_policy(reader: &mut Reader<'_>) -> Result<MecPolicy, ParseError> {
    let at = reader.offset();
    match reader.unsigned("cca-realm-mec-policy")? {
        0 => Ok(MecPolicy::Shared),
        1 => Ok(MecPolicy::Private),
        found => Err(reader.error("cca-realm-mec-policy", at, Fault::Unsupported { found })),
    }
}
