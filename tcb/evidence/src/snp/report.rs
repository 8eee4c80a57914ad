// SPDX-License-Identifier: Apache-2.0

//! `ATTESTATION_REPORT` (56860, section 7.3): what the firmware of the secure processor signs about one guest.

use super::{Cpuid, GuestPolicy, KeyInfo, PlatformInfo, RawTcb};
use crate::cursor::Cursor;
use crate::{Fault, ParseError};

pub(super) const FORMAT: &str = "SNP attestation report";

/// The version of the report's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Version {
    /// The first public one, without the processor's identity.
    V2,
    /// Adds CPUID family, model and stepping.
    V3,
    /// The same bytes as version 3.
    V4,
    /// Adds the mitigation vectors.
    V5,
}

impl Version {
    /// The number in the report.
    pub const fn number(self) -> u32 {
        match self {
            Self::V2 => 2,
            Self::V3 => 3,
            Self::V4 => 4,
            Self::V5 => 5,
        }
    }

    /// The version with a number, if it is known here.
    pub const fn from_number(number: u32) -> Option<Self> {
        match number {
            2 => Some(Self::V2),
            3 => Some(Self::V3),
            4 => Some(Self::V4),
            5 => Some(Self::V5),
            _ => None,
        }
    }
}

/// A version of the SNP firmware.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct FirmwareVersion {
    /// Build number.
    pub build: u8,
    /// Minor version.
    pub minor: u8,
    /// Major version.
    pub major: u8,
}

/// Which known vulnerabilities the firmware has verified to be mitigated, one bit each (version 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Mitigations {
    /// At the launch of the guest.
    pub launch: u64,
    /// Now.
    pub current: u64,
}

/// An ECDSA signature over P-384 (56860, chapter 10), as big-endian numbers like everywhere but in the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signature {
    /// The number r.
    pub r: [u8; 48],
    /// The number s.
    pub s: [u8; 48],
}

/// A report. Every field of the specification is here under its name, parsed but not believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// `VERSION`.
    pub version: Version,
    /// `GUEST_SVN`: the version that the identity block of the guest's owner states.
    pub guest_svn: u32,
    /// `POLICY`: what the guest was launched to allow.
    pub policy: GuestPolicy,
    /// `FAMILY_ID` of the identity block.
    pub family_id: [u8; 16],
    /// `IMAGE_ID` of the identity block.
    pub image_id: [u8; 16],
    /// `VMPL`: the privilege level that asked for the report, or `0xffff_ffff` if the host did.
    pub vmpl: u32,
    /// `SIGNATURE_ALGO`; 1 is ECDSA P-384 with SHA-384.
    pub signature_algo: u32,
    /// `CURRENT_TCB`: what runs now.
    pub current_tcb: RawTcb,
    /// `PLATFORM_INFO`.
    pub platform_info: PlatformInfo,
    /// The flags at offset 48h.
    pub key_info: KeyInfo,
    /// `REPORT_DATA`: 64 bytes that the guest chose.
    pub report_data: [u8; 64],
    /// `MEASUREMENT`: digest of the guest's initial memory.
    pub measurement: [u8; 48],
    /// `HOST_DATA`: 32 bytes that the host chose at launch.
    pub host_data: [u8; 32],
    /// `ID_KEY_DIGEST`: SHA-384 of the key that signed the identity block.
    pub id_key_digest: [u8; 48],
    /// `AUTHOR_KEY_DIGEST`: SHA-384 of the key that certified the identity key.
    pub author_key_digest: [u8; 48],
    /// `REPORT_ID` of this guest.
    pub report_id: [u8; 32],
    /// `REPORT_ID_MA`: that of its migration agent.
    pub report_id_ma: [u8; 32],
    /// `REPORTED_TCB`: the version that the signing key was derived for.
    pub reported_tcb: RawTcb,
    /// CPUID family, model and stepping; from version 3 on.
    pub cpuid: Option<Cpuid>,
    /// `CHIP_ID`; zero if the host masks it.
    pub chip_id: [u8; 64],
    /// `COMMITTED_TCB`: below this the firmware can no longer be rolled back.
    pub committed_tcb: RawTcb,
    /// `CURRENT_BUILD`, `CURRENT_MINOR`, `CURRENT_MAJOR`.
    pub current: FirmwareVersion,
    /// `COMMITTED_BUILD`, `COMMITTED_MINOR`, `COMMITTED_MAJOR`.
    pub committed: FirmwareVersion,
    /// `LAUNCH_TCB`: what ran when the guest was launched or imported.
    pub launch_tcb: RawTcb,
    /// `LAUNCH_MIT_VECTOR` and `CURRENT_MIT_VECTOR`; from version 5 on.
    pub mitigations: Option<Mitigations>,
    /// `SIGNATURE`, over the first [`Report::SIGNED_LEN`] bytes.
    pub signature: Signature,
}

