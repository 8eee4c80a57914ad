// SPDX-License-Identifier: Apache-2.0

//! Taking an endorsement apart: DER, hexadecimal digits of DER, or any number of PEM blocks, into certificates
//! and lists.

use alloc::borrow::Cow;
use alloc::vec;
use alloc::vec::Vec;

use super::der::{Der, context};
use super::{Certificate, RevocationList};
use crate::{Fault, ParseError};

const FORMAT: &str = "endorsement";
const SEQUENCE: u8 = 0x30;
/// The same in hexadecimal digits, as caches of Intel's service answer. Neither DER nor PEM starts so.
const SEQUENCE_DIGITS: &[u8] = b"30";
const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";

/// One document of an endorsement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Document<'a> {
    /// A certificate.
    Certificate(Certificate<'a>),
    /// A revocation list.
    RevocationList(RevocationList<'a>),
}

impl<'a> Document<'a> {
    /// Reads DER of either kind. They differ in the first field: a certificate of version 3 starts with `[0]`.
    pub fn parse(der: &'a [u8]) -> Result<Self, ParseError> {
        let mut fields = Der::document(FORMAT, der)?.sequence("document")?.sequence("signed part")?;
        match fields.optional(context(0), "version") {
            Ok(Some(_)) => Certificate::parse(der).map(Self::Certificate),
            _ => RevocationList::parse(der).map(Self::RevocationList),
        }
    }
}

/// The DER of the documents in an endorsement, at most `limit`. Text around PEM blocks is left out, as OpenSSL
/// writes it there.
pub fn documents(endorsement: &[u8], limit: usize) -> Result<Vec<Cow<'_, [u8]>>, ParseError> {
    let error = |offset, fault| ParseError { format: FORMAT, field: "PEM", offset, fault };
    if endorsement.first() == Some(&SEQUENCE) {
        return Ok(vec![Cow::Borrowed(endorsement)]);
    }
    if endorsement.starts_with(SEQUENCE_DIGITS) {
        let der = digits(endorsement.trim_ascii_end());
        return der.map(|der| vec![Cow::Owned(der)]).ok_or(error(0, Fault::Malformed));
    }
    let mut found = Vec::new();
    let mut rest = endorsement;
    while let Some((block, after)) = next_block(rest) {
        let offset = endorsement.len().saturating_sub(rest.len());
        if found.len() >= limit {
            return Err(error(offset, Fault::TooLarge { limit }));
        }
        let der = decode(block).ok_or(error(offset, Fault::Malformed))?;
        found.push(Cow::Owned(der));
        rest = after;
    }
    if found.is_empty() { Err(error(0, Fault::Missing)) } else { Ok(found) }
}

/// The bytes that hexadecimal digits stand for.
fn digits(text: &[u8]) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_chunks::<2>();
    let byte = |pair: &[u8; 2]| {
        let [high, low] = pair.map(|digit| char::from(digit).to_digit(16));
        u8::try_from(high?.checked_mul(16)?.checked_add(low?)?).ok()
    };
    if rest.is_empty() { pairs.iter().map(byte).collect() } else { None }
}

/// The DER in a PEM block. Lines may be of any one length: Intel's PCK certificates have 76 characters in a line.
fn decode(block: &[u8]) -> Option<Vec<u8>> {
    let mut der = Vec::new();
    pem_rfc7468::Decoder::new_detect_wrap(block).ok()?.decode_to_end(&mut der).ok()?;
    Some(der)
}

/// The next PEM block, and what follows it.
fn next_block(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let start = find(text, BEGIN)?;
    let block = text.get(start..)?;
    let boundary = find(block, END)?.checked_add(END.len())?;
    let label = find(block.get(boundary..)?, DASHES)?;
    block.split_at_checked(boundary.checked_add(label)?.checked_add(DASHES.len())?)
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}
