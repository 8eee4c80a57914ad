// SPDX-License-Identifier: Apache-2.0

//! The few pieces of DER (X.690) that are written here, and the one that is read.

use alloc::vec::Vec;

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const UTF8_STRING: u8 = 0x0c;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// Tag, length and contents.
pub(super) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = Vec::with_capacity(length + 8);
    out.push(tag);
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let bytes = length.to_be_bytes();
            let leading = bytes.iter().take_while(|byte| **byte == 0).count();
            let significant = bytes.get(leading..).unwrap_or_default();
            out.push(0x80 | u8::try_from(significant.len()).unwrap_or_default());
            out.extend_from_slice(significant);
        }
    }
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

pub(super) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    element(SEQUENCE, parts)
}

/// A bit string of whole bytes.
pub(super) fn bits(bytes: &[u8]) -> Vec<u8> {
    element(BIT_STRING, &[&[0], bytes])
}

/// Modulus and exponent of an `RSAPublicKey` (RFC 8017 appendix A.1.1), without leading zeros.
pub(super) fn rsa_public_key(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (inner, after) = take(bytes, SEQUENCE)?;
    let (modulus, rest) = take(inner, INTEGER)?;
    let (exponent, end) = take(rest, INTEGER)?;
    (after.is_empty() && end.is_empty()).then_some((positive(modulus)?, positive(exponent)?))
}

fn positive(integer: &[u8]) -> Option<&[u8]> {
    match integer {
        [0, rest @ ..] => rest.first().filter(|first| **first >= 0x80).map(|_| rest),
        [first, ..] if *first < 0x80 => Some(integer),
        _ => None,
    }
}

/// The contents of the first element, which must have this tag, and what comes after it. At most 64 KiB.
pub(super) fn take(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (length, rest) = match bytes {
        [found, length, rest @ ..] if *found == tag && *length < 0x80 => (usize::from(*length), rest),
        [found, 0x81, length, rest @ ..] if *found == tag && *length >= 0x80 => (usize::from(*length), rest),
        [found, 0x82, high, low, rest @ ..] if *found == tag && *high > 0 => {
            (usize::from(u16::from_be_bytes([*high, *low])), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}
