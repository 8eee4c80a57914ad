// SPDX-License-Identifier: Apache-2.0

//! The bytes of one file, in chunks, so that a small write to a large file costs a chunk and not the file.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use bytes::Bytes;

use super::VfsError;

/// The most that one small write copies.
const CHUNK: usize = 64 * 1024;
const CHUNK_U64: u64 = CHUNK as u64;

/// Bytes of a file. A chunk that is missing, and the end of one that is short, read as zeros.
#[derive(Default)]
pub(super) struct Content {
    len: u64,
    chunks: BTreeMap<u64, Chunk>,
}

/// Provisioned bytes are shared with the payload they came in until they are written to.
enum Chunk {
    Seed(Bytes),
    Own(Vec<u8>),
}

impl Content {
    pub(super) fn of(mut bytes: Bytes) -> Self {
        let mut content = Self { len: bytes.len() as u64, chunks: BTreeMap::new() };
        for index in 0.. {
            if bytes.is_empty() {
                break;
            }
            let chunk = bytes.split_to(bytes.len().min(CHUNK));
            content.chunks.insert(index, Chunk::Seed(chunk));
        }
        content
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Fills as much of `out` as the file has from `offset` on.
    pub(super) fn read_at(&self, offset: u64, out: &mut [u8]) -> usize {
        let left = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let total = out.len().min(left);
        let mut rest = out.get_mut(..total).unwrap_or_default();
        let mut at = offset;
        while !rest.is_empty() {
            let (index, start) = position(at);
            let here = rest.len().min(CHUNK - start);
            let (part, after) = rest.split_at_mut(here);
            let have =
                self.chunks.get(&index).and_then(|chunk| chunk.bytes().get(start..)).unwrap_or_default();
            let copied = have.len().min(here);
            let (filled, zeros) = part.split_at_mut(copied);
            filled.copy_from_slice(have.get(..copied).unwrap_or_default());
            zeros.fill(0);
            at += here as u64;
            rest = after;
        }
        total
    }

    /// Writes all of `data` at `offset`; what lies between the old end and `offset` reads as zeros. When memory
    /// runs out, what was written so far stays and the count of it is returned, as long as it is not 0.
    pub(super) fn write_at(&mut self, offset: u64, data: &[u8]) -> Result<usize, VfsError> {
        let mut written = 0;
        while let Some(rest) = data.get(written..).filter(|rest| !rest.is_empty()) {
            let at = offset + written as u64;
            let (index, start) = position(at);
            let here = rest.len().min(CHUNK - start);
            let part = rest.get(..here).unwrap_or_default();
            let chunk = self.chunks.entry(index).or_insert(Chunk::Own(Vec::new()));
            match chunk.write(start, part) {
                Ok(()) => written += here,
                Err(error) if written == 0 => return Err(error),
                Err(_) => break,
            }
            self.len = self.len.max(at + here as u64);
        }
        Ok(written)
    }

    pub(super) fn set_len(&mut self, len: u64) {
        if len < self.len {
            let (index, start) = position(len);
            drop(self.chunks.split_off(&(index + 1)));
            if start == 0 {
                self.chunks.remove(&index);
            } else if let Some(chunk) = self.chunks.get_mut(&index) {
                chunk.truncate(start);
            }
        }
        self.len = len;
    }
}

impl Chunk {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Seed(bytes) => bytes,
            Self::Own(bytes) => bytes,
        }
    }

    fn truncate(&mut self, len: usize) {
        match self {
            Self::Seed(bytes) => bytes.truncate(len),
            Self::Own(bytes) => {
                bytes.truncate(len);
                bytes.shrink_to_fit();
            }
        }
    }

    fn write(&mut self, start: usize, data: &[u8]) -> Result<(), VfsError> {
        let end = start + data.len();
        if let Self::Seed(seed) = self {
            let mut own = Vec::new();
            own.try_reserve_exact(seed.len().max(end)).map_err(|_| VfsError::OutOfMemory)?;
            own.extend_from_slice(seed);
            *self = Self::Own(own);
        }
        let Self::Own(own) = self else { return Err(VfsError::Invalid) };
        if own.capacity() < end {
            // Grow by doubling, but never beyond a chunk: appending stays linear and memory stays near the length.
            let wanted = end.max((own.capacity() * 2).min(CHUNK));
            own.try_reserve_exact(wanted - own.len()).map_err(|_| VfsError::OutOfMemory)?;
        }
        if own.len() < end {
            own.resize(end, 0);
        }
        if let Some(place) = own.get_mut(start..end) {
            place.copy_from_slice(data);
        }
        Ok(())
    }
}

/// The chunk of an offset and the place in it.
fn position(offset: u64) -> (u64, usize) {
    // The remainder is below the size of a chunk, so the cast loses nothing.
    #[allow(clippy::cast_possible_truncation, reason = "the remainder is below 64 KiB")]
    let start = (offset % CHUNK_U64) as usize;
    (offset / CHUNK_U64, start)
}
