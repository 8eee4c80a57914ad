// SPDX-License-Identifier: Apache-2.0

//! The boot data of PVH: what a guest is told about its memory and its launch, and where that stands.
//!
//! The layout is Xen's `struct hvm_start_info`, version 1 (xen/include/public/arch-x86/hvm/start_info.h), which QEMU makes
//! too. All of it is the host's word: a guest checks it.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

/// Where the boot data stand if the image does not say where: below everything that an image may fill.
pub const BOOT_DATA: u64 = 0x1000;
/// Where the memory that begins at zero must end: from here to 4 GiB there are devices. More memory continues at
/// 4 GiB.
pub const LOW_MEMORY_END: u64 = 0xc000_0000;
/// Where memory that does not fit below continues.
pub const HIGH_MEMORY: u64 = 1 << 32;
/// Longest command line.
pub const MAX_COMMAND_LINE: usize = 4 * 1024 + 64;

/// The most bytes that boot data have: two pieces of memory around what no map mentions and one above the devices, and
/// the longest command line with its end.
pub const MAX_SIZE: u64 = START_INFO + 3 * MAP_ENTRY + MAX_COMMAND_LINE as u64 + 1;

const MAGIC: u32 = 0x336e_c578;
const VERSION: u32 = 1;
const START_INFO: u64 = 56;
const MAP_ENTRY: u64 = 24;
const RAM: u32 = 1;

/// Memory that no map mentions, where firmware of other machines stands.
const LEGACY: Range<u64> = 0xa_0000..0x10_0000;

/// A piece of memory, as guest-physical addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// First byte.
    pub start: u64,
    /// Bytes.
    pub size: u64,
}

/// Where a guest with `memory` bytes has them.
pub fn memory(memory: u64) -> Vec<Piece> {
    let low = memory.min(LOW_MEMORY_END);
    let mut pieces = vec![Piece { start: 0, size: low }];
    if memory > low {
        pieces.push(Piece { start: HIGH_MEMORY, size: memory - low });
    }
    pieces
}

/// What of its memory a guest is told that it may use.
pub fn map(memory: u64) -> Vec<Piece> {
    let mut pieces = self::memory(memory);
    if let Some(first) = pieces.first_mut().filter(|first| first.size > LEGACY.end) {
        *first = Piece { start: LEGACY.end, size: first.size - LEGACY.end };
        pieces.insert(0, Piece { start: 0, size: LEGACY.start });
    }
    pieces
}

/// The bytes at `address`, which the guest is given, for a guest with `memory` bytes. `None` if the command line is too
/// long or has a zero in it.
pub fn data(address: u64, memory: u64, command_line: &str) -> Option<Vec<u8>> {
    if command_line.len() > MAX_COMMAND_LINE || command_line.contains('\0') {
        return None;
    }
    let map = map(memory);
    let entries = u32::try_from(map.len()).ok()?;
    let map_address = address.checked_add(START_INFO)?;
    let command_line_address = map_address.checked_add(MAP_ENTRY * u64::from(entries))?;
    let mut data = Vec::new();
    for word in [MAGIC, VERSION, 0, 0] {
        data.extend_from_slice(&word.to_le_bytes());
    }
    // No modules, a command line, no ACPI, a memory map.
    for address in [0, command_line_address, 0, map_address] {
        data.extend_from_slice(&address.to_le_bytes());
    }
    for word in [entries, 0] {
        data.extend_from_slice(&word.to_le_bytes());
    }
    for piece in map {
        data.extend_from_slice(&piece.start.to_le_bytes());
        data.extend_from_slice(&piece.size.to_le_bytes());
        data.extend_from_slice(&RAM.to_le_bytes());
        data.extend_from_slice(&[0; 4]);
    }
    data.extend_from_slice(command_line.as_bytes());
    data.push(0);
    Some(data)
}
