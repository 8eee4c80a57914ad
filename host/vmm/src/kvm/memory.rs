// SPDX-License-Identifier: Apache-2.0

//! The guest's memory.

use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use enarx_measure::boot;
use kvm_bindings::{
    KVM_MEM_GUEST_MEMFD, kvm_create_guest_memfd, kvm_userspace_memory_region, kvm_userspace_memory_region2,
};
use kvm_ioctls::VmFd;
use vm_memory::{Bytes as _, GuestAddress, GuestMemoryBackend as _, GuestMemoryMmap, GuestMemoryRegion as _};

use crate::fatal::Fatal;

/// Takes `size` bytes of memory and gives them to the machine. With `private` there is memory behind them, too, that
/// nobody but the guest can reach; then these are for what it shares.
pub(super) fn allocate(vm: &VmFd, size: u64, private: bool) -> Result<GuestMemoryMmap, Fatal> {
    let failed = "take memory for the guest";
    let mut ranges = Vec::new();
    for piece in boot::memory(size) {
        let length =
            usize::try_from(piece.size).map_err(|error| Fatal::start(failed)(io::Error::other(error)))?;
        ranges.push((GuestAddress(piece.start), length));
    }
    let memory = GuestMemoryMmap::from_ranges(&ranges)
        .map_err(|error| Fatal::start(failed)(io::Error::other(error)))?;
    for (slot, region) in (0..).zip(memory.iter()) {
        if private {
            give_private(vm, slot, region)?;
        } else {
            give(vm, slot, region)?;
        }
    }
    Ok(memory)
}

#[allow(unsafe_code, reason = "see the safety argument")]
fn give(vm: &VmFd, slot: u32, region: &vm_memory::GuestRegionMmap) -> Result<(), Fatal> {
    let region = kvm_userspace_memory_region {
        slot,
        flags: 0,
        guest_phys_addr: region.start_addr().0,
        memory_size: region.len(),
        userspace_addr: region.as_ptr().addr() as u64,
    };
    // SAFETY: the address and size are those of a mapping that this process owns, private and anonymous. It outlives the
    // guest: `Processor` holds the memory for as long as it can run the processor, and nothing else runs it. Rust code
    // reaches the mapping by volatile accesses only, since the guest changes it at any time. The ranges of
    // `boot::memory` do not overlap, and each has a slot of its own.
    unsafe { vm.set_user_memory_region(region) }.map_err(Fatal::start("give memory to the guest"))
}

#[allow(unsafe_code, reason = "see the safety arguments")]
fn give_private(vm: &VmFd, slot: u32, region: &vm_memory::GuestRegionMmap) -> Result<(), Fatal> {
    let failed = "take private memory for the guest";
    let wanted = kvm_create_guest_memfd { size: region.len(), ..Default::default() };
    let private = vm.create_guest_memfd(wanted).map_err(Fatal::start(failed))?;
    // SAFETY: the kernel has just made the descriptor, and nobody else has it.
    let private = unsafe { OwnedFd::from_raw_fd(private) };
    let guest_memfd =
        u32::try_from(private.as_raw_fd()).map_err(|error| Fatal::start(failed)(io::Error::other(error)))?;
    let region = kvm_userspace_memory_region2 {
        slot,
        flags: KVM_MEM_GUEST_MEMFD,
        guest_phys_addr: region.start_addr().0,
        memory_size: region.len(),
        userspace_addr: region.as_ptr().addr() as u64,
        guest_memfd,
        ..Default::default()
    };
    // SAFETY: as for `give`. The kernel holds the private memory itself, and no mapping of it is in this process.
    unsafe { vm.set_user_memory_region2(region) }.map_err(Fatal::start("give memory to the guest"))
}

/// Writes into the guest's memory before it starts.
pub(super) fn write(memory: &GuestMemoryMmap, address: u64, bytes: &[u8]) -> Result<(), Fatal> {
    memory
        .write_slice(bytes, GuestAddress(address))
        .map_err(|error| Fatal::start("fill the guest's memory")(io::Error::other(error)))
}
