// SPDX-License-Identifier: Apache-2.0

//! The opaque data of an answer: fields of a type, a length and a value, by which a device says what it is.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use super::report::put_len;
use crate::cursor::Cursor;
use crate::{Fault, ParseError};

const FORMAT: &str = "SPDM opaque data";

/// Types of fields, with the numbers that NVIDIA's tools give them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpaqueField {
    /// The version of the driver: text.
    DriverVersion,
    /// The version of the VBIOS: eight bytes on GPUs, text on switches.
    VbiosVersion,
    /// Whether the video decoder NVDEC0 is enabled: `AAh` or `55h`.
    Nvdec0,
    /// The number of the board.
    BoardId,
    /// The chip's stock keeping unit: text.
    ChipSku,
    /// Its variant: text.
    ChipSkuMod,
    /// The project: text.
    Project,
    /// The project's stock keeping unit: text.
    ProjectSku,
    /// Its variant: text.
    ProjectSkuMod,
    /// The digest of the firmware that the signing key was made for.
    FirmwareId,
    /// Whether traffic between GPUs is protected: `AAh` or `55h`.
    ProtectedPcie,
    /// Device identifiers of the switches that a GPU is connected to, or of a switch itself.
    SwitchPdis,
    /// What the chip is, in words.
    ChipInfo,
}

impl OpaqueField {
    /// The number of the type.
    pub const fn number(self) -> u16 {
        match self {
            Self::DriverVersion => 3,
            Self::VbiosVersion => 6,
            Self::Nvdec0 => 11,
            Self::BoardId => 14,
            Self::ChipSku => 15,
            Self::ChipSkuMod => 16,
            Self::Project => 17,
            Self::ProjectSku => 18,
            Self::ProjectSkuMod => 19,
            Self::FirmwareId => 20,
            Self::ProtectedPcie => 21,
            Self::SwitchPdis => 22,
            Self::ChipInfo => 35,
        }
    }
}

/// The fields, in order. Types that are not known here are kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OpaqueData {
    fields: Vec<(u16, Vec<u8>)>,
}

impl OpaqueData {
    /// Limit of the number of fields. Genuine devices send less than 20.
    pub const MAX_FIELDS: usize = 64;

    /// Reads fields up to the end. A type that appears twice is refused: it would have two meanings.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let mut cursor = Cursor::new(FORMAT, bytes);
        let mut kinds = BTreeSet::new();
        let mut fields = Vec::new();
        while cursor.offset() < bytes.len() {
            let at = cursor.offset();
            let kind = cursor.u16("type")?;
            let len = usize::from(cursor.u16("length")?);
            let value = cursor.take("value", len)?;
            if fields.len() >= Self::MAX_FIELDS {
                return Err(cursor.error("fields", at, Fault::TooLarge { limit: Self::MAX_FIELDS }));
            }
            if !kinds.insert(kind) {
                return Err(cursor.error("type", at, Fault::Duplicate));
            }
            fields.push((kind, value.to_vec()));
        }
        Ok(Self { fields })
    }

    /// Fields in an order; of a type that is there before, the later one is left out.
    pub fn of(fields: impl IntoIterator<Item = (u16, Vec<u8>)>) -> Self {
        let mut data = Self::default();
        for (kind, value) in fields {
            if data.by_number(kind).is_none() {
                data.fields.push((kind, value));
            }
        }
        data
    }

    /// The fields as bytes; the inverse of [`OpaqueData::parse`].
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (kind, value) in &self.fields {
            out.extend_from_slice(&kind.to_le_bytes());
            put_len(&mut out, value.len());
            out.extend_from_slice(value);
        }
        out
    }

    /// The value of a field.
    pub fn get(&self, field: OpaqueField) -> Option<&[u8]> {
        self.by_number(field.number())
    }

    /// The value of a field that is text, up to its first zero, if it is printable.
    pub fn text(&self, field: OpaqueField) -> Option<String> {
        let value = self.get(field)?.split(|byte| *byte == 0).next()?;
        let printable = value.iter().all(|byte| matches!(byte, b' '..=b'~'));
        core::str::from_utf8(value).ok().filter(|_| printable).map(String::from)
    }

    /// All fields, in order.
    pub fn iter(&self) -> impl Iterator<Item = (u16, &[u8])> {
        self.fields.iter().map(|(kind, value)| (*kind, value.as_slice()))
    }

    fn by_number(&self, number: u16) -> Option<&[u8]> {
        self.fields.iter().find(|(kind, _)| *kind == number).map(|(_, value)| value.as_slice())
    }
}
