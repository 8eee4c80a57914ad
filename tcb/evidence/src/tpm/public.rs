// SPDX-License-Identifier: Apache-2.0

//! `TPMT_PUBLIC` of an attestation key (Part 2, section 12.2.4).

use alloc::vec;
use alloc::vec::Vec;

use super::HashAlgorithm;
use super::wire::{self, ALG_NULL, put_sized, sized};
use crate::cursor::Cursor;
use crate::{Fault, ParseError};

const FORMAT: &str = "TPM public area";

const ALG_RSA: u16 = 0x0001;
const ALG_ECC: u16 = 0x0023;
const ALG_RSASSA: u16 = 0x0014;
const ALG_RSAPSS: u16 = 0x0016;
const ALG_ECDSA: u16 = 0x0018;

/// Limit of an RSA modulus in bytes: that of a key of 4096 bits.
const MAX_RSA: usize = 512;
/// The public exponent that a TPM writes as 0 (Part 2, section 12.2.3.5).
const DEFAULT_EXPONENT: u32 = 65537;

/// `TPMA_OBJECT` (Part 2, section 8.3): what may be done with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Attributes(pub u32);

impl Attributes {
    /// What attestation keys have: `fixedTPM`, `fixedParent`, `sensitiveDataOrigin`, `userWithAuth`, `restricted`
    /// and `sign`.
    pub const ATTESTATION_KEY: Self = Self(1 << 1 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 16 | 1 << 18);

    /// `fixedTPM`: the key never leaves this TPM.
    pub const fn fixed_tpm(self) -> bool {
        self.bit(1)
    }

    /// `fixedParent`: the key never gets another parent.
    pub const fn fixed_parent(self) -> bool {
        self.bit(4)
    }

    /// `sensitiveDataOrigin`: the TPM made the private key itself.
    pub const fn sensitive_data_origin(self) -> bool {
        self.bit(5)
    }

    /// `restricted`: the key signs nothing from outside that looks like the TPM's own structures.
    pub const fn restricted(self) -> bool {
        self.bit(16)
    }

    /// `decrypt`.
    pub const fn decrypt(self) -> bool {
        self.bit(17)
    }

    /// `sign`.
    pub const fn sign(self) -> bool {
        self.bit(18)
    }

    const fn bit(self, number: u32) -> bool {
        self.0 >> number & 1 == 1
    }
}

/// `TPMI_ECC_CURVE` (Part 2, section 6.4), as far as keys are read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Curve {
    /// `TPM_ECC_NIST_P256`.
    P256,
    /// `TPM_ECC_NIST_P384`.
    P384,
}

impl Curve {
    /// The length of a coordinate in bytes.
    pub const fn coordinate_len(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
        }
    }

    const fn number(self) -> u16 {
        match self {
            Self::P256 => 0x0003,
            Self::P384 => 0x0004,
        }
    }
}

/// `scheme`: how a key signs, if it signs in one way only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyScheme {
    /// `TPM_ALG_NULL`: whoever uses the key chooses.
    Any,
    /// `TPM_ALG_RSASSA`.
    RsaSsa(HashAlgorithm),
    /// `TPM_ALG_RSAPSS`.
    RsaPss(HashAlgorithm),
    /// `TPM_ALG_ECDSA`.
    Ecdsa(HashAlgorithm),
}

/// `parameters` and `unique`: the kind of key and the public key itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicId {
    /// `TPM_ALG_RSA`.
    Rsa {
        /// `keyBits`.
        bits: u16,
        /// `exponent`; 0 is 65537.
        exponent: u32,
        /// The modulus, big-endian.
        modulus: Vec<u8>,
    },
    /// `TPM_ALG_ECC`.
    Ecc {
        /// `curveID`.
        curve: Curve,
        /// The coordinate x, big-endian, as long as the curve says.
        x: Vec<u8>,
        /// The coordinate y, likewise.
        y: Vec<u8>,
    },
}

/// `TPMT_PUBLIC` of a key that signs. Restricted keys that encrypt (storage and endorsement keys) are refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Public {
    /// `nameAlg`.
    pub name_alg: HashAlgorithm,
    /// `objectAttributes`.
    pub attributes: Attributes,
    /// `authPolicy`: empty, or a digest.
    pub auth_policy: Vec<u8>,
    /// `scheme`.
    pub scheme: KeyScheme,
    /// The key.
    pub id: PublicId,
}

