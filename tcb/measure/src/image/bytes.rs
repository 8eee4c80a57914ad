// SPDX-License-Identifier: Apache-2.0

//! Little-endian numbers at offsets that the file itself chose.

use core::ops::Range;

/// Bytes that are read with care.
#[derive(Clone, Copy)]
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn slice(self, range: Range<usize>) -> Option<Self> {
        self.0.get(range).map(Bytes)
    }

    pub(super) fn u16(self, offset: usize) -> Option<u16> {
        Some(u16::from_le_bytes(self.array(offset)?))
    }

    pub(super) fn u32(self, offset: usize) -> Option<u32> {
        Some(u32::from_le_bytes(self.array(offset)?))
    }

    pub(super) fn u64(self, offset: usize) -> Option<u64> {
        Some(u64::from_le_bytes(self.array(offset)?))
    }

    fn array<const N: usize>(self, offset: usize) -> Option<[u8; N]> {
        let rest: &'a [u8] = self.0.get(offset..)?;
        rest.first_chunk().copied()
    }
}
