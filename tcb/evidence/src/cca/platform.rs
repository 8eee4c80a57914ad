// SPDX-License-Identifier: Apache-2.0

//! Platform claims (RMM, section A7.2.3.2; token draft, section "CCA Platform Attestation Token").

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::{HashAlgorithm, Measurement, SoftwareComponent};
use crate::cbor::{Label, Reader};
use crate::cose::written;
use crate::{Fault, ParseError};

const FORMAT: &str = "CCA platform claims";

const CHALLENGE: i64 = 10;
const INSTANCE_ID: i64 = 256;
const PROFILE: i64 = 265;
const CLIENT_ID: i64 = 2394;
const LIFECYCLE: i64 = 2395;
const IMPLEMENTATION_ID: i64 = 2396;
const COMPONENTS: i64 = 2399;
const SERVICE: i64 = 2400;
const CONFIG: i64 = 2401;
const HASH: i64 = 2402;
const MANUFACTURING_CONFIG: i64 = 2403;
const EXTENSION: i64 = 2404;
const TBB_ROTPK: i64 = 2405;
const PEER_SIGNERS: i64 = 2406;

/// Limit of the number of claims; fourteen are defined.
const MAX_CLAIMS: usize = 48;

/// Which specification the claims follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlatformProfile {
    /// `http://arm.com/CCA-SSD/1.0.0`, of the first releases.
    Legacy,
    /// `tag:arm.com,2023:cca_platform#1.0.0`.
    V1,
    /// `tag:arm.com,2024:cca_platform#2.0.0`.
    V2,
    /// Another one, so that nobody knows here what the claims mean.
    Other(String),
}

impl PlatformProfile {
    /// The profile as a token names it.
    pub fn name(&self) -> &str {
        match self {
            Self::Legacy => "http://arm.com/CCA-SSD/1.0.0",
            Self::V1 => "tag:arm.com,2023:cca_platform#1.0.0",
            Self::V2 => "tag:arm.com,2024:cca_platform#2.0.0",
            Self::Other(name) => name,
        }
    }

    fn from_name(name: &str) -> Self {
        [Self::Legacy, Self::V1, Self::V2]
            .into_iter()
            .find(|known| known.name() == name)
            .unwrap_or_else(|| Self::Other(name.into()))
    }
}

/// The life of a platform, as far as it says how well its root of trust is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lifecycle(pub u16);

/// The state in which a platform is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LifecycleState {
    /// Nobody knows.
    Unknown,
    /// It is still being built.
    AssemblyAndTest,
    /// Its root of trust is still getting its secrets.
    RotProvisioning,
    /// Its root of trust is closed, and nothing can be debugged: the only state that protects anything.
    Secured,
    /// Parts beside the root of trust can be debugged, and with the realm manager every realm.
    NonCcaPlatformDebug,
    /// The root of trust can be debugged.
    RecoverableCcaPlatformDebug,
    /// Its secrets are gone.
    Decommissioned,
}

impl Lifecycle {
    /// The state: the high byte tells, the low one is the manufacturer's. `None` if the value is reserved.
    pub const fn state(self) -> Option<LifecycleState> {
        match self.0 >> 8 {
            0x00 => Some(LifecycleState::Unknown),
            0x10 => Some(LifecycleState::AssemblyAndTest),
            0x20 => Some(LifecycleState::RotProvisioning),
            0x30 => Some(LifecycleState::Secured),
            0x40 => Some(LifecycleState::NonCcaPlatformDebug),
            0x50 => Some(LifecycleState::RecoverableCcaPlatformDebug),
            0x60 => Some(LifecycleState::Decommissioned),
            _ => None,
        }
    }
}

impl fmt::Display for Lifecycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.state() {
            Some(LifecycleState::Unknown) => "unknown",
            Some(LifecycleState::AssemblyAndTest) => "assembly and test",
            Some(LifecycleState::RotProvisioning) => "provisioning of the root of trust",
            Some(LifecycleState::Secured) => "secured",
            Some(LifecycleState::NonCcaPlatformDebug) => "debugging beside the root of trust",
            Some(LifecycleState::RecoverableCcaPlatformDebug) => "debugging of the root of trust",
            Some(LifecycleState::Decommissioned) => "decommissioned",
            None => "reserved",
        };
        write!(f, "{name} ({:#06x})", self.0)
    }
}

