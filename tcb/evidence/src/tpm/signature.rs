// SPDX-License-Identifier: Apache-2.0

//! `TPMT_SIGNATURE` (Part 2, section 11.3.4).

use alloc::vec::Vec;

use super::HashAlgorithm;
use super::wire::{self, put_sized, sized};
use crate::ParseError;
use crate::cursor::Cursor;

const FORMAT: &str = "TPM signature";

const ALG_RSASSA: u16 = 0x0014;
const ALG_RSAPSS: u16 = 0x0016;
const ALG_ECDSA: u16 = 0x0018;

/// Limit of an RSA signature in bytes: that of a key of 4096 bits.
const MAX_RSA: usize = 512;
/// Limit of a number of an ECDSA signature in bytes: that of P-521.
const MAX_ECC: usize = 66;

/// How an RSA signature is padded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RsaPadding {
    /// `TPM_ALG_RSASSA`: RSASSA-PKCS1-v1_5.
    Pkcs1,
    /// `TPM_ALG_RSAPSS`: RSASSA-PSS. The salt is as long as the digest, or as the key allows on older TPMs.
    Pss,
}

/// A signature and its scheme. The digest of the registers in a quote is by the hash function of the scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signature {
    /// `TPMS_SIGNATURE_RSASSA` or `TPMS_SIGNATURE_RSAPSS`.
    Rsa {
        /// Which of the two.
        padding: RsaPadding,
        /// `hash`.
        hash: HashAlgorithm,
        /// `sig`, as long as the key.
        signature: Vec<u8>,
    },
    /// `TPMS_SIGNATURE_ECDSA`.
    Ecdsa {
        /// `hash`.
        hash: HashAlgorithm,
        /// `signatureR`, big-endian; some TPMs leave out leading zeros.
        r: Vec<u8>,
        /// `signatureS`, likewise.
        s: Vec<u8>,
    },
}

impl Signature {
    /// A signature of which only the bytes are left, as tools for Azure's virtual TPM give it out: RSASSA with
    /// SHA-256.
    pub fn bare_rsa(signature: &[u8]) -> Self {
        let (padding, hash) = (RsaPadding::Pkcs1, HashAlgorithm::Sha256);
        Self::Rsa { padding, hash, signature: signature.to_vec() }
    }

    /// The hash function of the scheme.
    pub const fn hash(&self) -> HashAlgorithm {
        match self {
            Self::Rsa { hash, .. } | Self::Ecdsa { hash, .. } => *hash,
        }
    }

    /// Reads a signature of exactly these bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let mut cursor = Cursor::new(FORMAT, bytes);
        let algorithm = cursor.u16_be("sigAlg")?;
        let hash = |cursor: &mut Cursor<'_>| wire::hash(cursor, "hash");
        let signature = match algorithm {
            ALG_RSASSA | ALG_RSAPSS => Self::Rsa {
                padding: if algorithm == ALG_RSASSA { RsaPadding::Pkcs1 } else { RsaPadding::Pss },
                hash: hash(&mut cursor)?,
                signature: sized(&mut cursor, "sig", MAX_RSA)?.to_vec(),
            },
            ALG_ECDSA => Self::Ecdsa {
                hash: hash(&mut cursor)?,
                r: sized(&mut cursor, "signatureR", MAX_ECC)?.to_vec(),
                s: sized(&mut cursor, "signatureS", MAX_ECC)?.to_vec(),
            },
            other => return Err(wire::unsupported(&cursor, "sigAlg", 0, other)),
        };
        cursor.finish()?;
        Ok(signature)
    }

    /// The signature as bytes; the inverse of [`Signature::parse`].
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut start = |algorithm: u16, hash: HashAlgorithm| {
            out.extend_from_slice(&algorithm.to_be_bytes());
            out.extend_from_slice(&hash.number().to_be_bytes());
        };
        match self {
            Self::Rsa { padding: RsaPadding::Pkcs1, hash, .. } => start(ALG_RSASSA, *hash),
            Self::Rsa { padding: RsaPadding::Pss, hash, .. } => start(ALG_RSAPSS, *hash),
            Self::Ecdsa { hash, .. } => start(ALG_ECDSA, *hash),
        }
        match self {
            Self::Rsa { signature, .. } => put_sized(&mut out, signature),
            Self::Ecdsa { r, s, .. } => {
                put_sized(&mut out, r);
                put_sized(&mut out, s);
            }
        }
        out
    }
}
