// SPDX-License-Identifier: Apache-2.0

//! Reading DER one value at a time, with the name of what is read for the error.

use ::der::asn1::{AnyRef, GeneralizedTime, UtcTime};
use ::der::{Reader as _, SliceReader, Tag, TagNumber, Tagged as _};
use const_oid::ObjectIdentifier;

use crate::{Fault, ParseError};

/// A position in the contents of a DER value.
#[derive(Clone)]
pub(crate) struct Der<'a> {
    format: &'static str,
    reader: SliceReader<'a>,
    /// Where the contents start in the whole document.
    base: usize,
}

impl<'a> Der<'a> {
    /// The start of a document.
    pub(crate) fn document(format: &'static str, bytes: &'a [u8]) -> Result<Self, ParseError> {
        Self::at(format, bytes, 0)
    }

    fn at(format: &'static str, bytes: &'a [u8], base: usize) -> Result<Self, ParseError> {
        let malformed = ParseError { format, field: "DER", offset: base, fault: Fault::Malformed };
        SliceReader::new(bytes).map(|reader| Self { format, reader, base }).map_err(|_| malformed)
    }

    pub(crate) fn error(&self, field: &'static str, fault: Fault) -> ParseError {
        let offset = usize::try_from(self.reader.position()).unwrap_or(0).saturating_add(self.base);
        ParseError { format: self.format, field, offset, fault }
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.reader.is_finished()
    }

    /// The next value, whatever it is.
    pub(crate) fn any(&mut self, field: &'static str) -> Result<AnyRef<'a>, ParseError> {
        if self.is_finished() {
            return Err(self.error(field, Fault::Missing));
        }
        let malformed = self.error(field, Fault::Malformed);
        self.reader.decode::<AnyRef<'a>>().map_err(|_| malformed)
    }

    /// The next value with its tag and length, to be read or compared later.
    pub(crate) fn raw(&mut self, field: &'static str) -> Result<&'a [u8], ParseError> {
        let malformed = self.error(field, Fault::Malformed);
        self.reader.tlv_bytes().map_err(|_| malformed)
    }

    /// The contents of the next value, which must have a tag.
    pub(crate) fn value(&mut self, tag: Tag, field: &'static str) -> Result<&'a [u8], ParseError> {
        let malformed = self.error(field, Fault::Malformed);
        let any = self.any(field)?;
        if any.tag() == tag { Ok(any.value()) } else { Err(malformed) }
    }

    /// The contents of the next value if it has a tag; otherwise nothing is read.
    pub(crate) fn optional(&mut self, tag: Tag, field: &'static str) -> Result<Option<&'a [u8]>, ParseError> {
        match Tag::peek(&self.reader) {
            Ok(found) if found == tag => self.value(tag, field).map(Some),
            _ => Ok(None),
        }
    }

    /// The contents of the next value as a position of their own.
    pub(crate) fn inside(&mut self, tag: Tag, field: &'static str) -> Result<Self, ParseError> {
        let contents = self.value(tag, field)?;
        let end = usize::try_from(self.reader.position()).unwrap_or(0);
        let start = end.saturating_sub(contents.len()).saturating_add(self.base);
        Self::at(self.format, contents, start)
    }

    pub(crate) fn sequence(&mut self, field: &'static str) -> Result<Self, ParseError> {
        self.inside(Tag::Sequence, field)
    }

    /// A BIT STRING of whole bytes.
    pub(crate) fn bytes_of_bits(&mut self, field: &'static str) -> Result<&'a [u8], ParseError> {
        let malformed = self.error(field, Fault::Malformed);
        match self.value(Tag::BitString, field)?.split_first() {
            Some((0, bytes)) => Ok(bytes),
            _ => Err(malformed),
        }
    }

    /// The big-endian bytes of an INTEGER that is not negative, without a leading zero.
    pub(crate) fn unsigned(&mut self, field: &'static str) -> Result<&'a [u8], ParseError> {
        let malformed = self.error(field, Fault::Malformed);
        match self.value(Tag::Integer, field)? {
            [0] => Ok(&[]),
            [0, rest @ ..] if matches!(rest, [0x80..=0xff, ..]) => Ok(rest),
            number if matches!(number, [0x01..=0x7f, ..]) => Ok(number),
            _ => Err(malformed),
        }
    }

    /// A `UTCTime` or `GeneralizedTime` in seconds since 1970.
    pub(crate) fn time(&mut self, field: &'static str) -> Result<u64, ParseError> {
        let malformed = self.error(field, Fault::Malformed);
        let any = self.any(field)?;
        let since = match any.tag() {
            Tag::UtcTime => any.decode_as::<UtcTime>().map(|time| time.to_unix_duration()),
            Tag::GeneralizedTime => any.decode_as::<GeneralizedTime>().map(|time| time.to_unix_duration()),
            _ => return Err(malformed),
        };
        since.map(|since| since.as_secs()).map_err(|_| malformed)
    }

    pub(crate) fn finish(self, field: &'static str) -> Result<(), ParseError> {
        if self.is_finished() {
            return Ok(());
        }
        let count = usize::try_from(self.reader.remaining_len()).unwrap_or(usize::MAX);
        Err(self.error(field, Fault::Trailing { count }))
    }
}

/// The next value, an OBJECT IDENTIFIER.
pub(crate) fn oid(der: &mut Der<'_>, field: &'static str) -> Result<ObjectIdentifier, ParseError> {
    let malformed = der.error(field, Fault::Malformed);
    let bytes = der.value(Tag::ObjectIdentifier, field)?;
    ObjectIdentifier::from_bytes(bytes).map_err(|_| malformed)
}

/// `[number]`, constructed.
pub(crate) const fn context(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: true, number: TagNumber(number) }
}