/// What a platform says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformClaims {
    /// `cca-platform-profile`.
    pub profile: PlatformProfile,
    /// `cca-platform-challenge`: digest of the realm's attestation key, which binds the two tokens.
    pub challenge: Measurement,
    /// `cca-platform-implementation-id`: what kind of platform it is.
    pub implementation_id: [u8; 32],
    /// `cca-platform-instance-id`: which platform it is, as a UEID of type RAND.
    pub instance_id: [u8; 33],
    /// `cca-platform-config`: switches and fuses, with the manufacturer's meaning.
    pub config: Vec<u8>,
    /// `cca-platform-lifecycle`.
    pub lifecycle: Lifecycle,
    /// `cca-platform-sw-components`; never empty.
    pub components: Vec<SoftwareComponent>,
    /// `cca-platform-service-indicator`: where a verification service is said to be.
    pub service: Option<String>,
    /// `cca-platform-hash-algo-id`: how measurements were computed that do not say it themselves.
    pub hash: HashAlgorithm,
    /// `cca-platform-client-id`, of the profile of 2024.
    pub client_id: Option<u64>,
    /// `cca-platform-manufacturing-config`, of the profile of 2024.
    pub manufacturing_config: Option<Vec<u8>>,
    /// `cca-platform-extension`, of the profile of 2024: devices beside the processor, in CBOR as it stands.
    pub extension: Option<Vec<u8>>,
    /// `cca-platform-tbb-rotpk`, of the profile of 2024: root keys of trusted boot, in CBOR as it stands.
    pub tbb_rotpk: Option<Vec<u8>>,
    /// `cca-platform-peer-signers`, of the profile of 2024.
    pub peer_signers: Option<Vec<u8>>,
}

impl PlatformClaims {
    /// Limit of texts and byte strings whose length the specification leaves open, in bytes.
    pub const MAX_VALUE: usize = 1024;
    /// The first byte of a UEID of type RAND (RFC 9711, section 4.2.1).
    pub const UEID_RAND: u8 = 0x01;

    /// Reads the payload of a platform token. Claims that are not defined are passed over (RFC 9711,
    /// section 4): the profile says which there are, and whoever decides refuses profiles that are not known.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let mut reader = Reader::new(FORMAT, bytes);
        let mut found = Found::default();
        let mut entries = reader.map("claims", MAX_CLAIMS)?;
        while let Some(label) = reader.label(&mut entries, "claim")? {
            found.read(label, &mut reader)?;
        }
        reader.finish()?;
        let missing = |field| reader.missing(field);
        Ok(Self {
            profile: found.profile.ok_or_else(|| missing("cca-platform-profile"))?,
            challenge: found.challenge.ok_or_else(|| missing("cca-platform-challenge"))?,
            implementation_id: found
                .implementation_id
                .ok_or_else(|| missing("cca-platform-implementation-id"))?,
            instance_id: found.instance_id.ok_or_else(|| missing("cca-platform-instance-id"))?,
            config: found.config.ok_or_else(|| missing("cca-platform-config"))?,
            lifecycle: found.lifecycle.ok_or_else(|| missing("cca-platform-lifecycle"))?,
            components: Some(found.components)
                .filter(|components| !components.is_empty())
                .ok_or_else(|| missing("cca-platform-sw-components"))?,
            service: found.service,
            hash: found.hash.ok_or_else(|| missing("cca-platform-hash-algo-id"))?,
            client_id: found.client_id,
            manufacturing_config: found.manufacturing_config,
            extension: found.extension,
            tbb_rotpk: found.tbb_rotpk,
            peer_signers: found.peer_signers,
        })
    }

    /// The claims as the payload of a token, in the order in which the specification has them; what is parsed
    /// from it is these claims.
    pub fn encode(&self) -> Vec<u8> {
        let optional = [
            self.service.is_some(),
            self.client_id.is_some(),
            self.manufacturing_config.is_some(),
            self.extension.is_some(),
            self.tbb_rotpk.is_some(),
            self.peer_signers.is_some(),
        ];
        let count = optional.into_iter().filter(|there| *there).count().saturating_add(8);
        let mut bytes = written(|encoder| {
            encoder.map(count as u64)?;
            encoder.i64(PROFILE)?.str(self.profile.name())?;
            encoder.i64(CHALLENGE)?.bytes(self.challenge.as_bytes())?;
            encoder.i64(IMPLEMENTATION_ID)?.bytes(&self.implementation_id)?;
            encoder.i64(INSTANCE_ID)?.bytes(&self.instance_id)?;
            encoder.i64(CONFIG)?.bytes(&self.config)?;
            encoder.i64(LIFECYCLE)?.u16(self.lifecycle.0)?;
            encoder.i64(HASH)?.str(self.hash.name())?;
            if let Some(service) = &self.service {
                encoder.i64(SERVICE)?.str(service)?;
            }
            encoder.i64(COMPONENTS)?.array(self.components.len() as u64)?;
            self.components.iter().try_for_each(|component| component.write(encoder))?;
            if let Some(client) = self.client_id {
                encoder.i64(CLIENT_ID)?.u64(client)?;
            }
            for (label, value) in
                [(MANUFACTURING_CONFIG, &self.manufacturing_config), (PEER_SIGNERS, &self.peer_signers)]
            {
                if let Some(value) = value {
                    encoder.i64(label)?.bytes(value)?;
                }
            }
            Ok(())
        });
        for (label, value) in [(EXTENSION, &self.extension), (TBB_ROTPK, &self.tbb_rotpk)] {
            if let Some(value) = value {
                bytes.extend(written(|encoder| encoder.i64(label).map(|_| ())));
                bytes.extend_from_slice(value);
            }
        }
        bytes
    }
}

