// SPDX-License-Identifier: Apache-2.0

//! The #VC exception: CPUID as libraries use it, and nothing else.

use enarx_shim::machine::Ending;
use enarx_shim::snp::exception;

use crate::ending::end;
use crate::image;

/// What `communication_entry` saved, and what the CPU saved before it, from the last to the first.
#[repr(C)]
struct Frame {
    rbx: u64,
    scratch: [u64; 6],
    rdx: u64,
    rcx: u64,
    rax: u64,
    code: u64,
    rip: u64,
}

/// Called from `interrupts.s` with interrupts off.
#[unsafe(no_mangle)]
extern "C" fn keep_communication(frame: &mut Frame) {
    let table = super::TABLE.get().filter(|_| super::is_active());
    let answer = table.and_then(|table| {
        let instruction = instruction(frame.rip)?;
        let (leaf, subleaf) = (frame.rax as u32, frame.rcx as u32);
        exception::answer(frame.code, instruction, leaf, subleaf, &super::state(), table).ok()
    });
    let Some(answer) = answer else { end(Ending::Exception) };
    frame.rax = u64::from(answer.eax);
    frame.rbx = u64::from(answer.ebx);
    frame.rcx = u64::from(answer.ecx);
    frame.rdx = u64::from(answer.edx);
    frame.rip = frame.rip.wrapping_add(exception::INSTRUCTION.len() as u64);
}

/// What stands where the exception came from, if that is code of the image.
fn instruction(address: u64) -> Option<[u8; 2]> {
    let inside = image::start() <= address && address < image::code_end().saturating_sub(2);
    // SAFETY: these are bytes of the image's code, which is mapped for reading and never changes.
    inside.then(|| unsafe { (address as *const [u8; 2]).read_volatile() })
}
