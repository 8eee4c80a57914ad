// SPDX-License-Identifier: Apache-2.0

//! Where the image and its parts stand: the symbols of `image.ld` and `start.s`.

use core::ops::Range;

use enarx_shim::machine::start_info::PhysicalMemory;

macro_rules! addresses {
    ($($(#[$doc:meta])* $name:ident: $symbol:ident;)*) => {
        mod symbols {
            unsafe extern "C" {
                $(pub(super) static $symbol: u8;)*
            }
        }
        $(
            $(#[$doc])*
            pub(crate) fn $name() -> u64 {
                (&raw const symbols::$symbol) as u64
            }
        )*
    };
}

addresses! {
    /// Where code begins, and the image with it.
    start: image_start;
    /// Where code ends and constants begin.
    code_end: code_end;
    /// Where constants end and data begins.
    constants_end: constants_end;
    /// Where the image ends, its zeroed data and stacks included.
    end: image_end;
    /// The tables of `start.s`: the root, one below it, four directories.
    start_tables: start_pml4;
    /// The page below the main stack.
    main_stack_guard: main_stack_guard;
    /// The page below the stack of exceptions.
    fault_stack_guard: fault_stack_guard;
    /// The first byte above the stack of exceptions.
    fault_stack_top: fault_stack_top;
    /// The page below the stack of interrupts.
    interrupt_stack_guard: interrupt_stack_guard;
    /// The first byte above the stack of interrupts.
    interrupt_stack_top: interrupt_stack_top;
    /// The 32 entries for exceptions, 16 bytes each.
    exception_entries: exception_entries;
    /// The entry for the exception with which a hypervisor is spoken to.
    communication_entry: communication_entry;
    /// The entry for the timer's interrupt.
    timer_entry: timer_entry;
    /// The entry for any other interrupt.
    other_entry: other_entry;
    /// The entry for the interrupt that is none.
    spurious_entry: spurious_entry;
}

/// The whole image.
pub(crate) fn range() -> Range<u64> {
    start()..end()
}

/// Physical memory below 4 GiB while nothing but the image is in use.
pub(crate) struct Untouched;

impl PhysicalMemory for Untouched {
    fn read(&self, address: u64, buffer: &mut [u8]) {
        for (index, byte) in buffer.iter_mut().enumerate() {
            let place = (address + index as u64) as *const u8;
            // SAFETY: the tables of `start.s` map the first 4 GiB, below which callers stay; a volatile read of a byte
            // takes whatever is there, memory that the host writes to or no memory at all.
            *byte = unsafe { place.read_volatile() };
        }
    }
}