/// The claims as far as they were found.
#[derive(Default)]
struct Found {
    profile: Option<PlatformProfile>,
    challenge: Option<Measurement>,
    implementation_id: Option<[u8; 32]>,
    instance_id: Option<[u8; 33]>,
    config: Option<Vec<u8>>,
    lifecycle: Option<Lifecycle>,
    components: Vec<SoftwareComponent>,
    service: Option<String>,
    hash: Option<HashAlgorithm>,
    client_id: Option<u64>,
    manufacturing_config: Option<Vec<u8>>,
    extension: Option<Vec<u8>>,
    tbb_rotpk: Option<Vec<u8>>,
    peer_signers: Option<Vec<u8>>,
}

impl Found {
    fn read(&mut self, label: Label<'_>, reader: &mut Reader<'_>) -> Result<(), ParseError> {
        const MAX: usize = PlatformClaims::MAX_VALUE;
        let Label::Int(label) = label else { return reader.raw("claim").map(|_| ()) };
        match label {
            PROFILE => {
                let name = reader.text("cca-platform-profile", MAX)?;
                self.profile = Some(PlatformProfile::from_name(name));
            }
            CHALLENGE => self.challenge = Some(Measurement::read(reader, "cca-platform-challenge")?),
            IMPLEMENTATION_ID => {
                self.implementation_id = Some(exactly(reader, "cca-platform-implementation-id")?);
            }
            INSTANCE_ID => self.instance_id = Some(ueid(reader, "cca-platform-instance-id")?),
            CONFIG => self.config = Some(reader.bytes("cca-platform-config", MAX)?.to_vec()),
            LIFECYCLE => self.lifecycle = Some(lifecycle(reader)?),
            HASH => self.hash = Some(HashAlgorithm::read(reader, "cca-platform-hash-algo-id")?),
            SERVICE => self.service = Some(reader.text("cca-platform-service-indicator", MAX)?.into()),
            COMPONENTS => self.components = SoftwareComponent::read_all(reader)?,
            CLIENT_ID => self.client_id = Some(reader.unsigned("cca-platform-client-id")?),
            MANUFACTURING_CONFIG => {
                let value = reader.bytes("cca-platform-manufacturing-config", MAX)?;
                self.manufacturing_config = Some(value.to_vec());
            }
            PEER_SIGNERS => {
                self.peer_signers = Some(reader.bytes("cca-platform-peer-signers", MAX)?.to_vec());
            }
            EXTENSION => self.extension = Some(reader.raw("cca-platform-extension")?.to_vec()),
            TBB_ROTPK => self.tbb_rotpk = Some(reader.raw("cca-platform-tbb-rotpk")?.to_vec()),
            _ => {
                reader.raw("claim")?;
            }
        }
        Ok(())
    }
}

fn lifecycle(reader: &mut Reader<'_>) -> Result<Lifecycle, ParseError> {
    let at = reader.offset();
    let found = reader.unsigned("cca-platform-lifecycle")?;
    let unsupported = reader.error("cca-platform-lifecycle", at, Fault::Unsupported { found });
    u16::try_from(found).map(Lifecycle).map_err(|_| unsupported)
}

/// A UEID of type RAND with 32 bytes (RFC 9711, section 4.2.1).
pub(super) fn ueid(reader: &mut Reader<'_>, field: &'static str) -> Result<[u8; 33], ParseError> {
    let at = reader.offset();
    let id = exactly::<33>(reader, field)?;
    if id.first() == Some(&PlatformClaims::UEID_RAND) {
        Ok(id)
    } else {
        Err(reader.error(field, at, Fault::Malformed))
    }
}

/// A byte string of one length.
pub(super) fn exactly<const N: usize>(
    reader: &mut Reader<'_>,
    field: &'static str,
) -> Result<[u8; N], ParseError> {
    let at = reader.offset();
    let bytes = reader.bytes(field, N)?;
    bytes.try_into().map_err(|_| reader.error(field, at, Fault::Malformed))
}
