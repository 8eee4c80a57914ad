// SPDX-License-Identifier: Apache-2.0

//! Keys, as far as vendors use them.

use const_oid::ObjectIdentifier;

use super::der::{Der, oid};
use crate::{Fault, ParseError};

const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const SECP256R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const SECP384R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");

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
    /// A point of P-256, uncompressed: 04h, x, y.
    P256(&'a [u8; 65]),
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
            EC_PUBLIC_KEY => match oid(&mut algorithm, "curve")? {
                SECP256R1 => uncompressed(key).map(Self::P256).ok_or(malformed),
                SECP384R1 => uncompressed(key).map(Self::P384).ok_or(malformed),
                _ => Ok(Self::Other),
            },
            _ => Ok(Self::Other),
        }
    }
}

/// A point as 04h, x, y (RFC 5480, section 2.2).
fn uncompressed<const N: usize>(key: &[u8]) -> Option<&[u8; N]> {
    <&[u8; N]>::try_from(key).ok().filter(|point| point.first() == Some(&0x04))
}
