// SPDX-License-Identifier: Apache-2.0

//! `TPMS_ATTEST` of a quote (Part 2, section 10.12.12): what an attestation key signs.

use alloc::vec::Vec;

use super::pcr::{self, PcrSelection};
use super::wire::{put_sized, sized};
use crate::cursor::Cursor;
use crate::{Fault, ParseError};

const FORMAT: &str = "TPM quote";

/// `TPM_GENERATED_VALUE` (Part 2, section 6.2), with which nothing begins that a restricted key signs for others.
const GENERATED: u32 = 0xff54_4347;
/// `TPM_ST_ATTEST_QUOTE` (Part 2, section 6.9).
const ATTEST_QUOTE: u16 = 0x8018;

/// `TPMS_CLOCK_INFO` (Part 2, section 10.11.1). For keys outside the endorsement and platform hierarchies a TPM
/// disguises the counters and the firmware version, consistently for one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockInfo {
    /// `clock`: milliseconds that the TPM has been powered.
    pub clock: u64,
    /// `resetCount`: resets since the TPM was last cleared.
    pub reset_count: u32,
    /// `restartCount`: restarts and resumes since the last reset.
    pub restart_count: u32,
    /// `safe`: no higher value of the clock was reported before.
    pub safe: bool,
}

/// `TPMS_ATTEST` with a `TPMS_QUOTE_INFO`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attest {
    /// `qualifiedSigner`: a digest over the key and all keys above it, after the number of the hash function.
    pub qualified_signer: Vec<u8>,
    /// `extraData`: what whoever asked for the quote had put in.
    pub extra_data: Vec<u8>,
    /// `clockInfo`.
    pub clock: ClockInfo,
    /// `firmwareVersion`.
    pub firmware_version: u64,
    /// `pcrSelect`: which registers of which banks, in the order in which they were hashed.
    pub pcr_select: Vec<PcrSelection>,
    /// `pcrDigest`: over their values, by the hash function of the signature.
    pub pcr_digest: Vec<u8>,
}

impl Attest {
    /// Limit of a name or of extra data in bytes: the number of a hash function and its longest digest.
    pub const MAX_DATA: usize = 66;

    /// Reads a quote of exactly these bytes. Other kinds of attestation are refused.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let mut cursor = Cursor::new(FORMAT, bytes);
        let magic = cursor.u32_be("magic")?;
        if magic != GENERATED {
            return Err(cursor.error("magic", 0, Fault::Unsupported { found: u64::from(magic) }));
        }
        let at = cursor.offset();
        let kind = cursor.u16_be("type")?;
        if kind != ATTEST_QUOTE {
            return Err(cursor.error("type", at, Fault::Unsupported { found: u64::from(kind) }));
        }
        let attest = Self {
            qualified_signer: sized(&mut cursor, "qualifiedSigner", Self::MAX_DATA)?.to_vec(),
            extra_data: sized(&mut cursor, "extraData", Self::MAX_DATA)?.to_vec(),
            clock: clock_info(&mut cursor)?,
            firmware_version: cursor.u64_be("firmwareVersion")?,
            pcr_select: pcr::parse_selections(&mut cursor)?,
            pcr_digest: sized(&mut cursor, "pcrDigest", Self::MAX_DATA)?.to_vec(),
        };
        cursor.finish()?;
        Ok(attest)
    }

    /// The quote as bytes, those that are signed; the inverse of [`Attest::parse`].
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(&GENERATED.to_be_bytes());
        out.extend_from_slice(&ATTEST_QUOTE.to_be_bytes());
        put_sized(&mut out, &self.qualified_signer);
        put_sized(&mut out, &self.extra_data);
        out.extend_from_slice(&self.clock.clock.to_be_bytes());
        out.extend_from_slice(&self.clock.reset_count.to_be_bytes());
        out.extend_from_slice(&self.clock.restart_count.to_be_bytes());
        out.push(u8::from(self.clock.safe));
        out.extend_from_slice(&self.firmware_version.to_be_bytes());
        pcr::encode_selections(&self.pcr_select, &mut out);
        put_sized(&mut out, &self.pcr_digest);
        out
    }
}

fn clock_info(cursor: &mut Cursor<'_>) -> Result<ClockInfo, ParseError> {
    let clock = cursor.u64_be("clock")?;
    let (reset_count, restart_count) = (cursor.u32_be("resetCount")?, cursor.u32_be("restartCount")?);
    let at = cursor.offset();
    let safe = match cursor.u8("safe")? {
        0 => false,
        1 => true,
        found => return Err(cursor.error("safe", at, Fault::Unsupported { found: u64::from(found) })),
    };
    Ok(ClockInfo { clock, reset_count, restart_count, safe })
}
