// SPDX-License-Identifier: Apache-2.0

//! How certificates and lists are signed, as far as vendors do it.

use ::der::Tag;
use const_oid::ObjectIdentifier;

use super::der::{Der, context, oid};
use crate::{Fault, ParseError};

const RSASSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const SHA1_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.5");
const SHA256_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const SHA384_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12");
const SHA512_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13");
const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_WITH_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const MGF1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.8");
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");

/// How a certificate or list is signed. The curve of an ECDSA signature is that of the issuer's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignatureAlgorithm {
    /// RSASSA-PSS with SHA-256, MGF1 with SHA-256 and a salt of 32 bytes (RFC 4055, section 3.1).
    RsaPssSha256,
    /// RSASSA-PSS with SHA-384, MGF1 with SHA-384 and a salt of 48 bytes (RFC 4055, section 3.1).
    RsaPssSha384,
    /// RSASSA-PKCS1-v1_5 with SHA-1 (RFC 3279, section 2.2.1), which proves nothing by today's standards.
    RsaPkcs1Sha1,
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 4055, section 5).
    RsaPkcs1Sha256,
    /// RSASSA-PKCS1-v1_5 with SHA-384 (RFC 4055, section 5).
    RsaPkcs1Sha384,
    /// RSASSA-PKCS1-v1_5 with SHA-512 (RFC 4055, section 5).
    RsaPkcs1Sha512,
    /// ECDSA with SHA-256 (RFC 5758, section 3.2).
    EcdsaSha256,
    /// ECDSA with SHA-384 (RFC 5758, section 3.2).
    EcdsaSha384,
    /// Anything else.
    Other,
}

impl SignatureAlgorithm {
    /// Reads an `AlgorithmIdentifier`. Parameters that the algorithm does not have make it another one.
    pub(super) fn parse(mut der: Der<'_>) -> Result<Self, ParseError> {
        let (known, parameters) = match oid(&mut der, "algorithm")? {
            RSASSA_PSS => return pss(der),
            SHA1_WITH_RSA => (Self::RsaPkcs1Sha1, Some(Tag::Null)),
            SHA256_WITH_RSA => (Self::RsaPkcs1Sha256, Some(Tag::Null)),
            SHA384_WITH_RSA => (Self::RsaPkcs1Sha384, Some(Tag::Null)),
            SHA512_WITH_RSA => (Self::RsaPkcs1Sha512, Some(Tag::Null)),
            ECDSA_WITH_SHA256 => (Self::EcdsaSha256, None),
            ECDSA_WITH_SHA384 => (Self::EcdsaSha384, None),
            _ => return Ok(Self::Other),
        };
        let as_prescribed = match parameters {
            // RFC 4055, section 5: NULL must be there; that it is absent must be understood too.
            Some(tag) => der.optional(tag, "parameters")?.is_none_or(<[u8]>::is_empty),
            None => true,
        };
        Ok(if as_prescribed && der.is_finished() { known } else { Self::Other })
    }
}

/// `RSASSA-PSS-params` of the two kinds that are used.
fn pss(mut der: Der<'_>) -> Result<SignatureAlgorithm, ParseError> {
    let mut parameters = der.sequence("RSASSA-PSS-params")?;
    der.finish("signatureAlgorithm")?;
    let hash = match parameters.optional(context(0), "hashAlgorithm")? {
        Some(hash) => hash_algorithm(&mut Der::document("hashAlgorithm", hash)?)?,
        None => None,
    };
    let mask = match parameters.optional(context(1), "maskGenAlgorithm")? {
        Some(mask) => {
            let mut mask = Der::document("maskGenAlgorithm", mask)?.sequence("maskGenAlgorithm")?;
            if oid(&mut mask, "maskGenAlgorithm")? == MGF1 { hash_algorithm(&mut mask)? } else { None }
        }
        None => None,
    };
    let salt = match parameters.optional(context(2), "saltLength")? {
        Some(salt) => Der::document("saltLength", salt)?.unsigned("saltLength")?,
        None => &[20],
    };
    // The default, 1; AMD's root signs with it spelt out, which DER forbids.
    let trailer = match parameters.optional(context(3), "trailerField")? {
        Some(trailer) => Der::document("trailerField", trailer)?.unsigned("trailerField")? == [1],
        None => true,
    };
    parameters.finish("RSASSA-PSS-params")?;
    Ok(match (hash, mask, salt, trailer) {
        (Some(SHA256), Some(SHA256), [32], true) => SignatureAlgorithm::RsaPssSha256,
        (Some(SHA384), Some(SHA384), [48], true) => SignatureAlgorithm::RsaPssSha384,
        _ => SignatureAlgorithm::Other,
    })
}

