// SPDX-License-Identifier: Apache-2.0

//! The program's memory, as the place that its pointers point into.
//!
//! A pointer comes from the program and may be anything. What WASI says about bad ones
//! (WebAssembly/WASI, legacy/tools/witx-docs.md, "Pointers"): a misaligned pointer, and one out of bounds that has to
//! be followed, ends in a trap.

use alloc::vec::Vec;
use core::ops::Range;

use super::abi::{Errno, IOVEC_LEN};
use crate::vfs::VfsError;

/// The most scatter/gather elements in one call (Linux's `IOV_MAX`).
const MAX_IOVECS: u32 = 1024;

/// Why a call did not do what it was called for.
pub(super) enum Failure {
    /// The program is told, and goes on.
    Errno(Errno),
    /// The program ends.
    Trap(wasmtime::Error),
}

pub(super) type Result<T = ()> = core::result::Result<T, Failure>;

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

impl From<VfsError> for Failure {
    fn from(error: VfsError) -> Self {
        Self::Errno(Errno::from(error))
    }
}

/// A pointer that WASI answers with a trap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum BadPointer {
    #[error("a pointer to {len} bytes at {at:#x} is outside of the memory")]
    OutOfBounds { at: u64, len: u64 },
    #[error("the pointer {at:#x} is not aligned to {align} bytes")]
    Misaligned { at: u32, align: u32 },
}

impl From<BadPointer> for Failure {
    fn from(error: BadPointer) -> Self {
        Self::Trap(wasmtime::Error::new(error))
    }
}

/// The linear memory that the program exports.
pub(super) struct Guest<'a> {
    bytes: &'a mut [u8],
}

/// A place in memory that was checked to be in it.
#[derive(Clone, Debug)]
pub(super) struct Place(Range<usize>);

impl Place {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// What is left of it after its first `count` bytes.
    pub(super) fn after(&self, count: usize) -> Self {
        Self(self.0.start.saturating_add(count).min(self.0.end)..self.0.end)
    }
}

impl<'a> Guest<'a> {
    pub(super) fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes }
    }

    /// Checks that `len` bytes at `at` are in memory.
    pub(super) fn place(&self, at: u32, len: u32) -> Result<Place> {
        self.checked(u64::from(at), u64::from(len))
    }

    /// Checks an array of `count` elements of `size` bytes.
    pub(super) fn array(&self, at: u32, count: u32, size: u32, align: u32) -> Result<Place> {
        aligned(at, align)?;
        self.checked(u64::from(at), u64::from(count) * u64::from(size))
    }

    fn checked(&self, at: u64, len: u64) -> Result<Place> {
        let outside = BadPointer::OutOfBounds { at, len };
        let start = usize::try_from(at).map_err(|_| outside)?;
        let end = at.checked_add(len).and_then(|end| usize::try_from(end).ok()).ok_or(outside)?;
        if end > self.bytes.len() {
            return Err(outside.into());
        }
        Ok(Place(start..end))
    }

    pub(super) fn bytes(&self, place: &Place) -> &[u8] {
        self.bytes.get(place.0.clone()).unwrap_or_default()
    }

    pub(super) fn bytes_mut(&mut self, place: &Place) -> &mut [u8] {
        self.bytes.get_mut(place.0.clone()).unwrap_or_default()
    }

    /// The text at `at`, which WASI wants to be UTF-8.
    pub(super) fn text(&self, at: u32, len: u32) -> Result<&str> {
        let place = self.place(at, len)?;
        core::str::from_utf8(self.bytes(&place)).map_err(|_| Errno::Ilseq.into())
    }

    /// The buffers of a scatter or gather operation, all of them checked. How many bytes they hold together fits
    /// the 32 bits in which the call reports it.
    pub(super) fn iovecs(&self, at: u32, count: u32) -> Result<Vec<Place>> {
        if count > MAX_IOVECS {
            return Err(Errno::Inval.into());
        }
        let array = self.array(at, count, IOVEC_LEN, 4)?;
        let mut places = Vec::with_capacity(count as usize);
        let mut total = 0_u32;
        for element in self.bytes(&array).chunks_exact(IOVEC_LEN as usize) {
            let len = u32_at(element, 4);
            total = total.checked_add(len).ok_or(Errno::Inval)?;
            places.push(self.place(u32_at(element, 0), len)?);
        }
        Ok(places)
    }

    pub(super) fn write_u32(&mut self, at: u32, value: u32) -> Result {
        self.write(at, 4, &value.to_le_bytes())
    }

    pub(super) fn write_u64(&mut self, at: u32, value: u64) -> Result {
        self.write(at, 8, &value.to_le_bytes())
    }

    /// Writes a whole structure.
    pub(super) fn write(&mut self, at: u32, align: u32, bytes: &[u8]) -> Result {
        aligned(at, align)?;
        let place = self.checked(u64::from(at), bytes.len() as u64)?;
        self.bytes_mut(&place).copy_from_slice(bytes);
        Ok(())
    }

    /// Checks where a result will go before the work is done, so that a bad pointer has no effect.
    pub(super) fn result(&self, at: u32, len: u32) -> Result {
        self.array(at, 1, len, len).map(drop)
    }
}

/// The number at `offset` of a structure; structures are read whole, so it is there.
pub(super) fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    bytes.get(offset..).and_then(|rest| rest.first_chunk()).copied().map_or(0, u32::from_le_bytes)
}

/// As [`u32_at`].
pub(super) fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    bytes.get(offset..).and_then(|rest| rest.first_chunk()).copied().map_or(0, u64::from_le_bytes)
}

/// As [`u32_at`].
pub(super) fn u16_at(bytes: &[u8], offset: usize) -> u16 {
    bytes.get(offset..).and_then(|rest| rest.first_chunk()).copied().map_or(0, u16::from_le_bytes)
}

fn aligned(at: u32, align: u32) -> Result {
    if at.is_multiple_of(align) { Ok(()) } else { Err(BadPointer::Misaligned { at, align }.into()) }
}
