// SPDX-License-Identifier: Apache-2.0

//! What a guest asks for about its memory: that some be shared with its host, or its own again. It may do so as often as
//! it likes, with pages that it has; anything else is refused.

use std::ops::Range;

use enarx_measure::{PAGE, boot};
use kvm_bindings::{KVM_MEMORY_ATTRIBUTE_PRIVATE, KVM_MEMORY_EXIT_FLAG_PRIVATE, kvm_memory_attributes};

/// `KVM_HC_MAP_GPA_RANGE` (`include/uapi/linux/kvm_para.h`).
pub(in crate::kvm) const MAP_GPA_RANGE: u64 = 12;
/// `KVM_MAP_GPA_RANGE_ENCRYPTED`; the bits below say how large the pages are, which does not matter.
const ENCRYPTED: u64 = 1 << 4;
const SIZES: u64 = 0xf;

/// What is to be done to a range of memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::kvm) struct Conversion {
    pub(super) range: Range<u64>,
    pub(super) private: bool,
}

impl Conversion {
    /// As KVM is told.
    pub(in crate::kvm) fn attributes(&self) -> kvm_memory_attributes {
        let Range { start, end } = self.range;
        let attributes = if self.private { u64::from(KVM_MEMORY_ATTRIBUTE_PRIVATE) } else { 0 };
        kvm_memory_attributes { address: start, size: end.saturating_sub(start), attributes, flags: 0 }
    }
}

/// What a guest with `memory` bytes asks for by the call about its memory: address, number of pages, and as what.
/// `None` if it cannot be had.
pub(in crate::kvm) fn of_hypercall(arguments: [u64; 6], memory: u64) -> Option<Conversion> {
    let [address, pages, how, ..] = arguments;
    if how & !(ENCRYPTED | SIZES) != 0 {
        return None;
    }
    conversion(address, pages.checked_mul(PAGE)?, how & ENCRYPTED != 0, memory)
}

/// What a guest with `memory` bytes wants that reaches memory as what it is not. `None` if there is none.
pub(in crate::kvm) fn of_fault(flags: u64, address: u64, size: u64, memory: u64) -> Option<Conversion> {
    let private = u64::from(KVM_MEMORY_EXIT_FLAG_PRIVATE);
    if flags & !private != 0 {
        return None;
    }
    conversion(address, size, flags & private != 0, memory)
}

fn conversion(start: u64, size: u64, private: bool, memory: u64) -> Option<Conversion> {
    let end = start.checked_add(size)?;
    let whole = start.is_multiple_of(PAGE) && size.is_multiple_of(PAGE) && size > 0;
    let has = |piece: boot::Piece| start >= piece.start && end <= piece.start.saturating_add(piece.size);
    (whole && boot::memory(memory).into_iter().any(has)).then_some(Conversion { range: start..end, private })
}
