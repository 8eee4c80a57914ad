// SPDX-License-Identifier: Apache-2.0

//! Reading fixed layouts without a way to run past the end. Numbers are little-endian unless their reader says
//! otherwise.

use crate::{Fault, ParseError};

/// A position in bytes of a fixed layout; every read names its field for the error.
pub(crate) struct Cursor<'a> {
    format: &'static str,
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(format: &'static str, bytes: &'a [u8]) -> Self {
        Self { format, bytes, offset: 0 }
    }

    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    /// An error about what was just read, or is about to be.
    pub(crate) fn error(&self, field: &'static str, offset: usize, fault: Fault) -> ParseError {
        ParseError { format: self.format, field, offset, fault }
    }

    pub(crate) fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], ParseError> {
        let truncated = self.error(field, self.offset, Fault::Truncated);
        let rest = self.bytes.get(self.offset..).ok_or_else(|| truncated.clone())?;
        let taken = rest.first_chunk::<N>().ok_or(truncated)?;
        self.offset = self.offset.saturating_add(N);
        Ok(*taken)
    }

    /// As many bytes as a length before them said.
    pub(crate) fn take(&mut self, field: &'static str, len: usize) -> Result<&'a [u8], ParseError> {
        let end = self.offset.checked_add(len);
        let taken = end.and_then(|end| self.bytes.get(self.offset..end));
        let taken = taken.ok_or_else(|| self.error(field, self.offset, Fault::Truncated))?;
        self.offset = self.offset.saturating_add(len);
        Ok(taken)
    }

    pub(crate) fn u8(&mut self, field: &'static str) -> Result<u8, ParseError> {
        self.array::<1>(field).map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self, field: &'static str) -> Result<u16, ParseError> {
        self.array(field).map(u16::from_le_bytes)
    }

    pub(crate) fn u16_be(&mut self, field: &'static str) -> Result<u16, ParseError> {
        self.array(field).map(u16::from_be_bytes)
    }

    pub(crate) fn u32_be(&mut self, field: &'static str) -> Result<u32, ParseError> {
        self.array(field).map(u32::from_be_bytes)
    }

    pub(crate) fn u64_be(&mut self, field: &'static str) -> Result<u64, ParseError> {
        self.array(field).map(u64::from_be_bytes)
    }

    pub(crate) fn u32(&mut self, field: &'static str) -> Result<u32, ParseError> {
        self.array(field).map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self, field: &'static str) -> Result<u64, ParseError> {
        self.array(field).map(u64::from_le_bytes)
    }

    /// `N` bytes that must be zero.
    pub(crate) fn zeros<const N: usize>(&mut self, field: &'static str) -> Result<(), ParseError> {
        let start = self.offset;
        match self.array::<N>(field)?.iter().position(|byte| *byte != 0) {
            None => Ok(()),
            Some(at) => Err(self.error(field, start.saturating_add(at), Fault::Reserved)),
        }
    }

    /// As many bytes as the 32-bit length before them says.
    pub(crate) fn sized(&mut self, field: &'static str) -> Result<&'a [u8], ParseError> {
        let len = self.u32(field)?;
        // What does not fit into the address space is not there either.
        self.take(field, usize::try_from(len).unwrap_or(usize::MAX))
    }

    /// Everything that is left.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.bytes.get(self.offset..).unwrap_or_default()
    }

    /// The end of the format: nothing may follow.
    pub(crate) fn finish(self) -> Result<(), ParseError> {
        match self.bytes.len().saturating_sub(self.offset) {
            0 => Ok(()),
            count => Err(self.error("end", self.offset, Fault::Trailing { count })),
        }
    }
}
