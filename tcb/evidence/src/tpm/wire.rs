// SPDX-License-Identifier: Apache-2.0

//! What structures of a TPM have in common: sized buffers and numbers of algorithms.

use alloc::vec::Vec;

use super::HashAlgorithm;
use crate::cursor::Cursor;
use crate::{Fault, ParseError};

/// `TPM_ALG_NULL`.
pub(super) const ALG_NULL: u16 = 0x0010;

/// A `TPM2B`: the length as 16 bits, then that many bytes, at most `limit`.
pub(super) fn sized<'a>(
    cursor: &mut Cursor<'a>,
    field: &'static str,
    limit: usize,
) -> Result<&'a [u8], ParseError> {
    let at = cursor.offset();
    let len = usize::from(cursor.u16_be(field)?);
    if len > limit {
        return Err(cursor.error(field, at, Fault::TooLarge { limit }));
    }
    cursor.take(field, len)
}

/// The number of a hash function.
pub(super) fn hash(cursor: &mut Cursor<'_>, field: &'static str) -> Result<HashAlgorithm, ParseError> {
    let at = cursor.offset();
    let number = cursor.u16_be(field)?;
    HashAlgorithm::from_number(number).ok_or_else(|| unsupported(cursor, field, at, number))
}

/// `TPM_ALG_NULL`, the only thing that may stand here.
pub(super) fn null(cursor: &mut Cursor<'_>, field: &'static str) -> Result<(), ParseError> {
    let at = cursor.offset();
    match cursor.u16_be(field)? {
        ALG_NULL => Ok(()),
        other => Err(unsupported(cursor, field, at, other)),
    }
}

pub(super) fn unsupported(cursor: &Cursor<'_>, field: &'static str, at: usize, found: u16) -> ParseError {
    cursor.error(field, at, Fault::Unsupported { found: u64::from(found) })
}

/// The inverse of [`sized`]. What is longer than any `TPM2B` does not parse again.
pub(super) fn put_sized(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(bytes);
}
