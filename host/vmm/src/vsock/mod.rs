// SPDX-License-Identifier: Apache-2.0

//! The device that a Keep in a virtual machine speaks to its host with: VIRTIO 1.2, section 5.10, streams only.
//!
//! Written once, over queues in the guest's memory, for both ways in which a guest reaches it. Everything that comes from the
//! guest is hostile: it can harm its own connections and nothing else. What is kept for it is bounded by the numbers
//! here, whatever it sends or leaves lying.

mod connection;
mod header;
mod rings;

use std::collections::VecDeque;
use std::io;
use std::os::unix::net::UnixStream;

use connection::{Connection, Verdict, prepare};
use header::{Header, Ports, REQUEST, RESET, STREAM};
use virtio_vsock::packet::VsockPacket;
use vm_memory::bitmap::BitmapSlice;

pub use connection::BUFFER;
pub use header::{GUEST_CID, HOST_CID};
pub use rings::{Broken, Progress, Ring};

/// Most connections at a time, those included that are about to end.
pub const MAX_CONNECTIONS: usize = 16;
/// Longest data of a packet.
pub const MAX_DATA: u32 = 64 * 1024;
/// How many packets without a connection may wait for the guest before it may send more.
const MAX_RESETS: usize = 64;
/// First of the ports from which the host opens connections.
const FIRST_PORT: u32 = 1024;

/// The host's port for requests of evidence.
pub const PLATFORM_PORT: u32 = enarx_keep::wire::PLATFORM_PORT;
/// The host's ports for sockets of workloads.
pub const LISTEN_PORT: u32 = enarx_keep::wire::LISTEN_PORT;
/// As [`LISTEN_PORT`].
pub const CONNECT_PORT: u32 = enarx_keep::wire::CONNECT_PORT;
/// The host's port that is asked for when a Keep has its owner. The connection itself is refused.
pub const PROVISIONED_PORT: u32 = 3;

/// What the device asks of the host.
pub trait Host {
    /// The guest wants a stream to the host's port `port`. `None` refuses.
    fn connect(&mut self, port: u32) -> Option<UnixStream>;
    /// The guest says that it has an owner.
    fn provisioned(&mut self);
    /// Has [`Vsock::ready`] called with `id` when `stream` becomes readable or writable or ends.
    fn watch(&mut self, stream: &UnixStream, id: u64) -> io::Result<()>;
}

/// The device's connections.
#[derive(Default)]
pub struct Vsock {
    connections: Vec<Connection>,
    /// Packets that say that there is no such connection.
    resets: VecDeque<Header>,
    next_id: u64,
    next_port: u32,
    /// Which connection is served next.
    turn: usize,
}

impl Vsock {
    /// A device without connections.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens a connection to the guest's port `port`. Without room for it the stream is closed.
    pub fn open(&mut self, port: u32, stream: UnixStream, host: &mut dyn Host) {
        let ports = Ports { host: self.free_port(), guest: port };
        let id = self.free_id();
        if self.make_room() && prepare(&stream).is_ok() && host.watch(&stream, id).is_ok() {
            self.connections.push(Connection::to_guest(id, ports, stream));
        }
    }

    /// The stream that is watched under `id` is readable or writable, or its other end is `gone`.
    pub fn ready(&mut self, id: u64, readable: bool, gone: bool) {
        if let Some(index) = self.connections.iter().position(|connection| connection.id == id)
            && let Some(connection) = self.connections.get_mut(index)
        {
            let verdict = connection.ready(readable, gone);
            self.conclude(index, verdict);
        }
    }

    /// The guest has reset its device: it knows of no connection any more, and what it sent before still arrives. A
    /// connection that it has not heard of yet waits on: every driver begins with a reset, and hosts do not wait for it.
    pub fn reset(&mut self) {
        self.connections.retain_mut(Connection::survives_reset);
        self.resets.clear();
    }

