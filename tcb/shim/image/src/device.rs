// SPDX-License-Identifier: Apache-2.0

//! The one device: virtio-vsock behind virtio-mmio (Virtual I/O Device 1.2, sections 4.2 and 5.10).

use alloc::alloc::{Layout, alloc_zeroed, dealloc};
use core::ptr::NonNull;

use enarx_shim::machine::mux::Packets;
use enarx_shim::machine::{DEVICES, SLOT, SLOTS};
use virtio_drivers::device::socket::{ConnectionInfo, VirtIOSocket, VsockEvent};
use virtio_drivers::transport::mmio::{MmioTransport, VirtIOHeader};
use virtio_drivers::transport::{DeviceType, Transport};
use virtio_drivers::{BufferDirection, Error, Hal, PAGE_SIZE, PhysAddr, Result};

/// Bytes of one buffer for what comes in; there are eight.
const BUFFER: usize = 16 * 1024 + 64;

/// Where memory of ours and of the device meet. On a machine without a TEE the device sees all of it.
pub(crate) struct Memory;

// SAFETY: memory is zeroed, page-aligned and nobody else's until it is given back; addresses mean themselves.
unsafe impl Hal for Memory {
    fn dma_alloc(pages: usize, _direction: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        let layout = Layout::from_size_align(pages.saturating_mul(PAGE_SIZE), PAGE_SIZE);
        // SAFETY: the driver asks for one page at least.
        let memory = layout.ok().and_then(|layout| NonNull::new(unsafe { alloc_zeroed(layout) }));
        // Address 0 is how the driver is told that there is none.
        memory.map_or((0, NonNull::dangling()), |memory| (memory.as_ptr() as PhysAddr, memory))
    }

    unsafe fn dma_dealloc(_address: PhysAddr, memory: NonNull<u8>, pages: usize) -> i32 {
        let Ok(layout) = Layout::from_size_align(pages.saturating_mul(PAGE_SIZE), PAGE_SIZE) else { return -1 };
        // SAFETY: the caller promises that it came from `dma_alloc` with as many pages.
        unsafe { dealloc(memory.as_ptr(), layout) };
        0
    }

    unsafe fn mmio_phys_to_virt(address: PhysAddr, _size: usize) -> NonNull<u8> {
        NonNull::new(address as *mut u8).unwrap_or(NonNull::dangling())
    }

    unsafe fn share(buffer: NonNull<[u8]>, _direction: BufferDirection) -> PhysAddr {
        buffer.as_ptr().cast::<u8>() as PhysAddr
    }

    unsafe fn unshare(_address: PhysAddr, _buffer: NonNull<[u8]>, _direction: BufferDirection) {}
}

/// The vsock device.
pub(crate) struct Socket(VirtIOSocket<Memory, MmioTransport<'static>, BUFFER>);

/// Looks for the device in the slots in which it may be.
pub(crate) fn find() -> Option<Socket> {
    (0..SLOTS).find_map(|slot| {
        let header = NonNull::new((DEVICES + slot * SLOT) as *mut VirtIOHeader)?;
        // SAFETY: the address is mapped as a device's for ever and used by nothing else; whatever answers there, reading
        // and writing its registers touches no memory of ours but what it is given.
        let transport = unsafe { MmioTransport::new(header, SLOT as usize) }.ok()?;
        if transport.device_type() != DeviceType::Socket {
            return None;
        }
        VirtIOSocket::new(transport).ok().map(Socket)
    })
}

impl Packets for Socket {
    fn guest_cid(&self) -> u64 {
        self.0.guest_cid()
    }

    fn next(&mut self, handler: &mut dyn FnMut(&VsockEvent, &[u8])) -> Result<Option<()>> {
        let polled = self.0.poll(|event, body| {
            handler(&event, body);
            Ok(Some(event))
        });
        match polled {
            Ok(event) => Ok(event.map(|_| ())),
            // A packet that is none. It is dropped, as a network would.
            Err(Error::SocketDeviceError(_)) => Ok(Some(())),
            Err(error) => Err(error),
        }
    }

    fn connect(&mut self, connection: &ConnectionInfo) -> Result {
        self.0.connect(connection)
    }

    fn accept(&mut self, connection: &ConnectionInfo) -> Result {
        self.0.accept(connection)
    }

    fn send(&mut self, bytes: &[u8], connection: &mut ConnectionInfo) -> Result {
        self.0.send(bytes, connection)
    }

    fn credit(&mut self, connection: &ConnectionInfo) -> Result {
        self.0.credit_update(connection)
    }

    fn shutdown(&mut self, connection: &ConnectionInfo) -> Result {
        self.0.shutdown(connection)
    }

    fn reset(&mut self, connection: &ConnectionInfo) -> Result {
        self.0.force_close(connection)
    }
}
