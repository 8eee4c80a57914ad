// SPDX-License-Identifier: Apache-2.0

//! A guest's driver in the same process: it fills queues in memory by hand, rightly or wrongly.
#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::io;
use std::os::unix::net::UnixStream;

use enarx_vmm::vsock::{Broken, Host, Progress, Ring, Vsock};
use virtio_queue::{Queue, QueueT as _};
use vm_memory::{Bytes as _, GuestAddress, GuestMemoryMmap};

pub(crate) const SIZE: u16 = 16;
const MEMORY: usize = 1 << 20;
/// Descriptors, available ring and used ring of a queue, each on a page of its own.
const PAGE: u64 = 0x1000;
const BUFFERS: u64 = 0x1_0000;
/// Bytes of a buffer, and of one to receive into.
pub(crate) const BUFFER: u64 = 0x1000;

pub(crate) const NEXT: u16 = 1;
pub(crate) const WRITE: u16 = 2;

pub(crate) const REQUEST: u16 = 1;
pub(crate) const RESPONSE: u16 = 2;
pub(crate) const RESET: u16 = 3;
pub(crate) const SHUTDOWN: u16 = 4;
pub(crate) const DATA: u16 = 5;
pub(crate) const CREDIT_UPDATE: u16 = 6;
pub(crate) const CREDIT_REQUEST: u16 = 7;

/// A descriptor: address, length, flags, next.
pub(crate) type Entry = (u64, u32, u16, u16);

/// A packet's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) from: (u64, u32),
    pub(crate) to: (u64, u32),
    pub(crate) length: u32,
    pub(crate) kind: u16,
    pub(crate) operation: u16,
    pub(crate) flags: u32,
    pub(crate) room: u32,
    pub(crate) taken: u32,
}

impl Header {
    /// From the guest's port to the host's, with plenty of room.
    pub(crate) fn new(guest: u32, host: u32, operation: u16) -> Self {
        Self {
            from: (3, guest),
            to: (2, host),
            length: 0,
            kind: 1,
            operation,
            flags: 0,
            room: 1 << 20,
            taken: 0,
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&self.from.0.to_le_bytes());
        bytes.extend_from_slice(&self.to.0.to_le_bytes());
        bytes.extend_from_slice(&self.from.1.to_le_bytes());
        bytes.extend_from_slice(&self.to.1.to_le_bytes());
        bytes.extend_from_slice(&self.length.to_le_bytes());
        bytes.extend_from_slice(&self.kind.to_le_bytes());
        bytes.extend_from_slice(&self.operation.to_le_bytes());
        for word in [self.flags, self.room, self.taken] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    fn decode(bytes: &[u8]) -> Self {
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let long = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        let half = |at: usize| u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap());
        Self {
            from: (long(0), word(16)),
            to: (long(8), word(20)),
            length: word(24),
            kind: half(28),
            operation: half(30),
            flags: word(32),
            room: word(36),
            taken: word(40),
        }
    }
}

/// A host that keeps the other ends of what the guest connects to.
#[derive(Default)]
pub(crate) struct FakeHost {
    pub(crate) streams: Vec<UnixStream>,
    pub(crate) provisioned: usize,
    pub(crate) watched: Vec<u64>,
}

impl Host for FakeHost {
    fn connect(&mut self, port: u32) -> Option<UnixStream> {
        assert_eq!(port, 2);
        let (ours, theirs) = UnixStream::pair().unwrap();
        self.streams.push(theirs);
        Some(ours)
    }

    fn provisioned(&mut self) {
        self.provisioned += 1;
    }

    fn watch(&mut self, _stream: &UnixStream, id: u64) -> io::Result<()> {
        self.watched.push(id);
        Ok(())
    }
}

/// One queue, from the guest's side.
pub(crate) struct Side {
    base: u64,
    available: u16,
    used: u16,
    ring: Ring,
}

