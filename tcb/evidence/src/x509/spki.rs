// SPDX-License-Identifier: Apache-2.0

//! Keys on their own: a `SubjectPublicKeyInfo` (RFC 5280, section 4.1.2.7) without a certificate around it, as keys
//! are pinned.

use alloc::vec;
use alloc::vec::Vec;

use super::PublicKey;
use super::der::Der;
use crate::ParseError;

const TAG_INTEGER: u8 = 0x02;
const TAG_BIT_STRING: u8 = 0x03;
const TAG_SEQUENCE: u8 = 0x30;

/// `AlgorithmIdentifier` of `rsaEncryption` with NULL (RFC 3279, section 2.3.1).
const RSA: &[u8] =
    &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
/// `AlgorithmIdentifier` of `id-ecPublicKey` with `secp256r1` (RFC 5480, section 2.1.1).
const P256: &[u8] = &[
    0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07,
];
/// The same with `secp384r1`.
const P384: &[u8] = &[
    0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00,
    0x22,
];

impl<'a> PublicKey<'a> {
    /// Reads a DER `SubjectPublicKeyInfo` and nothing after it.
    pub fn from_spki(der: &'a [u8]) -> Result<Self, ParseError> {
        let mut document = Der::document("public key", der)?;
        let key = Self::parse(document.sequence("subjectPublicKeyInfo")?)?;
        document.finish("subjectPublicKeyInfo")?;
        Ok(key)
    }

    /// The key as a DER `SubjectPublicKeyInfo`, as certificates hold it. `None` if it is of no known kind.
    pub fn to_spki(&self) -> Option<Vec<u8>> {
        let (algorithm, key) = match self {
            Self::Rsa { modulus, exponent } => {
                let numbers = [integer(modulus), integer(exponent)].concat();
                (RSA, value(TAG_SEQUENCE, &numbers)?)
            }
            Self::P256(point) => (P256, point.to_vec()),
            Self::P384(point) => (P384, point.to_vec()),
            Self::Other => return None,
        };
        let bits = value(TAG_BIT_STRING, &[&[0], key.as_slice()].concat())?;
        value(TAG_SEQUENCE, &[algorithm, &bits].concat())
    }
}

/// An INTEGER that is not negative; empty digits are 0.
fn integer(digits: &[u8]) -> Vec<u8> {
    let zero = if digits.first().is_none_or(|first| *first >= 0x80) { vec![0] } else { vec![] };
    value(TAG_INTEGER, &[zero.as_slice(), digits].concat()).unwrap_or_default()
}

/// Tag, length and contents, of at most 64 KiB.
fn value(tag: u8, contents: &[u8]) -> Option<Vec<u8>> {
    let [high, low] = u16::try_from(contents.len()).ok()?.to_be_bytes();
    let header = match (high, low) {
        (0, 0..=0x7f) => vec![tag, low],
        (0, _) => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    Some([header.as_slice(), contents].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_was_written() {
        let (long, short) = ([0x81; 512], [0x7f; 16]);
        let exponent: &[u8] = &[1, 0, 1];
        let (p256, p384) = ([4; 65], [4; 97]);
        let keys = [
            PublicKey::Rsa { modulus: &long, exponent },
            PublicKey::Rsa { modulus: &short, exponent: &[3] },
            PublicKey::P256(&p256),
            PublicKey::P384(&p384),
        ];
        for key in keys {
            let mut spki = key.to_spki().unwrap();
            assert_eq!(PublicKey::from_spki(&spki), Ok(key));
            spki.push(0);
            assert!(PublicKey::from_spki(&spki).is_err());
        }
        assert_eq!(PublicKey::Other.to_spki(), None);
    }
}
