// SPDX-License-Identifier: Apache-2.0

//! Reading CBOR (RFC 8949) that has one encoding for each meaning: shortest numbers, definite lengths, no label
//! of a map twice. Lengths and counts that the input states are never allocated, only walked over.

use alloc::vec::Vec;
use core::convert::Infallible;

use crate::{Fault, ParseError};

/// Limit of nesting in what is skipped over. Genuine evidence nests three deep.
const MAX_DEPTH: u8 = 8;

const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;
const SIMPLE: u8 = 7;

const NULL: u8 = 0xf6;
/// The first byte of a number in 2, 4 or 8 bytes of floating point.
const FLOATS: [u8; 3] = [0xf9, 0xfa, 0xfb];

/// What encoding into a vector returns, which takes every byte.
pub(crate) type Written = Result<(), minicbor::encode::Error<Infallible>>;

/// The label of an entry of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Label<'a> {
    Int(i64),
    Text(&'a str),
}

/// The entries of a map that are yet to come, and the labels of those that were there.
pub(crate) struct Entries<'a> {
    left: usize,
    seen: Vec<Label<'a>>,
}

/// A position in CBOR; every read names its field for the error.
#[derive(Clone)]
pub(crate) struct Reader<'a> {
    format: &'static str,
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(format: &'static str, bytes: &'a [u8]) -> Self {
        Self { format, bytes, offset: 0 }
    }

    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    /// An error about what was read at `offset`.
    pub(crate) fn error(&self, field: &'static str, offset: usize, fault: Fault) -> ParseError {
        ParseError { format: self.format, field, offset, fault }
    }

    /// Something that has to be in the document is not.
    pub(crate) fn missing(&self, field: &'static str) -> ParseError {
        self.error(field, self.offset, Fault::Missing)
    }

    pub(crate) fn unsigned(&mut self, field: &'static str) -> Result<u64, ParseError> {
        self.of(UNSIGNED, field)
    }

    pub(crate) fn int(&mut self, field: &'static str) -> Result<i64, ParseError> {
        let at = self.offset;
        let (major, value) = self.head(field)?;
        match (major, i64::try_from(value)) {
            (UNSIGNED, Ok(value)) => Ok(value),
            // The number is -1 - value.
            (NEGATIVE, Ok(value)) => Ok(!value),
            _ => Err(self.error(field, at, Fault::Malformed)),
        }
    }

    pub(crate) fn bytes(&mut self, field: &'static str, limit: usize) -> Result<&'a [u8], ParseError> {
        self.string(BYTES, field, limit)
    }

    pub(crate) fn text(&mut self, field: &'static str, limit: usize) -> Result<&'a str, ParseError> {
        let at = self.offset;
        let bytes = self.string(TEXT, field, limit)?;
        core::str::from_utf8(bytes).map_err(|_| self.error(field, at, Fault::Malformed))
    }

    /// The number of items of an array.
    pub(crate) fn array(&mut self, field: &'static str, limit: usize) -> Result<usize, ParseError> {
        let at = self.offset;
        let count = self.of(ARRAY, field)?;
        self.within(count, field, at, limit)
    }

    pub(crate) fn tag(&mut self, field: &'static str) -> Result<u64, ParseError> {
        self.of(TAG, field)
    }

    /// Takes a tag, if one is next.
    pub(crate) fn optional_tag(&mut self, field: &'static str) -> Result<Option<u64>, ParseError> {
        if self.major() == Some(TAG) { self.tag(field).map(Some) } else { Ok(None) }
    }

    /// Takes a null, if one is next.
    pub(crate) fn null(&mut self) -> bool {
        let null = self.bytes.get(self.offset) == Some(&NULL);
        if null {
            self.offset = self.offset.saturating_add(1);
        }
        null
    }

    pub(crate) fn is_text(&self) -> bool {
        self.major() == Some(TEXT)
    }

    pub(crate) fn is_array(&self) -> bool {
        self.major() == Some(ARRAY)
    }

    pub(crate) fn is_map(&self) -> bool {
        self.major() == Some(MAP)
    }

    /// The entries of a map.
    pub(crate) fn map(&mut self, field: &'static str, limit: usize) -> Result<Entries<'a>, ParseError> {
        let at = self.offset;
        let count = self.of(MAP, field)?;
        Ok(Entries { left: self.within(count, field, at, limit)?, seen: Vec::new() })
    }

    /// The label of the next entry of a map; its value has to be read before the next one.
    pub(crate) fn label(
        &mut self,
        entries: &mut Entries<'a>,
        field: &'static str,
    ) -> Result<Option<Label<'a>>, ParseError> {
        let Some(left) = entries.left.checked_sub(1) else { return Ok(None) };
        entries.left = left;
        let at = self.offset;
        let label = match self.major() {
            Some(TEXT) => Label::Text(self.text(field, self.bytes.len())?),
            _ => Label::Int(self.int(field)?),
        };
        if entries.seen.contains(&label) {
            return Err(self.error(field, at, Fault::Duplicate));
        }
        entries.seen.push(label);
        Ok(Some(label))
    }

    /// One item of any kind, as it is encoded.
    pub(crate) fn raw(&mut self, field: &'static str) -> Result<&'a [u8], ParseError> {
        let start = self.offset;
        self.skip(field, MAX_DEPTH)?;
        Ok(self.bytes.get(start..self.offset).unwrap_or_default())
    }

    /// The end of the format: nothing may follow.
    pub(crate) fn finish(&self) -> Result<(), ParseError> {
        match self.bytes.len().saturating_sub(self.offset) {
            0 => Ok(()),
            count => Err(self.error("end", self.offset, Fault::Trailing { count })),
        }
    }

    /// The end of a format in which also the order of entries is fixed: what was read must encode to what stands
    /// there (RFC 8949, section 4.2.1).
    pub(crate) fn finish_as(&self, bytes: &[u8], encoded: &[u8]) -> Result<(), ParseError> {
        self.finish()?;
        if encoded == bytes { Ok(()) } else { Err(self.error("encoding", 0, Fault::Malformed)) }
    }

    fn major(&self) -> Option<u8> {
        self.bytes.get(self.offset).map(|first| first >> 5)
    }

    fn of(&mut self, wanted: u8, field: &'static str) -> Result<u64, ParseError> {
        let at = self.offset;
        match self.head(field)? {
            (major, value) if major == wanted => Ok(value),
            _ => Err(self.error(field, at, Fault::Malformed)),
        }
    }

    /// Major type and argument, in the shortest encoding (RFC 8949, section 4.1).
    fn head(&mut self, field: &'static str) -> Result<(u8, u64), ParseError> {
        let at = self.offset;
        let malformed = self.error(field, at, Fault::Malformed);
        let [first] = self.take(field)?;
        let (value, least) = match first & 0x1f {
            short @ 0..=23 => (u64::from(short), 0),
            24 => (u64::from(u8::from_be_bytes(self.take(field)?)), 24),
            25 => (u64::from(u16::from_be_bytes(self.take(field)?)), 1 << 8),
            26 => (u64::from(u32::from_be_bytes(self.take(field)?)), 1 << 16),
            27 => (u64::from_be_bytes(self.take(field)?), 1 << 32),
            // Reserved, or an indefinite length.
            _ => return Err(malformed),
        };
        if value < least { Err(malformed) } else { Ok((first >> 5, value)) }
    }

    fn string(&mut self, major: u8, field: &'static str, limit: usize) -> Result<&'a [u8], ParseError> {
        let at = self.offset;
        let len = self.of(major, field)?;
        let len = self.within(len, field, at, limit)?;
        let start = self.offset;
        let taken = start.checked_add(len).and_then(|end| self.bytes.get(start..end));
        let taken = taken.ok_or_else(|| self.error(field, at, Fault::Truncated))?;
        self.offset = start.saturating_add(len);
        Ok(taken)
    }

    fn within(&self, n: u64, field: &'static str, at: usize, limit: usize) -> Result<usize, ParseError> {
        let n = usize::try_from(n).ok().filter(|n| *n <= limit);
        n.ok_or_else(|| self.error(field, at, Fault::TooLarge { limit }))
    }

    fn take<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], ParseError> {
        let rest = self.bytes.get(self.offset..).unwrap_or_default();
        let taken =
            rest.first_chunk::<N>().ok_or_else(|| self.error(field, self.offset, Fault::Truncated))?;
        self.offset = self.offset.saturating_add(N);
        Ok(*taken)
    }

    fn skip(&mut self, field: &'static str, depth: u8) -> Result<(), ParseError> {
        let at = self.offset;
        let depth = depth
            .checked_sub(1)
            .ok_or_else(|| self.error(field, at, Fault::TooLarge { limit: usize::from(MAX_DEPTH) }))?;
        match self.major() {
            Some(BYTES) => self.bytes(field, self.bytes.len()).map(|_| ()),
            Some(TEXT) => self.text(field, self.bytes.len()).map(|_| ()),
            // Each item takes a byte, so a count that is too large ends with the input.
            Some(ARRAY) => (0..self.of(ARRAY, field)?).try_for_each(|_| self.skip(field, depth)),
            Some(MAP) => (0..self.of(MAP, field)?).try_for_each(|_| {
                self.skip(field, depth)?;
                self.skip(field, depth)
            }),
            Some(TAG) => {
                self.tag(field)?;
                self.skip(field, depth)
            }
            Some(SIMPLE) => self.simple(field),
            _ => self.head(field).map(|_| ()),
        }
    }

    fn simple(&mut self, field: &'static str) -> Result<(), ParseError> {
        let first = self.bytes.get(self.offset).copied().unwrap_or_default();
        if !FLOATS.contains(&first) {
            return self.head(field).map(|_| ());
        }
        self.offset = self.offset.saturating_add(1);
        match first & 0x1f {
            25 => self.take::<2>(field).map(|_| ()),
            26 => self.take::<4>(field).map(|_| ()),
            _ => self.take::<8>(field).map(|_| ()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(bytes: &[u8]) -> Fault {
        Reader::new("test", bytes).raw("item").unwrap_err().fault
    }

    #[test]
    fn a_number_has_one_encoding() {
        for bytes in
            [&[0x17][..], &[0x18, 24], &[0x19, 1, 0], &[0x1a, 0, 1, 0, 0], &[0x1b, 0, 0, 0, 1, 0, 0, 0, 0]]
        {
            assert_eq!(Reader::new("test", bytes).raw("item"), Ok(bytes));
        }
        for bytes in [
            &[0x18, 23][..],
            &[0x19, 0, 255],
            &[0x1a, 0, 0, 255, 255],
            &[0x1b, 0, 0, 0, 0, 255, 255, 255, 255],
        ] {
            assert_eq!(fault(bytes), Fault::Malformed, "{bytes:02x?}");
        }
    }

    #[test]
    fn negative_numbers_count_down_from_minus_one() {
        assert_eq!(Reader::new("test", &[0x20]).int("item"), Ok(-1));
        assert_eq!(Reader::new("test", &[0x38, 0x22]).int("item"), Ok(-35));
        let least = [0x3b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(Reader::new("test", &least).int("item"), Ok(i64::MIN));
        let below = [0x3b, 0x80, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(Reader::new("test", &below).int("item").unwrap_err().fault, Fault::Malformed);
    }

    #[test]
    fn indefinite_lengths_and_reserved_heads_are_refused() {
        for bytes in
            [&[0x9f, 0xff][..], &[0xbf, 0xff], &[0x5f, 0xff], &[0x7f, 0xff], &[0xff], &[0x1c], &[0xfc]]
        {
            assert_eq!(fault(bytes), Fault::Malformed, "{bytes:02x?}");
        }
    }

    #[test]
    fn nesting_is_limited_and_counts_are_not_believed() {
        assert_eq!(fault(&[0x81; 100]), Fault::TooLarge { limit: 8 });
        assert_eq!(fault(&[0xc1; 100]), Fault::TooLarge { limit: 8 });
        assert_eq!(fault(&[0x9b, 255, 255, 255, 255, 255, 255, 255, 255]), Fault::Truncated);
        assert_eq!(fault(&[0x5b, 255, 255, 255, 255, 255, 255, 255, 255]), Fault::TooLarge { limit: 9 });
        assert_eq!(fault(&[0x42, 0]), Fault::Truncated);
    }

    #[test]
    fn a_label_appears_once() {
        let mut reader = Reader::new("test", &[0xa2, 1, 0, 1, 0]);
        let mut entries = reader.map("map", 2).unwrap();
        assert_eq!(reader.label(&mut entries, "label"), Ok(Some(Label::Int(1))));
        reader.raw("value").unwrap();
        assert_eq!(reader.label(&mut entries, "label").unwrap_err().fault, Fault::Duplicate);
    }
}