impl Report {
    /// The length of a report in bytes.
    pub const LEN: usize = 0x4a0;
    /// How many bytes of it are signed.
    pub const SIGNED_LEN: usize = 0x2a0;
    /// `SIGNATURE_ALGO` of ECDSA P-384 with SHA-384, the only one that exists.
    pub const ECDSA_P384_SHA384: u32 = 1;
    /// `VMPL` of a report that the host asked for, and not the guest.
    pub const VMPL_HOST: u32 = 0xffff_ffff;

    /// Reads a report of exactly [`Report::LEN`] bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let mut cursor = Cursor::new(FORMAT, bytes);
        let number = cursor.u32("VERSION")?;
        let version = Version::from_number(number)
            .ok_or_else(|| cursor.error("VERSION", 0, Fault::Unsupported { found: u64::from(number) }))?;
        let report = Self {
            version,
            guest_svn: cursor.u32("GUEST_SVN")?,
            policy: GuestPolicy(cursor.u64("POLICY")?),
            family_id: cursor.array("FAMILY_ID")?,
            image_id: cursor.array("IMAGE_ID")?,
            vmpl: cursor.u32("VMPL")?,
            signature_algo: cursor.u32("SIGNATURE_ALGO")?,
            current_tcb: RawTcb(cursor.u64("CURRENT_TCB")?),
            platform_info: PlatformInfo(cursor.u64("PLATFORM_INFO")?),
            key_info: parse_key_info(&mut cursor)?,
            report_data: cursor.array("REPORT_DATA")?,
            measurement: cursor.array("MEASUREMENT")?,
            host_data: cursor.array("HOST_DATA")?,
            id_key_digest: cursor.array("ID_KEY_DIGEST")?,
            author_key_digest: cursor.array("AUTHOR_KEY_DIGEST")?,
            report_id: cursor.array("REPORT_ID")?,
            report_id_ma: cursor.array("REPORT_ID_MA")?,
            reported_tcb: RawTcb(cursor.u64("REPORTED_TCB")?),
            cpuid: parse_cpuid(&mut cursor, version)?,
            chip_id: cursor.array("CHIP_ID")?,
            committed_tcb: RawTcb(cursor.u64("COMMITTED_TCB")?),
            current: parse_firmware(&mut cursor, "CURRENT_VERSION")?,
            committed: parse_firmware(&mut cursor, "COMMITTED_VERSION")?,
            launch_tcb: RawTcb(cursor.u64("LAUNCH_TCB")?),
            mitigations: parse_mitigations(&mut cursor, version)?,
            signature: parse_signature(&mut cursor)?,
        };
        cursor.finish()?;
        Ok(report)
    }

    /// The report as bytes; the inverse of [`Report::parse`]. Fields that the report's version does not have are
    /// left out.
    pub fn encode(&self) -> [u8; Self::LEN] {
        let mut out = Output { bytes: [0; Self::LEN], offset: 0 };
        out.put(&self.version.number().to_le_bytes());
        out.put(&self.guest_svn.to_le_bytes());
        out.put(&self.policy.0.to_le_bytes());
        out.put(&self.family_id);
        out.put(&self.image_id);
        out.put(&self.vmpl.to_le_bytes());
        out.put(&self.signature_algo.to_le_bytes());
        out.put(&self.current_tcb.0.to_le_bytes());
        out.put(&self.platform_info.0.to_le_bytes());
        out.put(&self.key_info.encode().to_le_bytes());
        out.skip(4);
        out.put(&self.report_data);
        out.put(&self.measurement);
        out.put(&self.host_data);
        out.put(&self.id_key_digest);
        out.put(&self.author_key_digest);
        out.put(&self.report_id);
        out.put(&self.report_id_ma);
        out.put(&self.reported_tcb.0.to_le_bytes());
        let cpuid = self.cpuid.filter(|_| self.version >= Version::V3);
        out.put(&cpuid.map_or([0; 3], |cpuid| [cpuid.family, cpuid.model, cpuid.stepping]));
        out.skip(21);
        out.put(&self.chip_id);
        out.put(&self.committed_tcb.0.to_le_bytes());
        for firmware in [self.current, self.committed] {
            out.put(&[firmware.build, firmware.minor, firmware.major, 0]);
        }
        out.put(&self.launch_tcb.0.to_le_bytes());
        let mitigations = self.mitigations.filter(|_| self.version >= Version::V5).unwrap_or_default();
        out.put(&mitigations.launch.to_le_bytes());
        out.put(&mitigations.current.to_le_bytes());
        out.skip(Self::SIGNED_LEN - 0x208);
        for number in [self.signature.r, self.signature.s] {
            out.put(&reversed(number));
            out.skip(24);
        }
        out.bytes
    }

    /// Whether the host hides which chip it is (`CHIP_ID` is zero).
    pub fn chip_id_masked(&self) -> bool {
        self.chip_id == [0; 64]
    }
}

