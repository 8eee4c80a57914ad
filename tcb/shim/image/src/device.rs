// SPDX-License-Identifier: Apache-2.0

//! The one device: virtio-vsock behind virtio-mmio (Virtual I/O Device 1.2, sections 4.2 and 5.10).

use alloc::alloc::{Layout, alloc_zeroed, dealloc};
use core::ptr::NonNull;

use bitflags::bitflags;
use enarx_shim::machine::mux::{Broken, Packets};
use enarx_shim::machine::packet::HEADER;
use enarx_shim::machine::{DEVICES, SLOT, SLOTS};
use virtio_drivers::queue::{OwningQueue, VirtQueue};
use virtio_drivers::transport::mmio::{MmioTransport, VirtIOHeader};
use virtio_drivers::transport::{DeviceType, Transport};
use virtio_drivers::{BufferDirection, Error, Hal, PAGE_SIZE, PhysAddr, Result};

/// Buffers for what comes in, and places for what goes out.
const QUEUE: usize = 8;
/// Bytes of one buffer for what comes in.
const BUFFER: usize = 16 * 1024 + HEADER;
const RECEIVE: u16 = 0;
const SEND: u16 = 1;
const EVENTS: u16 = 2;

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
        let Ok(layout) = Layout::from_size_align(pages.saturating_mul(PAGE_SIZE), PAGE_SIZE) else {
            return -1;
        };
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
pub(crate) struct Socket {
    transport: MmioTransport<'static>,
    receive: OwningQueue<Memory, QUEUE, BUFFER>,
    send: VirtQueue<Memory, QUEUE>,
    /// The device may say here that the machine was moved, which does not happen to a Keep
    _events: VirtQueue<Memory, QUEUE>,
    cid: u64,
}

/// Looks for the device in the slots in which it may be.
pub(crate) fn find() -> Option<Socket> {
    (0..SLOTS).find_map(|slot| {
        let header = NonNull::new((DEVICES + slot * SLOT) as *mut VirtIOHeader)?;
        // SAFETY: the address is mapped as a device's for ever and used by nothing else; whatever answers there, reading
        // and writing its registers touches no memory of ours but what it is given.
        let transport = unsafe { MmioTransport::new(header, SLOT as usize) }.ok()?;
        (transport.device_type() == DeviceType::Socket).then(|| Socket::new(transport).ok()).flatten()
    })
}

impl Socket {
    fn new(mut transport: MmioTransport<'static>) -> Result<Self> {
        let accepted = transport.begin_init(Features::VERSION_1 | Features::EVENT_IDX);
        if !accepted.contains(Features::VERSION_1) {
            return Err(Error::Unsupported);
        }
        let [low, high] = [transport.read_config_space::<u32>(0)?, transport.read_config_space::<u32>(4)?];
        let cid = u64::from(high) << 32 | u64::from(low);
        let by_index = accepted.contains(Features::EVENT_IDX);
        let receive = VirtQueue::new(&mut transport, RECEIVE, false, by_index)?;
        let send = VirtQueue::new(&mut transport, SEND, false, by_index)?;
        let events = VirtQueue::new(&mut transport, EVENTS, false, by_index)?;
        let receive = OwningQueue::new(receive)?;
        transport.finish_init();
        if receive.should_notify() {
            transport.notify(RECEIVE);
        }
        Ok(Self { transport, receive, send, _events: events, cid })
    }
}

impl Packets for Socket {
    fn cid(&self) -> u64 {
        self.cid
    }

    fn receive(&mut self, handler: &mut dyn FnMut(&[u8])) -> core::result::Result<bool, Broken> {
        let received = self.receive.poll(&mut self.transport, |packet| {
            handler(packet);
            Ok(Some(()))
        });
        received.map(|packet| packet.is_some()).map_err(|_| Broken)
    }

    fn send(&mut self, header: &[u8; HEADER], body: &[u8]) -> core::result::Result<(), Broken> {
        let parts: &[&[u8]] = if body.is_empty() { &[header] } else { &[header, body] };
        let sent = self.send.add_notify_wait_pop(parts, &mut [], &mut self.transport);
        sent.map(drop).map_err(|_| Broken)
    }
}

bitflags! {
    /// What the device offers and this driver takes (section 6).
    #[derive(Clone, Copy, Debug)]
    struct Features: u64 {
        const EVENT_IDX = 1 << 29;
        const VERSION_1 = 1 << 32;
    }
}
