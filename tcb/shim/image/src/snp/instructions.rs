// SPDX-License-Identifier: Apache-2.0

//! The instructions of a guest of SEV-SNP, and the memory that it shares.

use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering};

use enarx_shim::machine::entry::SNP_PAGES;
use enarx_shim::snp::pages::{Size, Validated};
use enarx_shim::snp::{Frame, Machine, PAGE, SHARED_PAGES, msr, secrets};
use x86_64::registers::model_specific::Msr;

use crate::ending::end;
use crate::paging;

/// Where the shared pages are; 0 before they are.
static SHARED: AtomicU64 = AtomicU64::new(0);

/// All of them; there is nothing to keep.
pub(crate) struct Instructions;

impl Machine for Instructions {
    fn vmgexit(&mut self, value: u64) -> u64 {
        vmgexit(value)
    }

    fn map_shared(&mut self, first: Frame) {
        paging::share_at_start(first.address());
        SHARED.store(first.address(), Ordering::Relaxed);
    }

    fn write_shared(&mut self, offset: usize, bytes: &[u8]) {
        write_shared(offset, bytes);
    }

    fn read_shared(&self, offset: usize, bytes: &mut [u8]) {
        read_shared(offset, bytes);
    }

    /// APM volume 3, PVALIDATE: address in RAX, size in ECX, 1 in EDX; code in EAX, and carry if nothing changed.
    fn pvalidate(&mut self, address: u64, size: Size) -> Validated {
        let (code, unchanged): (u64, u8);
        // SAFETY: the instruction makes a page of ours what it must be before it is used, and changes no memory's contents.
        // The callers pass pages that nothing uses yet.
        unsafe {
            asm!(
                "pvalidate",
                "setc {unchanged}",
                unchanged = out(reg_byte) unchanged,
                inout("rax") address => code,
                in("ecx") size as u32,
                in("edx") 1,
                options(nostack),
            );
        }
        Validated { code: code as u32, unchanged: unchanged == 1 }
    }
}

/// Writes the GHCB MSR, gives way to the hypervisor, and reads the register (56421, section 2.3).
pub(super) fn vmgexit(value: u64) -> u64 {
    let mut register = Msr::new(msr::GHCB);
    // SAFETY: the register is a guest's of SEV-ES to write, and has no effect but on what the next line does.
    unsafe { register.write(value) };
    // SAFETY: the hypervisor can neither see nor change registers or private memory. Shared memory is only used through
    // pointers that expect it to change.
    unsafe { asm!("rep vmmcall", options(nostack)) };
    // SAFETY: as above.
    unsafe { register.read() }
}

/// The same, with interrupts on from that instruction on, so that none gets lost before it.
pub(super) fn vmgexit_with_interrupts(value: u64) {
    // SAFETY: as in `vmgexit`.
    unsafe { Msr::new(msr::GHCB).write(value) };
    // SAFETY: as in `vmgexit`; every interrupt has an entry, on a stack of its own.
    unsafe { asm!("sti", "rep vmmcall", options(nostack)) };
}

/// The CPUID page as the launch left it.
pub(super) fn cpuid_page() -> &'static [u8; PAGE as usize] {
    // SAFETY: the page is measured into this guest as one of its own, the tables of `start.s` map it, and nobody writes it.
    unsafe { &*(SNP_PAGES.cpuid as usize as *const [u8; PAGE as usize]) }
}

/// The secrets page.
pub(super) fn secrets_page() -> &'static mut [u8; secrets::LEN] {
    // SAFETY: as above; the one caller is called once, and nobody else looks at the page.
    unsafe { &mut *(SNP_PAGES.secrets as usize as *mut [u8; secrets::LEN]) }
}

/// Where the shared page with this number is.
pub(crate) fn shared_at(page: u64) -> u64 {
    SHARED.load(Ordering::Relaxed) + page * PAGE
}

/// Writes to shared memory.
pub(crate) fn write_shared(offset: usize, bytes: &[u8]) {
    let place = place(offset, bytes.len());
    // Eight at a time as far as that goes, whatever their alignment: shared memory is ordinary memory.
    let (longs, rest) = bytes.as_chunks::<8>();
    for (index, long) in longs.iter().enumerate() {
        let place = place.wrapping_add(8 * index).cast::<[u8; 8]>();
        // SAFETY: `place` is within shared pages, which are mapped for writing for ever and hold no Rust object.
        unsafe { place.write_volatile(*long) };
    }
    let place = place.wrapping_add(8 * longs.len());
    for (index, byte) in rest.iter().enumerate() {
        // SAFETY: as above.
        unsafe { place.wrapping_add(index).write_volatile(*byte) };
    }
}

/// Reads shared memory, each byte once.
pub(crate) fn read_shared(offset: usize, bytes: &mut [u8]) {
    let place = place(offset, bytes.len());
    let (longs, rest) = bytes.as_chunks_mut::<8>();
    let read = 8 * longs.len();
    for (index, long) in longs.iter_mut().enumerate() {
        let place = place.wrapping_add(8 * index).cast::<[u8; 8]>();
        // SAFETY: as in `write_shared`; a volatile read takes whatever the hypervisor has put there.
        *long = unsafe { place.read_volatile() };
    }
    let place = place.wrapping_add(read);
    for (index, byte) in rest.iter_mut().enumerate() {
        // SAFETY: as above.
        *byte = unsafe { place.wrapping_add(index).read_volatile() };
    }
}

fn place(offset: usize, length: usize) -> *mut u8 {
    let shared = SHARED.load(Ordering::Relaxed);
    let all = (PAGE * SHARED_PAGES) as usize;
    if shared == 0 || offset.checked_add(length).is_none_or(|end| end > all) {
        end(enarx_shim::machine::Ending::Panic);
    }
    (shared as usize + offset) as *mut u8
}
