// SPDX-License-Identifier: Apache-2.0

//! The device's two queues in the guest's memory.

use std::sync::atomic::Ordering;

use virtio_queue::{Queue, QueueOwnedT as _, QueueT as _};
use virtio_vsock::packet::VsockPacket;
use vm_memory::{Bytes as _, GuestAddress, GuestMemoryMmap};

use super::{Host, MAX_DATA, Vsock};

/// How many packets are moved at a time, so that the host has its turn between them.
const BATCH: usize = 256;
/// `VIRTQ_AVAIL_F_NO_INTERRUPT`: the guest looks by itself.
const NO_INTERRUPT: u16 = 1;

/// A queue that the guest made ready.
pub struct Ring {
    queue: Queue,
}

/// The guest's rings contradict themselves; nothing more can be done with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the guest broke its queue")]
pub struct Broken;

impl From<virtio_queue::Error> for Broken {
    fn from(_: virtio_queue::Error) -> Self {
        Self
    }
}

/// What came of serving a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The guest has to be told that buffers were used.
    pub notify: bool,
    /// There is more to do at once.
    pub more: bool,
}

impl Ring {
    /// A ring from a queue that the guest set up, which is checked to lie in its memory.
    pub fn new(queue: Queue, memory: &GuestMemoryMmap) -> Result<Self, Broken> {
        if queue.is_valid(memory) { Ok(Self { queue }) } else { Err(Broken) }
    }

    /// Where the guest goes on when it takes the queue back.
    pub fn position(&self) -> u16 {
        self.queue.next_avail()
    }

    /// Takes packets from the guest.
    pub fn transmit(
        &mut self,
        memory: &GuestMemoryMmap,
        vsock: &mut Vsock,
        host: &mut dyn Host,
    ) -> Result<Progress, Broken> {
        let mut used = 0;
        while vsock.listens() && used < BATCH {
            let Some(mut chain) = self.queue.iter(memory)?.next() else {
                if self.queue.enable_notification(memory)? {
                    continue;
                }
                break;
            };
            // What is no packet has no connection to blame, and is dropped.
            if let Ok(packet) = VsockPacket::from_tx_virtq_chain(memory, &mut chain, MAX_DATA) {
                vsock.packet(&packet, host);
            }
            self.queue.add_used(memory, chain.head_index(), 0)?;
            used += 1;
        }
        Ok(Progress { notify: used > 0 && self.notifies(memory)?, more: used == BATCH })
    }

    /// Gives packets to the guest.
    pub fn receive(&mut self, memory: &GuestMemoryMmap, vsock: &mut Vsock) -> Result<Progress, Broken> {
        let mut used = 0;
        while vsock.has_next() && used < BATCH {
            let Some(mut chain) = self.queue.iter(memory)?.next() else {
                if self.queue.enable_notification(memory)? {
                    continue;
                }
                break;
            };
            let length = match VsockPacket::from_rx_virtq_chain(memory, &mut chain, MAX_DATA) {
                Ok(mut packet) => vsock.fill(&mut packet),
                // A buffer that no packet fits in is given back empty.
                Err(_) => Some(0),
            };
            let Some(length) = length else {
                self.queue.go_to_previous_position();
                break;
            };
            self.queue.add_used(memory, chain.head_index(), length)?;
            used += 1;
        }
        Ok(Progress { notify: used > 0 && self.notifies(memory)?, more: used == BATCH })
    }

    fn notifies(&mut self, memory: &GuestMemoryMmap) -> Result<bool, Broken> {
        if self.queue.event_idx_enabled() {
            return Ok(self.queue.needs_notification(memory)?);
        }
        let flags: u16 =
            memory.load(GuestAddress(self.queue.avail_ring()), Ordering::SeqCst).map_err(|_| Broken)?;
        Ok(u16::from_le(flags) & NO_INTERRUPT == 0)
    }
}
