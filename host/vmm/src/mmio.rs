// SPDX-License-Identifier: Apache-2.0

//! The registers of the one device: VIRTIO 1.2, section 4.2, version 2 (not legacy).

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use virtio_queue::{Queue, QueueT as _};

use crate::vsock::GUEST_CID;

/// Where the device is, as in the first slot of QEMU's microvm.
pub(crate) const ADDRESS: u64 = 0xfeb0_0000;
/// Bytes of a device's registers.
pub(crate) const SIZE: u64 = 0x200;
/// The register that the guest writes the number of a queue to.
pub(crate) const NOTIFY: u64 = 0x50;

const MAGIC: u32 = u32::from_le_bytes(*b"virt");
const VERSION: u32 = 2;
const DEVICE_VSOCK: u32 = 19;
const VENDOR: u32 = u32::from_le_bytes(*b"ENRX");

/// Device to guest, guest to device, events.
const QUEUES: usize = 3;
/// Most buffers in a queue.
pub(crate) const QUEUE_SIZE: u16 = 256;

/// `VIRTIO_F_VERSION_1`, without which there is no device.
const VERSION_1: u64 = 1 << 32;
/// `VIRTIO_F_EVENT_IDX`: fewer notifications.
const EVENT_IDX: u64 = 1 << 29;
/// What the device can do.
pub(crate) const FEATURES: u64 = VERSION_1 | EVENT_IDX;

const FEATURES_OK: u32 = 8;
const DRIVER_OK: u32 = 4;
/// Interrupt status: buffers were used.
const USED_BUFFER: u32 = 1;

/// What a write to a register means beyond itself.
pub(crate) enum Action {
    /// The guest's driver is ready: from now on the queues to and from the guest are served.
    Activate([Queue; 2]),
    /// Everything is as at the beginning.
    Reset,
}

/// The registers.
pub(crate) struct Registers {
    queues: [Queue; QUEUES],
    queue: u32,
    device_half: u32,
    driver_half: u32,
    driver_features: u64,
    status: u32,
    interrupts: Interrupts,
}

/// The interrupt status, which the device sets and the guest clears.
#[derive(Clone, Default)]
pub(crate) struct Interrupts(Arc<AtomicU32>);

impl Interrupts {
    /// Says that buffers were used.
    pub(crate) fn used_buffers(&self) {
        self.0.fetch_or(USED_BUFFER, Ordering::SeqCst);
    }
}

impl Registers {
    /// A device after reset.
    pub(crate) fn new(interrupts: Interrupts) -> Result<Self, virtio_queue::Error> {
        let queues = [Queue::new(QUEUE_SIZE)?, Queue::new(QUEUE_SIZE)?, Queue::new(QUEUE_SIZE)?];
        Ok(Self {
            queues,
            queue: 0,
            device_half: 0,
            driver_half: 0,
            driver_features: 0,
            status: 0,
            interrupts,
        })
    }

    /// Reads `data.len()` bytes at `offset`. What is not there reads as zero.
    pub(crate) fn read(&self, offset: u64, data: &mut [u8]) {
        data.fill(0);
        if offset >= 0x100 {
            let config = GUEST_CID.to_le_bytes();
            let start = usize::try_from(offset - 0x100).unwrap_or(usize::MAX);
            let bytes = config.get(start..).unwrap_or_default();
            data.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
        } else if let Ok(word) = <&mut [u8; 4]>::try_from(data) {
            *word = self.word(offset).to_le_bytes();
        }
    }

    fn word(&self, offset: u64) -> u32 {
        let queue = usize::try_from(self.queue).ok().and_then(|index| self.queues.get(index));
        match offset {
            0x00 => MAGIC,
            0x04 => VERSION,
            0x08 => DEVICE_VSOCK,
            0x0c => VENDOR,
            0x10 => half(FEATURES, self.device_half),
            0x34 => queue.map_or(0, |queue| u32::from(queue.max_size())),
            0x44 => queue.map_or(0, |queue| u32::from(queue.ready())),
            0x60 => self.interrupts.0.load(Ordering::SeqCst),
            0x70 => self.status,
            _ => 0,
        }
    }

    /// Writes the register at `offset`.
    pub(crate) fn write(&mut self, offset: u64, value: u32) -> Option<Action> {
        match offset {
            0x14 => self.device_half = value,
            0x20 if self.status & FEATURES_OK == 0 => {
                self.driver_features = with_half(self.driver_features, self.driver_half, value);
            }
            0x24 => self.driver_half = value,
            0x30 => self.queue = value,
            0x64 => {
                self.interrupts.0.fetch_and(!value, Ordering::SeqCst);
            }
            0x70 => return self.set_status(value),
            // While the queues are served they are the device's.
            _ if self.status & DRIVER_OK == 0 => self.set_up_queue(offset, value),
            _ => {}
        }
        None
    }

    fn set_up_queue(&mut self, offset: u64, value: u32) {
        let index = usize::try_from(self.queue).unwrap_or(usize::MAX);
        let Some(queue) = self.queues.get_mut(index) else { return };
        match offset {
            0x38 => queue.set_size(u16::try_from(value).unwrap_or(0)),
            0x44 => queue.set_ready(value == 1),
            0x80 => queue.set_desc_table_address(Some(value), None),
            0x84 => queue.set_desc_table_address(None, Some(value)),
            0x90 => queue.set_avail_ring_address(Some(value), None),
            0x94 => queue.set_avail_ring_address(None, Some(value)),
            0xa0 => queue.set_used_ring_address(Some(value), None),
            0xa4 => queue.set_used_ring_address(None, Some(value)),
            _ => {}
        }
    }

    fn set_status(&mut self, value: u32) -> Option<Action> {
        if value == 0 {
            self.queues.iter_mut().for_each(Queue::reset);
            self.interrupts.0.store(0, Ordering::SeqCst);
            (self.queue, self.device_half, self.driver_half) = (0, 0, 0);
            (self.driver_features, self.status) = (0, 0);
            return Some(Action::Reset);
        }
        let acceptable = self.driver_features & !FEATURES == 0 && self.driver_features & VERSION_1 != 0;
        let new = if acceptable { value } else { value & !(FEATURES_OK | DRIVER_OK) };
        let starts = new & DRIVER_OK != 0 && self.status & DRIVER_OK == 0 && new & FEATURES_OK != 0;
        self.status = new;
        if !starts {
            return None;
        }
        let event_idx = self.driver_features & EVENT_IDX != 0;
        self.queues.iter_mut().for_each(|queue| queue.set_event_idx(event_idx));
        let copy = |queue: &Queue| Queue::try_from(queue.state()).ok();
        match &self.queues {
            [receive, transmit, _] => Some(Action::Activate([copy(receive)?, copy(transmit)?])),
        }
    }
}

fn half(value: u64, which: u32) -> u32 {
    let shifted = match which {
        0 => value & u64::from(u32::MAX),
        1 => value >> 32,
        _ => 0,
    };
    u32::try_from(shifted).unwrap_or_default()
}

fn with_half(value: u64, which: u32, word: u32) -> u64 {
    let low = u64::from(u32::MAX);
    match which {
        0 => value & !low | u64::from(word),
        1 => value & low | u64::from(word) << 32,
        // There are no such features: nothing that the device could accept.
        _ if word != 0 => u64::MAX,
        _ => value,
    }
}
