// SPDX-License-Identifier: Apache-2.0

//! Where memory of ours and of the device meet. On a plain machine the device sees all of it. As guest of SEV-SNP it sees
//! a fixed number of pages: queues live in them, and what goes in or comes out is copied.

use alloc::alloc::{Layout, alloc_zeroed, dealloc};
use core::ptr::NonNull;

use enarx_shim::machine::Ending;
use enarx_shim::snp::pool::Pool;
use spin::Mutex;
use virtio_drivers::{BufferDirection, Hal, PAGE_SIZE, PhysAddr};

use crate::ending::end;
use crate::snp;

static POOL: Mutex<Pool> = Mutex::new(Pool::new());

/// The driver's way to memory.
pub(crate) struct Memory;

// SAFETY: memory is zeroed, page-aligned and nobody else's until it is given back; addresses mean themselves.
unsafe impl Hal for Memory {
    fn dma_alloc(pages: usize, _direction: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        // Address 0 is how the driver is told that there is none.
        let none = (0, NonNull::dangling());
        if snp::is_active() {
            let Some(address) = take(pages) else { return none };
            for page in 0..pages {
                snp::write_shared(offset(address) + page * PAGE_SIZE, &[0; PAGE_SIZE]);
            }
            return NonNull::new(address as *mut u8).map_or(none, |memory| (address, memory));
        }
        let layout = Layout::from_size_align(pages.saturating_mul(PAGE_SIZE), PAGE_SIZE);
        // SAFETY: the driver asks for one page at least.
        let memory = layout.ok().and_then(|layout| NonNull::new(unsafe { alloc_zeroed(layout) }));
        memory.map_or(none, |memory| (memory.as_ptr() as PhysAddr, memory))
    }

    unsafe fn dma_dealloc(address: PhysAddr, memory: NonNull<u8>, pages: usize) -> i32 {
        if snp::is_active() {
            return give_back(address, pages);
        }
        let Ok(layout) = Layout::from_size_align(pages.saturating_mul(PAGE_SIZE), PAGE_SIZE) else {
            return -1;
        };
        // SAFETY: the caller promises that it came from `dma_alloc` with as many pages.
        unsafe { dealloc(memory.as_ptr(), layout) };
        0
    }

    /// Only for devices on a bus, of which there is none.
    unsafe fn mmio_phys_to_virt(_address: PhysAddr, _size: usize) -> NonNull<u8> {
        end(Ending::Panic)
    }

    unsafe fn share(buffer: NonNull<[u8]>, direction: BufferDirection) -> PhysAddr {
        if !snp::is_active() {
            return buffer.as_ptr().cast::<u8>() as PhysAddr;
        }
        let Some(address) = take(buffer.len().div_ceil(PAGE_SIZE)) else { end(Ending::Memory) };
        if direction != BufferDirection::DeviceToDriver {
            // SAFETY: the caller promises that the buffer is valid and that nobody uses it meanwhile.
            snp::write_shared(offset(address), unsafe { buffer.as_ref() });
        }
        address
    }

    unsafe fn unshare(address: PhysAddr, mut buffer: NonNull<[u8]>, direction: BufferDirection) {
        if !snp::is_active() {
            return;
        }
        if direction != BufferDirection::DriverToDevice {
            // SAFETY: as for `share`.
            snp::read_shared(offset(address), unsafe { buffer.as_mut() });
        }
        if give_back(address, buffer.len().div_ceil(PAGE_SIZE)) != 0 {
            end(Ending::Panic);
        }
    }
}

/// Shared pages in a row, by the address of the first.
fn take(pages: usize) -> Option<PhysAddr> {
    POOL.lock().take(pages as u64).map(snp::shared_at)
}

fn give_back(address: PhysAddr, pages: usize) -> i32 {
    let first = (offset(address) / PAGE_SIZE) as u64;
    if POOL.lock().give_back(first, pages as u64) { 0 } else { -1 }
}

/// Where an address is, counted from the first shared page.
fn offset(address: PhysAddr) -> usize {
    address.saturating_sub(snp::shared_at(0)) as usize
}
