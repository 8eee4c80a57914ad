// SPDX-License-Identifier: Apache-2.0

//! The page tables: every address means itself, and what may be written is never executed.
//! (AMD64 Architecture Programmer's Manual, volume 2, section 5.3.)

use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};

use enarx_shim::machine::layout::{LARGE, Layout, PAGE};
use enarx_shim::machine::{DEVICES, SLOT, SLOTS};
use spin::Mutex;
use x86_64::PhysAddr;
use x86_64::VirtAddr;
use x86_64::instructions::tlb;
use x86_64::registers::control::{Cr3, Cr3Flags};
use x86_64::structures::paging::PhysFrame;

use crate::heap;
use crate::image;

const PRESENT: u64 = 1;
const WRITE: u64 = 1 << 1;
const UNCACHED: u64 = 0b11 << 3;
const IS_LARGE: u64 = 1 << 7;
const NO_EXECUTE: u64 = 1 << 63;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// What marks memory as private in a table; 0 where no memory is.
static PRIVATE: AtomicU64 = AtomicU64::new(0);
/// The root table, 0 before [`set_up`].
static ROOT: Mutex<u64> = Mutex::new(0);

/// What may be done with memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rights {
    /// Nothing.
    None,
    /// Reading and executing.
    Code,
    /// Reading.
    Constants,
    /// Reading and writing.
    Data,
    /// Reading and writing, past the caches.
    Device,
    /// Reading and writing, the hypervisor too.
    Shared,
}

impl Rights {
    fn bits(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Code => PRESENT,
            Self::Constants => PRESENT | NO_EXECUTE,
            Self::Data | Self::Shared => PRESENT | WRITE | NO_EXECUTE,
            Self::Device => PRESENT | WRITE | NO_EXECUTE | UNCACHED,
        }
    }
}

/// From here on tables mark private memory with this, as those of `start.s` do.
pub(crate) fn mark_private(mask: u64) {
    PRIVATE.store(mask, Ordering::Relaxed);
}

/// Makes a large page shared in the tables of `start.s`, which nobody has used so far.
pub(crate) fn share_at_start(address: u64) {
    // Root, the table below it, and four directories that stand in a row.
    let directory = image::start_tables() + 2 * PAGE + (address >> 30) * PAGE;
    write(directory, address, 21, address | IS_LARGE | PRESENT | WRITE);
    tlb::flush(VirtAddr::new_truncate(address));
}

/// Makes the final tables and goes over to them. `shared` is a large page that the hypervisor sees; where there is one,
/// registers of devices are not mapped.
pub(crate) fn set_up(layout: &Layout, shared: Option<u64>) {
    let mut root = ROOT.lock();
    *root = heap::page();
    set(*root, &(image::start()..image::code_end()), Rights::Code);
    set(*root, &(image::code_end()..image::constants_end()), Rights::Constants);
    set(*root, &(image::constants_end()..image::end()), Rights::Data);
    for guard in [image::main_stack_guard(), image::fault_stack_guard(), image::interrupt_stack_guard()] {
        set(*root, &(guard..guard + PAGE), Rights::None);
    }
    for piece in layout.pieces() {
        set(*root, piece, Rights::Data);
    }
    match shared {
        Some(shared) => set(*root, &(shared..shared + LARGE), Rights::Shared),
        None => set(*root, &(DEVICES..(DEVICES + SLOT * SLOTS)), Rights::Device),
    }
    let frame = PhysFrame::containing_address(PhysAddr::new(*root));
    // SAFETY: the tables map the image and the stack that this runs on where they were, with the rights that they need.
    unsafe { Cr3::write(frame, Cr3Flags::empty()) };
}

/// Changes what may be done with memory of the heap that the caller owns. `range` begins and ends at pages.
pub(crate) fn protect(range: &Range<u64>, rights: Rights) {
    let root = ROOT.lock();
    set(*root, range, rights);
    let mut page = range.start;
    while page < range.end {
        tlb::flush(VirtAddr::new_truncate(page));
        page += PAGE;
    }
}

fn set(root: u64, range: &Range<u64>, rights: Rights) {
    let mut next = range.start;
    while next < range.end {
        let directory = step(root, next, 39, Missing::Make);
        let directory = step(directory, next, 30, Missing::Make);
        if next.is_multiple_of(LARGE) && range.end - next >= LARGE && !has_table(directory, next) {
            write(directory, next, 21, entry(next, rights) | (IS_LARGE * u64::from(rights != Rights::None)));
            next += LARGE;
        } else {
            let table = step(directory, next, 21, Missing::Split);
            write(table, next, 12, entry(next, rights));
            next += PAGE;
        }
    }
}

fn entry(address: u64, rights: Rights) -> u64 {
    match rights {
        Rights::None => 0,
        Rights::Shared => address | rights.bits(),
        _ => address | rights.bits() | private(),
    }
}

/// What to do where there is no next table.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    Make,
    /// There may be a large page: the new table says the same as it
    Split,
}

/// The next table on the way to `address`.
fn step(table: u64, address: u64, shift: u32, missing: Missing) -> u64 {
    let found = read(table, address, shift);
    if found & PRESENT != 0 && found & IS_LARGE == 0 {
        return found & ADDRESS & !private();
    }
    let next = heap::page();
    if missing == Missing::Split && found & PRESENT != 0 {
        let start = address - address % LARGE;
        for index in 0..LARGE / PAGE {
            let page = start + index * PAGE;
            write(next, page, 12, page | found & (!(ADDRESS | IS_LARGE) | private()));
        }
    }
    write(table, address, shift, next | PRESENT | WRITE | private());
    next
}

fn private() -> u64 {
    PRIVATE.load(Ordering::Relaxed)
}

fn has_table(directory: u64, address: u64) -> bool {
    let found = read(directory, address, 21);
    found & PRESENT != 0 && found & IS_LARGE == 0
}

fn read(table: u64, address: u64, shift: u32) -> u64 {
    // SAFETY: see `place`.
    unsafe { place(table, address, shift).read_volatile() }
}

fn write(table: u64, address: u64, shift: u32, value: u64) {
    // SAFETY: see `place`; what the new entry means is what callers of this module answer for.
    unsafe { place(table, address, shift).write_volatile(value) };
}

/// The entry for `address` in a table: tables are pages of the heap that belong to this module alone, and the index is
/// below 512.
fn place(table: u64, address: u64, shift: u32) -> *mut u64 {
    let index = address >> shift & 511;
    (table + index * 8) as *mut u64
}