/// An `AlgorithmIdentifier` of a hash function, parameters absent or NULL (RFC 4055, section 2.1).
fn hash_algorithm(der: &mut Der<'_>) -> Result<Option<ObjectIdentifier>, ParseError> {
    let mut hash = der.sequence("hashAlgorithm")?;
    let algorithm = oid(&mut hash, "hashAlgorithm")?;
    let null = hash.optional(Tag::Null, "hashAlgorithm")?.is_none_or(<[u8]>::is_empty);
    Ok((null && hash.is_finished()).then_some(algorithm))
}

/// An ECDSA signature as two numbers of `N` bytes, big-endian: 32 for P-256, 48 for P-384.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EcdsaSignature<const N: usize> {
    /// The number r.
    pub r: [u8; N],
    /// The number s.
    pub s: [u8; N],
}

impl<const N: usize> EcdsaSignature<N> {
    /// Reads an `ECDSA-Sig-Value` (RFC 3279, section 2.2.3), as certificates and lists have it.
    pub fn from_der(der: &[u8]) -> Result<Self, ParseError> {
        let mut document = Der::document("ECDSA signature", der)?;
        let mut numbers = document.sequence("ECDSA-Sig-Value")?;
        document.finish("ECDSA-Sig-Value")?;
        let (r, s) = (padded(&mut numbers, "r")?, padded(&mut numbers, "s")?);
        numbers.finish("ECDSA-Sig-Value")?;
        Ok(Self { r, s })
    }
}

/// An INTEGER with leading zeros to a fixed length.
fn padded<const N: usize>(der: &mut Der<'_>, field: &'static str) -> Result<[u8; N], ParseError> {
    let too_large = der.error(field, Fault::TooLarge { limit: N });
    let digits = der.unsigned(field)?;
    let mut number = [0; N];
    let start = N.checked_sub(digits.len()).ok_or_else(|| too_large.clone())?;
    number.get_mut(start..).ok_or(too_large)?.copy_from_slice(digits);
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_a_signature_are_padded_to_their_length() {
        let der = [0x30, 0x07, 0x02, 0x01, 0x05, 0x02, 0x02, 0x00, 0x80];
        let signature = EcdsaSignature::<32>::from_der(&der).unwrap();
        let number = |last| {
            let mut number = [0; 32];
            number[31] = last;
            number
        };
        assert_eq!(signature, EcdsaSignature { r: number(5), s: number(0x80) });
    }

    /// RFC 5758, section 3.2: ECDSA has no parameters. RFC 4055, section 5: RSA has NULL, and may have none.
    #[test]
    fn parameters_that_an_algorithm_does_not_have_make_it_another_one() {
        use SignatureAlgorithm::{EcdsaSha256, Other, RsaPkcs1Sha256};
        let ecdsa = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
        let rsa = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
        let (null, number): (&[u8], &[u8]) = (&[0x05, 0x00], &[0x02, 0x01, 0x05]);
        let cases = [
            (&ecdsa[..], &[][..], EcdsaSha256),
            (&ecdsa, null, Other),
            (&rsa, &[], RsaPkcs1Sha256),
            (&rsa, null, RsaPkcs1Sha256),
            (&rsa, number, Other),
            (&rsa, &[0x05, 0x00, 0x05, 0x00], Other),
        ];
        for (algorithm, parameters, expected) in cases {
            let der = [algorithm, parameters].concat();
            let found = SignatureAlgorithm::parse(Der::document("test", &der).unwrap());
            assert_eq!(found, Ok(expected), "{der:02x?}");
        }
    }

    #[test]
    fn only_one_encoding_of_a_signature_is_read() {
        let wrong: [(&[u8], Fault); 4] = [
            (&[0x30, 0x06, 0x02, 0x01, 0x05, 0x02, 0x01, 0x80], Fault::Malformed),
            (&[0x30, 0x07, 0x02, 0x02, 0x00, 0x05, 0x02, 0x01, 0x05], Fault::Malformed),
            (&[0x30, 0x06, 0x02, 0x01, 0x05, 0x02, 0x01, 0x05, 0x00], Fault::Trailing { count: 1 }),
            (&[0x30, 0x08, 0x02, 0x03, 0x01, 0x00, 0x00, 0x02, 0x01, 0x05], Fault::TooLarge { limit: 2 }),
        ];
        for (der, fault) in wrong {
            assert_eq!(EcdsaSignature::<2>::from_der(der).unwrap_err().fault, fault, "{der:02x?}");
        }
    }
}
