// SPDX-License-Identifier: Apache-2.0

//! The one device: virtio-vsock behind virtio-mmio (Virtual I/O Device 1.2, sections 4.2 and 5.10).

use bitflags::bitflags;
use enarx_shim::machine::mux::{Broken, Packets};
use enarx_shim::machine::packet::HEADER;
use enarx_shim::machine::{DEVICES, SLOT, SLOTS};
use virtio_drivers::queue::{OwningQueue, VirtQueue};
use virtio_drivers::transport::{DeviceType, Transport};
use virtio_drivers::{Error, Result};

use crate::bounce::Memory;
use crate::transport::Registers;

/// Buffers for what comes in, and places for what goes out.
const QUEUE: usize = 8;
/// Bytes of one buffer for what comes in.
const BUFFER: usize = 16 * 1024 + HEADER;
const RECEIVE: u16 = 0;
const SEND: u16 = 1;
const EVENTS: u16 = 2;

/// The vsock device.
pub(crate) struct Socket {
    transport: Registers,
    receive: OwningQueue<Memory, QUEUE, BUFFER>,
    send: VirtQueue<Memory, QUEUE>,
    /// The device may say here that the machine was moved, which does not happen to a Keep
    _events: VirtQueue<Memory, QUEUE>,
    cid: u64,
}

/// Looks for the device in the slots in which it may be.
pub(crate) fn find() -> Option<Socket> {
    (0..SLOTS).find_map(|slot| {
        let transport = Registers::find(DEVICES + slot * SLOT)?;
        (transport.device_type() == DeviceType::Socket).then(|| Socket::new(transport).ok()).flatten()
    })
}

impl Socket {
    fn new(mut transport: Registers) -> Result<Self> {
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