struct Output {
    bytes: [u8; Report::LEN],
    offset: usize,
}

impl Output {
    fn put(&mut self, field: &[u8]) {
        let end = self.offset.saturating_add(field.len());
        if let Some(room) = self.bytes.get_mut(self.offset..end) {
            room.copy_from_slice(field);
        }
        self.offset = end;
    }

    fn skip(&mut self, zeros: usize) {
        self.offset = self.offset.saturating_add(zeros);
    }
}

fn parse_key_info(cursor: &mut Cursor<'_>) -> Result<KeyInfo, ParseError> {
    let info = KeyInfo::parse(cursor.u32("SIGNING_KEY")?)?;
    cursor.zeros::<4>("RESERVED")?;
    Ok(info)
}

fn parse_cpuid(cursor: &mut Cursor<'_>, version: Version) -> Result<Option<Cpuid>, ParseError> {
    let cpuid = if version >= Version::V3 {
        Some(Cpuid {
            family: cursor.u8("CPUID_FAM_ID")?,
            model: cursor.u8("CPUID_MOD_ID")?,
            stepping: cursor.u8("CPUID_STEP")?,
        })
    } else {
        cursor.zeros::<3>("RESERVED")?;
        None
    };
    cursor.zeros::<21>("RESERVED")?;
    Ok(cpuid)
}

fn parse_firmware(cursor: &mut Cursor<'_>, field: &'static str) -> Result<FirmwareVersion, ParseError> {
    let [build, minor, major] = cursor.array(field)?;
    cursor.zeros::<1>("RESERVED")?;
    Ok(FirmwareVersion { build, minor, major })
}

fn parse_mitigations(cursor: &mut Cursor<'_>, version: Version) -> Result<Option<Mitigations>, ParseError> {
    let mitigations = if version >= Version::V5 {
        Some(Mitigations {
            launch: cursor.u64("LAUNCH_MIT_VECTOR")?,
            current: cursor.u64("CURRENT_MIT_VECTOR")?,
        })
    } else {
        cursor.zeros::<16>("RESERVED")?;
        None
    };
    cursor.zeros::<{ Report::SIGNED_LEN - 0x208 }>("RESERVED")?;
    Ok(mitigations)
}

fn parse_signature(cursor: &mut Cursor<'_>) -> Result<Signature, ParseError> {
    debug_assert_eq!(cursor.offset(), Report::SIGNED_LEN);
    let mut number = |field| {
        let number = cursor.array::<48>(field)?;
        // The component is 72 bytes long; a number modulo the order of P-384 needs 48 of them.
        cursor.zeros::<24>(field)?;
        Ok(reversed(number))
    };
    let (r, s) = (number("SIGNATURE.R")?, number("SIGNATURE.S")?);
    cursor.zeros::<368>("SIGNATURE.RESERVED")?;
    Ok(Signature { r, s })
}

fn reversed(mut number: [u8; 48]) -> [u8; 48] {
    number.reverse();
    number
}
