// SPDX-License-Identifier: Apache-2.0

//! Segments, the exception table and the stacks that go with it (AMD64 Architecture Programmer's Manual, volume 2,
//! chapters 4 and 8).

use enarx_shim::machine::{DEVICE_VECTOR, Ending};
use spin::Once;
use x86_64::VirtAddr;
use x86_64::instructions::tables::{lidt, load_tss};
use x86_64::registers::segmentation::{CS, DS, ES, SS, Segment};
use x86_64::structures::DescriptorTablePointer;
use x86_64::structures::gdt::{Descriptor, GlobalDescriptorTable, SegmentSelector};
use x86_64::structures::tss::TaskStateSegment;

use crate::ending::end;
use crate::image;

/// The timer's interrupt.
pub(crate) const TIMER_VECTOR: u8 = 0x32;
/// What the interrupt controller says when there is nothing to say.
pub(crate) const SPURIOUS_VECTOR: u8 = 0xff;

const _: () =
    assert!(DEVICE_VECTOR != TIMER_VECTOR && DEVICE_VECTOR != SPURIOUS_VECTOR && DEVICE_VECTOR >= 32);

/// Interrupt gate, present, for the kernel.
const GATE: u128 = 0x8e << 40;
/// The exception with which a hypervisor is spoken to as guest of SEV-SNP.
const COMMUNICATION: usize = 29;
const FAULT_STACK: u16 = 0;
const INTERRUPT_STACK: u16 = 1;

static TASK: Once<TaskStateSegment> = Once::new();
static SEGMENTS: Once<(GlobalDescriptorTable, [SegmentSelector; 3])> = Once::new();
static GATES: Once<[u128; 256]> = Once::new();

/// Puts up all three tables.
pub(crate) fn set_up() {
    let task = TASK.call_once(|| {
        let mut task = TaskStateSegment::new();
        task.interrupt_stack_table[usize::from(FAULT_STACK)] = VirtAddr::new(image::fault_stack_top());
        task.interrupt_stack_table[usize::from(INTERRUPT_STACK)] =
            VirtAddr::new(image::interrupt_stack_top());
        task
    });
    let (segments, [code, data, state]) = SEGMENTS.call_once(|| {
        let mut table = GlobalDescriptorTable::new();
        let code = table.append(Descriptor::kernel_code_segment());
        let data = table.append(Descriptor::kernel_data_segment());
        let state = table.append(Descriptor::tss_segment(task));
        (table, [code, data, state])
    });
    segments.load();
    // SAFETY: the selectors are those of the table that was just loaded, flat as the ones before.
    unsafe {
        CS::set_reg(*code);
    }
    // SAFETY: as above.
    unsafe {
        SS::set_reg(*data);
    }
    // SAFETY: as above.
    unsafe {
        DS::set_reg(*data);
    }
    // SAFETY: as above.
    unsafe {
        ES::set_reg(*data);
    }
    // SAFETY: as above; the segment lives for ever.
    unsafe {
        load_tss(*state);
    }

    let gates = GATES.call_once(|| {
        core::array::from_fn(|vector| match vector {
            COMMUNICATION => gate(image::communication_entry(), code.0, FAULT_STACK),
            0..32 => gate(image::exception_entries() + 16 * vector as u64, code.0, FAULT_STACK),
            _ if vector == usize::from(TIMER_VECTOR) => gate(image::timer_entry(), code.0, INTERRUPT_STACK),
            _ if vector == usize::from(SPURIOUS_VECTOR) => {
                gate(image::spurious_entry(), code.0, INTERRUPT_STACK)
            }
            _ => gate(image::other_entry(), code.0, INTERRUPT_STACK),
        })
    });
    let limit = size_of_val(gates) as u16 - 1;
    let pointer = DescriptorTablePointer { limit, base: VirtAddr::from_ptr(gates) };
    // SAFETY: the table lives for ever, and each entry leads to code of `interrupts.s` on a stack of its own.
    unsafe { lidt(&pointer) };
}

/// One gate: where to, in which segment, on which of the stacks.
fn gate(address: u64, selector: u16, stack: u16) -> u128 {
    let address = u128::from(address);
    let low = address & 0xffff | u128::from(selector) << 16 | u128::from(stack + 1) << 32 | GATE;
    low | (address >> 16) << 48
}

/// Called from `interrupts.s`. No exception is expected but the one that `snp` knows, so each one is the end.
#[unsafe(no_mangle)]
extern "C" fn keep_exception(vector: u64, code: u64, address: u64, accessed: u64) -> ! {
    crate::console::say(&format_args!(
        "exception {vector} (code {code:#x}) at {address:#x}, accessing {accessed:#x}"
    ));
    end(Ending::Exception)
}
