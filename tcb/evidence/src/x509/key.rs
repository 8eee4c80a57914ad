// SPDX-License-Identifier: Apache-2.0

//! Keys and signature algorithms, as far as vendors use them.

use ::der::Tag;
use const_oid::ObjectIdentifier;

use super::der::{Der, context};
use crate::{Fault, ParseError};

const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSASSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const MGF1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.8");
const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const SECP384R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");

/// How a certificate or list is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignatureAlgorithm {
    /// RSASSA-PSS with SHA-384, MGF1 with SHA-384 and a salt of 48 bytes (RFC 4055, section 3.1).
    RsaPssSha384,
    /// Anything else.
    Other,
}

impl SignatureAlgorithm {
    /// Reads an `AlgorithmIdentifier`.
    pub(super) fn parse(mut der: Der<'_>) -> Result<Self, ParseError> {
        if oid(&mut der, "algorithm")? != RSASSA_PSS {
            return Ok(Self::Other);
        }
        let mut parameters = der.sequence("RSASSA-PSS-params")?;
        der.finish("signatureAlgorithm")?;
        let hash = match parameters.optional(context(0), "hashAlgorithm")? {
            Some(hash) => is_sha384(&mut Der::document("hashAlgorithm", hash)?)?,
            None => false,
        };
        let mask = match parameters.optional(context(1), "maskGenAlgorithm")? {
            Some(mask) => {
                let mut mask = Der::document("maskGenAlgorithm", mask)?.sequence("maskGenAlgorithm")?;
                oid(&mut mask, "maskGenAlgorithm")? == MGF1 && is_sha384(&mut mask)?
            }
            None => false,
        };
        let salt = match parameters.optional(context(2), "saltLength")? {
            Some(salt) => Der::document("saltLength", salt)?.unsigned("saltLength")? == [48],
            None => false,
        };
        // The default, 1; AMD's root signs with it spelt out, which DER forbids.
        let trailer = match parameters.optional(context(3), "trailerField")? {
            Some(trailer) => Der::document("trailerField", trailer)?.unsigned("trailerField")? == [1],
            None => true,
        };
        parameters.finish("RSASSA-PSS-params")?;
        Ok(if hash && mask && salt && trailer { Self::RsaPssSha384 } else { Self::Other })
    }
}

/// An `AlgorithmIdentifier` of SHA-384, parameters absent or NULL (RFC 4055, section 2.1).
fn is_sha384(der: &mut Der<'_>) -> Result<bool, ParseError> {
    let mut hash = der.sequence("hashAlgorithm")?;
    let sha384 = oid(&mut hash, "hashAlgorithm")? == SHA384;
    let null = hash.optional(Tag::Null, "hashAlgorithm")?.is_none_or(<[u8]>::is_empty);
    Ok(sha384 && null && hash.is_finished())
}

/// The key of a certificate's subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublicKey<'a> {
    /// `rsaEncryption`.
    Rsa {
        /// The modulus, big-endian, without leading zeros.
        modulus: &'a [u8],
        /// The public exponent, likewise.
        exponent: &'a [u8],
    },
    /// A point of P-384, uncompressed: 04h, x, y.
    P384(&'a [u8; 97]),
    /// Anything else.
    Other,
}

impl<'a> PublicKey<'a> {
    /// Reads a `SubjectPublicKeyInfo`.
    pub(super) fn parse(mut der: Der<'a>) -> Result<Self, ParseError> {
        let mut algorithm = der.sequence("algorithm")?;
        let malformed = der.error("subjectPublicKey", Fault::Malformed);
        let key = der.bytes_of_bits("subjectPublicKey")?;
        der.finish("subjectPublicKeyInfo")?;
        match oid(&mut algorithm, "algorithm")? {
            RSA_ENCRYPTION => {
                let mut document = Der::document("RSA public key", key)?;
                let mut numbers = document.sequence("RSAPublicKey")?;
                let (modulus, exponent) = (numbers.unsigned("modulus")?, numbers.unsigned("exponent")?);
                numbers.finish("RSAPublicKey")?;
                document.finish("RSAPublicKey")?;
                Ok(Self::Rsa { modulus, exponent })
            }
            EC_PUBLIC_KEY if oid(&mut algorithm, "curve")? == SECP384R1 => match <&[u8; 97]>::try_from(key) {
                Ok(point) if point.first() == Some(&0x04) => Ok(Self::P384(point)),
                _ => Err(malformed),
            },
            _ => Ok(Self::Other),
        }
    }
}

pub(super) fn oid(der: &mut Der<'_>, field: &'static str) -> Result<ObjectIdentifier, ParseError> {
    let malformed = der.error(field, Fault::Malformed);
    let bytes = der.value(Tag::ObjectIdentifier, field)?;
    ObjectIdentifier::from_bytes(bytes).map_err(|_| malformed)
}
