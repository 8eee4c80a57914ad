// SPDX-License-Identifier: Apache-2.0

//! Digests, and the names of what they were computed with.

use core::fmt;

use crate::cbor::Reader;
use crate::{Fault, ParseError};

/// The longest name in the registry of hash functions has 9 letters.
const MAX_NAME: usize = 32;

/// A hash function, by its name in the registry "Hash Function Textual Names".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HashAlgorithm {
    /// `sha-256`.
    Sha256,
    /// `sha-384`.
    Sha384,
    /// `sha-512`.
    Sha512,
}

impl HashAlgorithm {
    /// The name in a token.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        }
    }

    /// The length of its digests in bytes.
    pub const fn digest_len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, ParseError> {
        let at = reader.offset();
        match reader.text(field, MAX_NAME)? {
            "sha-256" => Ok(Self::Sha256),
            "sha-384" => Ok(Self::Sha384),
            "sha-512" => Ok(Self::Sha512),
            _ => Err(reader.error(field, at, Fault::Malformed)),
        }
    }
}

impl fmt::Display for HashAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A digest of 32, 48 or 64 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Measurement {
    bytes: [u8; 64],
    len: usize,
}

impl Measurement {
    /// The digest, if it has one of the three lengths.
    pub fn new(digest: &[u8]) -> Option<Self> {
        let len = digest.len();
        let mut bytes = [0; 64];
        if !matches!(len, 32 | 48 | 64) {
            return None;
        }
        bytes.get_mut(..len)?.copy_from_slice(digest);
        Some(Self { bytes, len })
    }

    /// The digest.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    pub(super) fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, ParseError> {
        let at = reader.offset();
        let digest = reader.bytes(field, 64)?;
        Self::new(digest).ok_or_else(|| reader.error(field, at, Fault::Malformed))
    }
}

impl fmt::Debug for Measurement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
