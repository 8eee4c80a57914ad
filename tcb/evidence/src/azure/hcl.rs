// SPDX-License-Identifier: Apache-2.0

//! The HCL report: header, report of the hardware, runtime data. Numbers are little-endian.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::TdReport;
use crate::cursor::Cursor;
use crate::snp::Report;
use crate::{Fault, ParseError};

const FORMAT: &str = "HCL report";

const SIGNATURE: [u8; 4] = *b"HCLA";
/// A request for a report, the only one whose answer is stored.
const REQUEST_REPORT: u32 = 2;
const DATA_VERSION: u32 = 1;
const TYPE_SNP: u32 = 2;
const TYPE_TDX: u32 = 4;
const HASH_SHA256: u32 = 1;
/// Room for the report of the hardware.
const HARDWARE_LEN: usize = 1184;
/// Where the runtime data starts: after the header and the report of the hardware.
const DATA_START: u32 = 32 + 1184;
/// The runtime data's own header.
const DATA_HEADER: u32 = 20;

/// The version of the header. Both have the same layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HclVersion {
    /// 1.
    V1,
    /// 2.
    V2,
}

/// What the hardware reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HardwareReport {
    /// A report of AMD SEV-SNP, signed.
    Snp(Box<Report>),
    /// A report of Intel TDX, with a code that only the same processor can check.
    Tdx(Box<TdReport>),
}

/// An HCL report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HclReport {
    /// The version of its header.
    pub version: HclVersion,
    /// What the hardware reports. The first half of its report data is the SHA-256 of the runtime data.
    pub hardware: HardwareReport,
    /// The runtime data: JSON, exactly these bytes; see [`super::RuntimeData`].
    pub runtime_data: Vec<u8>,
    /// How many zeros follow, up to the size of the index that it is stored in.
    pub padding: usize,
}

impl HclReport {
    /// Limit of a report in bytes. Genuine ones have 2600.
    pub const MAX_LEN: usize = 8192;

    /// Reads a report and the zeros after it.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let mut cursor = Cursor::new(FORMAT, bytes);
        if bytes.len() > Self::MAX_LEN {
            return Err(cursor.error("report", 0, Fault::TooLarge { limit: Self::MAX_LEN }));
        }
        if cursor.array("signature")? != SIGNATURE {
            return Err(cursor.error("signature", 0, Fault::Malformed));
        }
        let version = match cursor.u32("version")? {
            1 => HclVersion::V1,
            2 => HclVersion::V2,
            found => return Err(cursor.error("version", 4, Fault::Unsupported { found: u64::from(found) })),
        };
        let size = cursor.u32("report_size")?;
        expect(&mut cursor, "request_type", REQUEST_REPORT)?;
        // The status of the request, 0 for success, then what is reserved.
        cursor.zeros::<16>("status")?;
        let hardware = cursor.array::<HARDWARE_LEN>("hardware_report")?;
        let data_size = cursor.u32("data_size")?;
        expect(&mut cursor, "data_version", DATA_VERSION)?;
        let at = cursor.offset();
        let hardware = match cursor.u32("report_type")? {
            TYPE_SNP => HardwareReport::Snp(Box::new(Report::parse(&hardware)?)),
            TYPE_TDX => HardwareReport::Tdx(Box::new(tdx(&hardware)?)),
            found => {
                return Err(cursor.error("report_type", at, Fault::Unsupported { found: u64::from(found) }));
            }
        };
        expect(&mut cursor, "hash_type", HASH_SHA256)?;
        let at = cursor.offset();
        let len = cursor.u32("variable_data_size")?;
        if Some(data_size) != len.checked_add(DATA_HEADER) {
            return Err(cursor.error("data_size", 32 + HARDWARE_LEN, Fault::Malformed));
        }
        if Some(size) != data_size.checked_add(DATA_START) {
            return Err(cursor.error("report_size", 8, Fault::Malformed));
        }
        let len = usize::try_from(len);
        let len = len.map_err(|_| cursor.error("variable_data_size", at, Fault::Truncated))?;
        let runtime_data = cursor.take("runtime_data", len)?.to_vec();
        let padding = bytes.len().saturating_sub(cursor.offset());
        let at = cursor.offset();
        if let Some(used) = cursor.take("padding", padding)?.iter().position(|byte| *byte != 0) {
            return Err(cursor.error("padding", at.saturating_add(used), Fault::Reserved));
        }
        Ok(Self { version, hardware, runtime_data, padding })
    }

    /// The report as bytes; the inverse of [`HclReport::parse`].
    pub fn encode(&self) -> Vec<u8> {
        let len = u32::try_from(self.runtime_data.len()).unwrap_or(u32::MAX);
        let data_size = len.saturating_add(DATA_HEADER);
        let mut out = SIGNATURE.to_vec();
        let version = match self.version {
            HclVersion::V1 => 1,
            HclVersion::V2 => 2,
        };
        put(&mut out, &[version, data_size.saturating_add(DATA_START), REQUEST_REPORT, 0, 0, 0, 0]);
        let kind = match &self.hardware {
            HardwareReport::Snp(report) => {
                out.extend_from_slice(&report.encode());
                TYPE_SNP
            }
            HardwareReport::Tdx(report) => {
                out.extend_from_slice(&report.encode());
                TYPE_TDX
            }
        };
        out.resize(32 + HARDWARE_LEN, 0);
        put(&mut out, &[data_size, DATA_VERSION, kind, HASH_SHA256, len]);
        out.extend_from_slice(&self.runtime_data);
        out.resize(out.len().saturating_add(self.padding), 0);
        out
    }
}

fn tdx(room: &[u8; HARDWARE_LEN]) -> Result<TdReport, ParseError> {
    let (report, rest) = room.split_at(TdReport::LEN);
    if let Some(used) = rest.iter().position(|byte| *byte != 0) {
        let offset = used.saturating_add(32 + TdReport::LEN);
        return Err(ParseError { format: FORMAT, field: "hardware_report", offset, fault: Fault::Reserved });
    }
    TdReport::parse(report)
}

fn expect(cursor: &mut Cursor<'_>, field: &'static str, expected: u32) -> Result<(), ParseError> {
    let at = cursor.offset();
    let found = cursor.u32(field)?;
    if found == expected {
        return Ok(());
    }
    Err(cursor.error(field, at, Fault::Unsupported { found: u64::from(found) }))
}

fn put(out: &mut Vec<u8>, numbers: &[u32]) {
    for number in numbers {
        out.extend_from_slice(&number.to_le_bytes());
    }
}