/// A guest, its device and its host.
pub(crate) struct Machine {
    pub(crate) memory: GuestMemoryMmap,
    pub(crate) receive: Side,
    pub(crate) transmit: Side,
    pub(crate) vsock: Vsock,
    pub(crate) host: FakeHost,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let memory = GuestMemoryMmap::from_ranges(&[(GuestAddress(0), MEMORY)]).unwrap();
        let side = |base: u64| {
            let mut queue = Queue::new(SIZE).unwrap();
            queue.set_desc_table_address(Some(u32::try_from(base).unwrap()), Some(0));
            queue.set_avail_ring_address(Some(u32::try_from(base + PAGE).unwrap()), Some(0));
            queue.set_used_ring_address(Some(u32::try_from(base + 2 * PAGE).unwrap()), Some(0));
            queue.set_ready(true);
            Side { base, available: 0, used: 0, ring: Ring::new(queue, &memory).unwrap() }
        };
        let (receive, transmit) = (side(0), side(4 * PAGE));
        Self { receive, transmit, memory, vsock: Vsock::new(), host: FakeHost::default() }
    }

    /// Has the device do what there is to do.
    pub(crate) fn serve(&mut self) -> Result<(Progress, Progress), Broken> {
        let sent = self.transmit.ring.transmit(&self.memory, &mut self.vsock, &mut self.host)?;
        let received = self.receive.ring.receive(&self.memory, &mut self.vsock)?;
        Ok((sent, received))
    }

    /// Sends one packet and has it taken.
    pub(crate) fn send(&mut self, mut header: Header, data: &[u8]) {
        header.length = u32::try_from(data.len()).unwrap();
        self.offer_packet(&header, data);
        self.serve().unwrap();
    }

    /// Puts one packet into the queue, in one buffer.
    pub(crate) fn offer_packet(&mut self, header: &Header, data: &[u8]) {
        let slot = self.transmit.available % SIZE;
        let address = BUFFERS + u64::from(slot) * BUFFER;
        let bytes = [header.encode(), data.to_vec()].concat();
        self.memory.write_slice(&bytes, GuestAddress(address)).unwrap();
        let length = u32::try_from(bytes.len()).unwrap();
        self.transmit.describe(&self.memory, slot, (address, length, 0, 0));
        self.transmit.offer(&self.memory, slot);
    }

    /// Gives the device `count` buffers to answer in.
    pub(crate) fn give_buffers(&mut self, count: u16) {
        for _ in 0..count {
            let slot = self.receive.available % SIZE;
            let address = BUFFERS + u64::from(SIZE + slot) * BUFFER;
            let length = u32::try_from(BUFFER).unwrap();
            self.receive.describe(&self.memory, slot, (address, length, WRITE, 0));
            self.receive.offer(&self.memory, slot);
        }
    }

    /// What the device has answered since the last time.
    pub(crate) fn answers(&mut self) -> Vec<(Header, Vec<u8>)> {
        let mut answers = Vec::new();
        for (slot, length) in self.receive.take(&self.memory) {
            let mut bytes = vec![0; usize::try_from(length).unwrap()];
            let address = BUFFERS + (u64::from(SIZE) + u64::from(slot)) * BUFFER;
            self.memory.read_slice(&mut bytes, GuestAddress(address)).unwrap();
            if length > 0 {
                answers.push((Header::decode(&bytes), bytes.split_off(44)));
            }
        }
        answers
    }

    /// Sends one packet and returns the operations of the answers.
    pub(crate) fn ask(&mut self, header: Header, data: &[u8]) -> Vec<u16> {
        self.give_buffers(4);
        self.send(header, data);
        self.answers().iter().map(|(header, _)| header.operation).collect()
    }

    /// A connection from the guest's port to the platform's.
    pub(crate) fn connect(&mut self, guest: u32) -> UnixStream {
        assert_eq!(self.ask(Header::new(guest, 2, REQUEST), &[]), [RESPONSE]);
        self.host.streams.pop().unwrap()
    }
}

impl Side {
    /// Writes a descriptor.
    pub(crate) fn describe(&self, memory: &GuestMemoryMmap, slot: u16, entry: Entry) {
        let at = self.base + u64::from(slot) * 16;
        memory.write_obj(entry.0, GuestAddress(at)).unwrap();
        memory.write_obj(entry.1, GuestAddress(at + 8)).unwrap();
        memory.write_obj(entry.2, GuestAddress(at + 12)).unwrap();
        memory.write_obj(entry.3, GuestAddress(at + 14)).unwrap();
    }

    /// Offers the chain that begins at `head`.
    pub(crate) fn offer(&mut self, memory: &GuestMemoryMmap, head: u16) {
        let at = self.base + PAGE + 4 + u64::from(self.available % SIZE) * 2;
        memory.write_obj(head, GuestAddress(at)).unwrap();
        self.available = self.available.wrapping_add(1);
        self.claim(memory, self.available);
    }

    /// Says that this many chains have been offered in all.
    pub(crate) fn claim(&self, memory: &GuestMemoryMmap, available: u16) {
        memory.write_obj(available, GuestAddress(self.base + PAGE + 2)).unwrap();
    }

    /// Which chains the device has used since the last time, and how many bytes it wrote.
    pub(crate) fn take(&mut self, memory: &GuestMemoryMmap) -> Vec<(u32, u32)> {
        let end: u16 = memory.read_obj(GuestAddress(self.base + 2 * PAGE + 2)).unwrap();
        let mut taken = Vec::new();
        while self.used != end {
            let at = self.base + 2 * PAGE + 4 + u64::from(self.used % SIZE) * 8;
            let id: u32 = memory.read_obj(GuestAddress(at)).unwrap();
            taken.push((id, memory.read_obj(GuestAddress(at + 4)).unwrap()));
            self.used = self.used.wrapping_add(1);
        }
        taken
    }
}
