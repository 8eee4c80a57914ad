// SPDX-License-Identifier: Apache-2.0

//! The request and the answer (DSP0274, section 10.11).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::OpaqueData;
use crate::cursor::Cursor;
use crate::{Fault, ParseError};

const FORMAT: &str = "SPDM measurements";

const SPDM_1_1: u8 = 0x11;
const GET_MEASUREMENTS: u8 = 0xe0;
const MEASUREMENTS: u8 = 0x60;
/// `Param1` of the request: a signature is asked for.
const SIGNED: u8 = 0x01;
/// `Param2` of the request: all measurements are asked for.
const ALL: u8 = 0xff;
/// `MeasurementSpecification`: that of DMTF.
const DMTF: u8 = 0x01;

/// `Index`: the others have a meaning of their own in requests.
const INDICES: core::ops::RangeInclusive<u8> = 1..=0xfe;

/// One measurement (DSP0274, section 10.11.1, DMTF measurement specification).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measurement {
    /// `DMTFSpecMeasurementValueType`: what was measured; bit 7 is set if the value is not a digest.
    pub kind: u8,
    /// `DMTFSpecMeasurementValue`.
    pub value: Vec<u8>,
}

/// Request and answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// `Nonce` of the request: what the answer is bound to.
    pub nonce: [u8; 32],
    /// `SlotIDParam` of the request: which chain of certificates the key belongs to.
    pub slot: u8,
    /// `Param1` and `Param2` of the answer.
    pub parameters: [u8; 2],
    /// The measurements, by their index from 1 to 254.
    pub measurements: BTreeMap<u8, Measurement>,
    /// `Nonce` of the answer: random bytes of the device.
    pub device_nonce: [u8; 32],
    /// `OpaqueData`.
    pub opaque: OpaqueData,
    /// `Signature`, over everything before it: ECDSA P-384 with SHA-384, r and s big-endian.
    pub signature: [u8; 96],
}

impl Report {
    /// Limit of a report in bytes. Genuine ones have less than 5000.
    pub const MAX_LEN: usize = 16 * 1024;
    /// How many of the bytes at its end are not signed.
    pub const SIGNATURE_LEN: usize = 96;

    /// Reads a request for all measurements and its answer, and nothing after it.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let mut cursor = Cursor::new(FORMAT, bytes);
        if bytes.len() > Self::MAX_LEN {
            return Err(cursor.error("report", 0, Fault::TooLarge { limit: Self::MAX_LEN }));
        }
        expect(&mut cursor, "request", [SPDM_1_1, GET_MEASUREMENTS, SIGNED, ALL])?;
        let nonce = cursor.array("request.Nonce")?;
        let slot = cursor.u8("SlotIDParam")?;
        expect(&mut cursor, "response", [SPDM_1_1, MEASUREMENTS])?;
        let parameters = cursor.array("response.Param")?;
        let measurements = measurements(&mut cursor)?;
        let device_nonce = cursor.array("response.Nonce")?;
        let len = usize::from(cursor.u16("OpaqueLength")?);
        let at = cursor.offset();
        let opaque = OpaqueData::parse(cursor.take("OpaqueData", len)?)
            .map_err(|error| ParseError { offset: error.offset.saturating_add(at), ..error })?;
        let signature = cursor.array("Signature")?;
        cursor.finish()?;
        Ok(Self { nonce, slot, parameters, measurements, device_nonce, opaque, signature })
    }

    /// The report as bytes; the inverse of [`Report::parse`].
    pub fn encode(&self) -> Vec<u8> {
        let mut out = [SPDM_1_1, GET_MEASUREMENTS, SIGNED, ALL].to_vec();
        out.extend_from_slice(&self.nonce);
        out.push(self.slot);
        out.extend_from_slice(&[SPDM_1_1, MEASUREMENTS]);
        out.extend_from_slice(&self.parameters);
        let mut record = Vec::new();
        for (index, measurement) in &self.measurements {
            record.extend_from_slice(&[*index, DMTF]);
            put_len(&mut record, measurement.value.len().saturating_add(3));
            record.push(measurement.kind);
            put_len(&mut record, measurement.value.len());
            record.extend_from_slice(&measurement.value);
        }
        out.push(u8::try_from(self.measurements.len()).unwrap_or(u8::MAX));
        // Above 16 MiB, which no report has, it does not parse again.
        let [low, middle, high, _] = u32::try_from(record.len()).unwrap_or(u32::MAX).to_le_bytes();
        out.extend_from_slice(&[low, middle, high]);
        out.extend_from_slice(&record);
        out.extend_from_slice(&self.device_nonce);
        let opaque = self.opaque.encode();
        put_len(&mut out, opaque.len());
        out.extend_from_slice(&opaque);
        out.extend_from_slice(&self.signature);
        out
    }
}

/// `NumberOfBlocks`, `MeasurementRecordLength` and the blocks, which devices send in the order of their indices.
fn measurements(cursor: &mut Cursor<'_>) -> Result<BTreeMap<u8, Measurement>, ParseError> {
    let count = cursor.u8("NumberOfBlocks")?;
    let [low, middle, high] = cursor.array("MeasurementRecordLength")?;
    let len = u32::from_le_bytes([low, middle, high, 0]) as usize;
    let start = cursor.offset();
    let mut measurements = BTreeMap::new();
    for _ in 0..count {
        let at = cursor.offset();
        let index = cursor.u8("Index")?;
        let ascending = measurements.last_key_value().is_none_or(|(last, _)| *last < index);
        if !ascending || !INDICES.contains(&index) {
            return Err(cursor.error("Index", at, Fault::Unsupported { found: u64::from(index) }));
        }
        measurements.insert(index, measurement(cursor)?);
    }
    if cursor.offset().checked_sub(start) != Some(len) {
        return Err(cursor.error("MeasurementRecordLength", start.saturating_sub(3), Fault::Malformed));
    }
    Ok(measurements)
}

fn measurement(cursor: &mut Cursor<'_>) -> Result<Measurement, ParseError> {
    expect(cursor, "MeasurementSpecification", [DMTF])?;
    let at = cursor.offset();
    let size = cursor.u16("MeasurementSize")?;
    let kind = cursor.u8("DMTFSpecMeasurementValueType")?;
    let len = cursor.u16("DMTFSpecMeasurementValueSize")?;
    if Some(size) != len.checked_add(3) {
        return Err(cursor.error("MeasurementSize", at, Fault::Malformed));
    }
    let value = cursor.take("DMTFSpecMeasurementValue", usize::from(len))?;
    Ok(Measurement { kind, value: value.to_vec() })
}

fn expect<const N: usize>(
    cursor: &mut Cursor<'_>,
    field: &'static str,
    expected: [u8; N],
) -> Result<(), ParseError> {
    let at = cursor.offset();
    let found = cursor.array::<N>(field)?;
    match found.iter().zip(expected).position(|(found, expected)| *found != expected) {
        None => Ok(()),
        Some(wrong) => {
            let found = found.get(wrong).copied().map_or(0, u64::from);
            Err(cursor.error(field, at.saturating_add(wrong), Fault::Unsupported { found }))
        }
    }
}

pub(super) fn put_len(out: &mut Vec<u8>, len: usize) {
    out.extend_from_slice(&u16::try_from(len).unwrap_or(u16::MAX).to_le_bytes());
}
