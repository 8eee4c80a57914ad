// SPDX-License-Identifier: Apache-2.0

//! Software components of a platform (token draft, section "Software Components").

use alloc::string::String;
use alloc::vec::Vec;
use core::convert::Infallible;

use minicbor::Encoder;

use super::{HashAlgorithm, Measurement};
use crate::ParseError;
use crate::cbor::{Label, Reader};

const KIND: i64 = 1;
const MEASUREMENT: i64 = 2;
const VERSION: i64 = 4;
const SIGNER: i64 = 5;
const HASH: i64 = 6;

/// Limit of the number of entries of one component; six are defined.
const MAX_ENTRIES: usize = 16;

/// One part of a platform's firmware, and who signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SoftwareComponent {
    /// Component type: its role, such as `RMM`.
    pub kind: Option<String>,
    /// Measurement value.
    pub measurement: Measurement,
    /// Version, as its issuer writes it.
    pub version: Option<String>,
    /// Signer ID: digest of the key that signed the component.
    pub signer: Measurement,
    /// How the measurement was computed, if not by the platform's hash algorithm.
    pub hash: Option<HashAlgorithm>,
}

impl SoftwareComponent {
    /// Limit of the number of components; a platform has about twenty.
    pub const MAX_COUNT: usize = 64;
    /// Limit of each text in bytes.
    pub const MAX_TEXT: usize = 256;

    pub(super) fn read_all(reader: &mut Reader<'_>) -> Result<Vec<Self>, ParseError> {
        let count = reader.array("cca-platform-sw-components", Self::MAX_COUNT)?;
        (0..count).map(|_| Self::read(reader)).collect()
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        let mut entries = reader.map("cca-platform-sw-component", MAX_ENTRIES)?;
        let (mut kind, mut measurement, mut version, mut signer, mut hash) = (None, None, None, None, None);
        while let Some(label) = reader.label(&mut entries, "cca-platform-sw-component")? {
            match label {
                Label::Int(KIND) => kind = Some(reader.text("component-type", Self::MAX_TEXT)?.into()),
                Label::Int(MEASUREMENT) => {
                    measurement = Some(Measurement::read(reader, "measurement-value")?);
                }
                Label::Int(VERSION) => version = Some(reader.text("version", Self::MAX_TEXT)?.into()),
                Label::Int(SIGNER) => signer = Some(Measurement::read(reader, "signer-id")?),
                Label::Int(HASH) => hash = Some(HashAlgorithm::read(reader, "hash-algo-id")?),
                _ => {
                    reader.raw("cca-platform-sw-component")?;
                }
            }
        }
        Ok(Self {
            kind,
            measurement: measurement.ok_or_else(|| reader.missing("measurement-value"))?,
            version,
            signer: signer.ok_or_else(|| reader.missing("signer-id"))?,
            hash,
        })
    }

    pub(super) fn write(
        &self,
        encoder: &mut Encoder<Vec<u8>>,
    ) -> Result<(), minicbor::encode::Error<Infallible>> {
        let optional = [self.kind.is_some(), self.version.is_some(), self.hash.is_some()];
        let count = optional.into_iter().filter(|there| *there).count().saturating_add(2);
        encoder.map(count as u64)?;
        if let Some(kind) = &self.kind {
            encoder.i64(KIND)?.str(kind)?;
        }
        encoder.i64(MEASUREMENT)?.bytes(self.measurement.as_bytes())?;
        if let Some(version) = &self.version {
            encoder.i64(VERSION)?.str(version)?;
        }
        encoder.i64(SIGNER)?.bytes(self.signer.as_bytes())?;
        if let Some(hash) = self.hash {
            encoder.i64(HASH)?.str(hash.name())?;
        }
        Ok(())
    }
}
