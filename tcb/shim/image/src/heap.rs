// SPDX-License-Identifier: Apache-2.0

//! The one heap of the Keep: all memory that is not the image.

use alloc::alloc::Layout as Shape;
use core::ops::Range;

use enarx_shim::machine::Ending;
use enarx_shim::machine::layout::Layout;
use enarx_shim::machine::start_info::REACHABLE;
use talc::TalcLock;
use talc::source::Manual;

use crate::ending::end;

#[global_allocator]
static HEAP: TalcLock<spin::Mutex<()>, Manual> = TalcLock::new(Manual);

/// Which pieces of memory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Those that the tables of `start.s` map.
    MappedAtStart,
    /// The others.
    Rest,
}

impl Part {
    /// Whether a piece belongs to it.
    pub(crate) fn has(self, piece: &Range<u64>) -> bool {
        self == if piece.end <= REACHABLE { Self::MappedAtStart } else { Self::Rest }
    }
}

/// Gives pieces of memory to the heap.
pub(crate) fn claim(layout: &Layout, part: Part) {
    for piece in layout.pieces() {
        let Ok(size) = usize::try_from(piece.end - piece.start) else { continue };
        if part.has(piece) {
            // SAFETY: `Layout` has only memory that is neither the image nor a device's nor in another piece, and each
            // piece is claimed once, in the part to which it belongs, when it is mapped for reading and writing.
            unsafe { HEAP.lock().claim(piece.start as *mut u8, size) };
        }
    }
}

/// A page of zeros that nobody gives back.
pub(crate) fn page() -> u64 {
    let Ok(shape) = Shape::from_size_align(4096, 4096) else { end(Ending::Memory) };
    // SAFETY: the size is not zero.
    let page = unsafe { alloc::alloc::alloc_zeroed(shape) };
    if page.is_null() {
        end(Ending::Memory);
    }
    page as u64
}