    /// Whether bytes of the guest's are still on their way to the host.
    pub fn has_backlog(&self) -> bool {
        self.connections.iter().any(Connection::has_backlog)
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// Whether the guest may send: there is room for what it may have to be told.
    pub fn listens(&self) -> bool {
        self.resets.len() < MAX_RESETS
    }

    /// Acts on a packet of the guest's.
    fn packet<B: BitmapSlice>(&mut self, packet: &VsockPacket<'_, B>, host: &mut dyn Host) {
        if packet.src_cid() != GUEST_CID || packet.dst_cid() != HOST_CID {
            return;
        }
        let ports = Ports { host: packet.dst_port(), guest: packet.src_port() };
        let operation = packet.op();
        if packet.type_() != STREAM {
            return self.refuse(ports, operation);
        }
        let credit = (packet.buf_alloc(), packet.fwd_cnt());
        let index = self.connections.iter().position(|connection| connection.answers(ports));
        let known = index.and_then(|index| Some((index, self.connections.get_mut(index)?)));
        match known {
            // Its last connection with these ports is over; it need not know yet that the host agrees.
            Some((index, connection)) if operation == REQUEST && connection.is_closing() => {
                self.connections.swap_remove(index);
                self.accept(ports, credit, host);
            }
            Some((index, connection)) => {
                connection.note_credit(credit);
                let verdict = connection.packet(operation, packet.flags(), packet.data_slice());
                self.conclude(index, verdict);
            }
            None if operation == REQUEST => self.accept(ports, credit, host),
            None => self.refuse(ports, operation),
        }
    }

    fn accept(&mut self, ports: Ports, credit: (u32, u32), host: &mut dyn Host) {
        let stream = match ports.host {
            PROVISIONED_PORT => {
                host.provisioned();
                None
            }
            PLATFORM_PORT | LISTEN_PORT | CONNECT_PORT if self.make_room() => host.connect(ports.host),
            _ => None,
        };
        let id = self.free_id();
        match stream {
            Some(stream) if prepare(&stream).is_ok() && host.watch(&stream, id).is_ok() => {
                self.connections.push(Connection::to_host(id, ports, stream, credit));
            }
            _ => self.refuse(ports, REQUEST),
        }
    }

    /// Says that there is no such connection. A reset is never answered.
    fn refuse(&mut self, ports: Ports, operation: u16) {
        if operation != RESET {
            self.resets.push_back(Header::reset(ports));
        }
    }

    fn conclude(&mut self, index: usize, verdict: Verdict) {
        if verdict == Verdict::Goes {
            return;
        }
        let connection = self.connections.swap_remove(index);
        // Whether it takes packets or not, a guest is not owed more than these.
        let room = self.resets.len() < MAX_RESETS + MAX_CONNECTIONS;
        if verdict == Verdict::Reset && !connection.is_unknown() && room {
            self.resets.push_back(Header::reset(connection.ports));
        }
    }

    /// Makes room for a connection, at the cost of one that waits for the guest to agree that it is over.
    fn make_room(&mut self) -> bool {
        if self.connections.len() < MAX_CONNECTIONS {
            return true;
        }
        match self.connections.iter().position(Connection::is_closing) {
            Some(index) => {
                self.conclude(index, Verdict::Reset);
                true
            }
            None => false,
        }
    }

    /// Whether there may be a packet for the guest.
    fn has_next(&self) -> bool {
        !self.resets.is_empty() || self.connections.iter().any(Connection::has_next)
    }

    /// Puts the next packet into `packet`, one connection after the other having its turn. Returns its whole length.
    fn fill<B: BitmapSlice>(&mut self, packet: &mut VsockPacket<'_, B>) -> Option<u32> {
        let header = self.resets.pop_front().or_else(|| self.next(packet))?;
        packet.set_header_from_raw(&header.encode()).ok()?;
        u32::try_from(header::HEADER).ok()?.checked_add(header.length)
    }

    fn next<B: BitmapSlice>(&mut self, packet: &VsockPacket<'_, B>) -> Option<Header> {
        for _ in 0..self.connections.len() {
            self.turn = (self.turn + 1) % self.connections.len();
            let next = self.connections.get_mut(self.turn).and_then(|it| it.next(packet.data_slice()));
            if let Some((header, verdict)) = next {
                self.conclude(self.turn, verdict);
                return Some(header);
            }
        }
        None
    }

    fn free_id(&mut self) -> u64 {
        self.next_id = self.next_id.wrapping_add(1);
        self.next_id
    }

    fn free_port(&mut self) -> u32 {
        loop {
            self.next_port = self.next_port.checked_add(1).unwrap_or_default().max(FIRST_PORT);
            let port = self.next_port;
            if !self.connections.iter().any(|connection| connection.ports.host == port) {
                return port;
            }
        }
    }
}