impl Public {
    /// Reads a `TPMT_PUBLIC` of exactly these bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let mut cursor = Cursor::new(FORMAT, bytes);
        let kind = cursor.u16_be("type")?;
        let name_alg = wire::hash(&mut cursor, "nameAlg")?;
        let attributes = Attributes(cursor.u32_be("objectAttributes")?);
        let auth_policy = sized(&mut cursor, "authPolicy", HashAlgorithm::Sha512.digest_len())?.to_vec();
        let (scheme, id) = match kind {
            ALG_RSA => rsa(&mut cursor)?,
            ALG_ECC => ecc(&mut cursor)?,
            other => return Err(wire::unsupported(&cursor, "type", 0, other)),
        };
        cursor.finish()?;
        Ok(Self { name_alg, attributes, auth_policy, scheme, id })
    }

    /// Reads a `TPM2B_PUBLIC`, which is the same after its length.
    pub fn parse_sized(bytes: &[u8]) -> Result<Self, ParseError> {
        let mut cursor = Cursor::new("TPM2B_PUBLIC", bytes);
        let public = sized(&mut cursor, "size", usize::from(u16::MAX))?;
        cursor.finish()?;
        Self::parse(public)
    }

    /// The public area as bytes; the inverse of [`Public::parse`].
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let kind = match self.id {
            PublicId::Rsa { .. } => ALG_RSA,
            PublicId::Ecc { .. } => ALG_ECC,
        };
        put(&mut out, kind);
        put(&mut out, self.name_alg.number());
        out.extend_from_slice(&self.attributes.0.to_be_bytes());
        put_sized(&mut out, &self.auth_policy);
        put(&mut out, ALG_NULL);
        put_scheme(&mut out, self.scheme);
        match &self.id {
            PublicId::Rsa { bits, exponent, modulus } => {
                put(&mut out, *bits);
                out.extend_from_slice(&exponent.to_be_bytes());
                put_sized(&mut out, modulus);
            }
            PublicId::Ecc { curve, x, y } => {
                put(&mut out, curve.number());
                put(&mut out, ALG_NULL);
                put_sized(&mut out, x);
                put_sized(&mut out, y);
            }
        }
        out
    }
}

impl PublicId {
    /// The public exponent of an RSA key, big-endian, without leading zeros; empty for a key of another kind.
    pub fn exponent_bytes(&self) -> Vec<u8> {
        let exponent = match self {
            Self::Rsa { exponent: 0, .. } => DEFAULT_EXPONENT,
            Self::Rsa { exponent, .. } => *exponent,
            Self::Ecc { .. } => 0,
        };
        exponent.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect()
    }

    /// The point of an elliptic curve: 04h, x, y; empty for a key of another kind.
    pub fn point(&self) -> Vec<u8> {
        match self {
            Self::Rsa { .. } => Vec::new(),
            Self::Ecc { x, y, .. } => [&[0x04], x.as_slice(), y].concat(),
        }
    }
}

/// `TPMS_RSA_PARMS` and the modulus. A key that signs has no symmetric algorithm (Part 2, section 12.2.3.5).
fn rsa(cursor: &mut Cursor<'_>) -> Result<(KeyScheme, PublicId), ParseError> {
    wire::null(cursor, "symmetric")?;
    let at = cursor.offset();
    let scheme = match cursor.u16_be("scheme")? {
        ALG_NULL => KeyScheme::Any,
        ALG_RSASSA => KeyScheme::RsaSsa(wire::hash(cursor, "scheme.hashAlg")?),
        ALG_RSAPSS => KeyScheme::RsaPss(wire::hash(cursor, "scheme.hashAlg")?),
        other => return Err(wire::unsupported(cursor, "scheme", at, other)),
    };
    let (bits, exponent) = (cursor.u16_be("keyBits")?, cursor.u32_be("exponent")?);
    let at = cursor.offset();
    let modulus = sized(cursor, "unique", MAX_RSA)?.to_vec();
    // RSA keys are whole bytes long, and the most significant bit of a modulus is set.
    let whole = modulus.len().checked_mul(8) == Some(usize::from(bits));
    if !whole || modulus.first().is_none_or(|first| *first < 0x80) {
        return Err(cursor.error("unique", at, Fault::Malformed));
    }
    Ok((scheme, PublicId::Rsa { bits, exponent, modulus }))
}

/// `TPMS_ECC_PARMS` and the point.
fn ecc(cursor: &mut Cursor<'_>) -> Result<(KeyScheme, PublicId), ParseError> {
    wire::null(cursor, "symmetric")?;
    let at = cursor.offset();
    let scheme = match cursor.u16_be("scheme")? {
        ALG_NULL => KeyScheme::Any,
        ALG_ECDSA => KeyScheme::Ecdsa(wire::hash(cursor, "scheme.hashAlg")?),
        other => return Err(wire::unsupported(cursor, "scheme", at, other)),
    };
    let at = cursor.offset();
    let number = cursor.u16_be("curveID")?;
    let curve = [Curve::P256, Curve::P384].into_iter().find(|curve| curve.number() == number);
    let curve = curve.ok_or_else(|| wire::unsupported(cursor, "curveID", at, number))?;
    wire::null(cursor, "kdf")?;
    let mut coordinate = |field| {
        let at = cursor.offset();
        let coordinate = sized(cursor, field, curve.coordinate_len())?;
        if coordinate.len() != curve.coordinate_len() {
            return Err(cursor.error(field, at, Fault::Malformed));
        }
        Ok(coordinate.to_vec())
    };
    let (x, y) = (coordinate("unique.x")?, coordinate("unique.y")?);
    Ok((scheme, PublicId::Ecc { curve, x, y }))
}

fn put(out: &mut Vec<u8>, number: u16) {
    out.extend_from_slice(&number.to_be_bytes());
}

fn put_scheme(out: &mut Vec<u8>, scheme: KeyScheme) {
    let numbers = match scheme {
        KeyScheme::Any => vec![ALG_NULL],
        KeyScheme::RsaSsa(hash) => vec![ALG_RSASSA, hash.number()],
        KeyScheme::RsaPss(hash) => vec![ALG_RSAPSS, hash.number()],
        KeyScheme::Ecdsa(hash) => vec![ALG_ECDSA, hash.number()],
    };
    for number in numbers {
        put(out, number);
    }
}
