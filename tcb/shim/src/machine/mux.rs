// SPDX-License-Identifier: Apache-2.0

//! Streams over virtio-vsock: connections, their buffers and their credit (Virtual I/O Device 1.2, section 5.10).
//!
//! The device is the host's. It may send what was never asked for, claim credit that it does not have, overfill a
//! buffer, open connections without end; each of these costs it the connection or nothing at all, never memory beyond
//! [`MAX_CONNECTIONS`] times [`BUFFER`].

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::mem;
use core::task::{Context, Poll, Waker};

use enarx_keep::StreamError;

use super::packet::{Address, HEADER, Header, Operation};

/// Bytes that are kept for a stream until it is read.
pub const BUFFER: usize = 64 * 1024;
/// Streams at the same time, those that are being closed included.
pub const MAX_CONNECTIONS: usize = 32;
/// The host's context identifier.
const HOST: u64 = 2;
/// Most bytes in a packet that is sent.
const MAX_BODY: usize = 16 * 1024;
/// Local ports of streams that the Keep opens; below are those that it serves.
const FIRST_LOCAL_PORT: u32 = 1 << 16;
/// Packets that are looked at in one go.
const MAX_PACKETS: usize = 64;

/// A vsock device, packet by packet.
pub trait Packets {
    /// The context identifier of this machine.
    fn cid(&self) -> u64;
    /// Hands the next packet that has come to `handler`, whatever it is. `false` when there is none.
    fn receive(&mut self, handler: &mut dyn FnMut(&[u8])) -> Result<bool, Broken>;
    /// Sends a packet.
    fn send(&mut self, header: &[u8; HEADER], body: &[u8]) -> Result<(), Broken>;
}

/// A device that is of no more use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the vsock device broke the rules of virtio")]
pub struct Broken;

/// Which connection; never used again for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id(u64);

/// All connections over one device.
pub struct Mux<P> {
    packets: P,
    connections: Vec<Connection>,
    accepted: VecDeque<(u32, Id)>,
    acceptor: Option<Waker>,
    next_id: u64,
    next_port: u32,
    broken: bool,
}

struct Connection {
    id: Id,
    local: u32,
    peer: Address,
    received: VecDeque<u8>,
    /// Bytes that were read here in all, modulo 2^32, and how many of them the peer does not know of
    read: u32,
    untold: usize,
    /// Bytes sent in all, modulo 2^32, how much room the peer has for them, and how many it has taken
    sent: u32,
    room: u32,
    taken: u32,
    state: State,
    /// What the peer has said that it does no more
    peer_sends: bool,
    peer_receives: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Asked for and not answered
    Connecting,
    Open,
    /// Nobody here is interested any more; the peer has been told
    Closing,
    /// Over
    Reset,
}

impl<P: Packets> Mux<P> {
    /// No connections yet.
    pub fn new(packets: P) -> Self {
        Self {
            packets,
            connections: Vec::new(),
            accepted: VecDeque::new(),
            acceptor: None,
            next_id: 0,
            next_port: FIRST_LOCAL_PORT,
            broken: false,
        }
    }

    /// Looks at what has come, and wakes who waits for it. Says whether there was anything.
    pub fn poll(&mut self) -> bool {
        for count in 0..MAX_PACKETS {
            let mut packet = Vec::new();
            match self.packets.receive(&mut |bytes| packet.extend_from_slice(bytes)) {
                Ok(true) => {}
                Ok(false) => return count > 0,
                Err(Broken) => {
                    let first = !self.broken;
                    self.fail();
                    return first;
                }
            }
            // What is no packet is dropped, as a network would.
            if let Some((header, body)) = Header::decode(&packet)
                && header.to.cid == self.packets.cid()
                && header.from.cid == HOST
            {
                self.handle(&header, body);
            }
        }
        true
    }

    /// The next connection that the host has opened, and to which port.
    pub fn poll_accept(&mut self, context: &Context<'_>) -> Poll<Result<(u32, Id), StreamError>> {
        if self.broken {
            return Poll::Ready(Err(StreamError));
        }
        let Some(accepted) = self.accepted.pop_front() else {
            self.acceptor = Some(context.waker().clone());
            return Poll::Pending;
        };
        Poll::Ready(Ok(accepted))
    }

    /// Asks for a connection to a port of the host.
    pub fn connect(&mut self, port: u32) -> Result<Id, StreamError> {
        let local = self.next_port;
        self.next_port = self.next_port.checked_add(1).unwrap_or(FIRST_LOCAL_PORT);
        let peer = Address { cid: HOST, port };
        let id = self.add(peer, local, State::Connecting).ok_or(StreamError)?;
        self.say(id, Operation::Request, b"");
        if self.broken { Err(StreamError) } else { Ok(id) }
    }

    /// Reads into `buffer`; 0 is the end.
    pub fn poll_read(
        &mut self,
        id: Id,
        context: &Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<Result<usize, StreamError>> {
        let Some(connection) = self.connection(id) else { return Poll::Ready(Err(StreamError)) };
        if connection.received.is_empty() {
            return match connection.state {
                State::Connecting | State::Open if connection.peer_sends => {
                    connection.reader = Some(context.waker().clone());
                    Poll::Pending
                }
                State::Connecting | State::Open => Poll::Ready(Ok(0)),
                State::Closing | State::Reset => Poll::Ready(Err(StreamError)),
            };
        }
        let count = connection.take(buffer);
        // The peer is told before it has to stop, and not for every byte.
        if connection.untold >= BUFFER / 2 && connection.state == State::Open {
            self.say(id, Operation::CreditUpdate, b"");
        }
        Poll::Ready(Ok(count))
    }

    /// Sends a beginning of `bytes` and says how long it was.
    pub fn poll_write(
        &mut self,
        id: Id,
        context: &Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, StreamError>> {
        let Some(connection) = self.connection(id) else { return Poll::Ready(Err(StreamError)) };
        let count = bytes.len().min(MAX_BODY).min(connection.peer_room());
        match connection.state {
            State::Open if !connection.peer_receives => return Poll::Ready(Err(StreamError)),
            State::Open if bytes.is_empty() => return Poll::Ready(Ok(0)),
            State::Open if count > 0 => {}
            State::Open | State::Connecting => {
                connection.writer = Some(context.waker().clone());
                return Poll::Pending;
            }
            State::Closing | State::Reset => return Poll::Ready(Err(StreamError)),
        }
        connection.sent = connection.sent.wrapping_add(u32::try_from(count).unwrap_or(u32::MAX));
        self.say(id, Operation::Data, bytes.get(..count).unwrap_or_default());
        if self.broken { Poll::Ready(Err(StreamError)) } else { Poll::Ready(Ok(count)) }
    }

    /// Nobody here is interested in this connection any more. What was written still arrives.
    pub fn release(&mut self, id: Id) {
        let Some(connection) = self.connection(id) else { return };
        connection.received = VecDeque::new();
        match connection.state {
            State::Reset => self.connections.retain(|known| known.id != id),
            State::Closing => {}
            State::Connecting | State::Open => {
                connection.state = State::Closing;
                self.say(id, Operation::Shutdown { receive: true, send: true }, b"");
            }
        }
    }

    fn handle(&mut self, header: &Header, body: &[u8]) {
        let known = self
            .connections
            .iter_mut()
            .find(|known| known.peer == header.from && known.local == header.to.port);
        let Some(connection) = known else { return self.unexpected(header) };
        let id = connection.id;
        connection.update(header);
        match header.operation {
            Operation::Response if connection.state == State::Connecting => {
                connection.state = State::Open;
                connection.wake();
            }
            Operation::Data if connection.takes(body) => connection.receive(body),
            Operation::CreditRequest => self.say(id, Operation::CreditUpdate, b""),
            Operation::CreditUpdate => {}
            Operation::Reset => self.over(id),
            Operation::Shutdown { .. } if connection.state == State::Closing => {
                self.say(id, Operation::Reset, b"");
                self.over(id);
            }
            Operation::Shutdown { receive, send } => {
                connection.peer_sends &= !send;
                connection.peer_receives &= !receive;
                connection.wake();
            }
            // Bytes that there is no room for, an answer that was not asked for, a second request for what is there.
            Operation::Data | Operation::Response | Operation::Request => {
                self.say(id, Operation::Reset, b"");
                self.over(id);
            }
        }
    }

    /// A packet that belongs to no connection: a request, or to be answered with a reset.
    fn unexpected(&mut self, header: &Header) {
        let (peer, port) = (header.from, header.to.port);
        let added = match header.operation {
            Operation::Request if port < FIRST_LOCAL_PORT => self.add(peer, port, State::Open),
            Operation::Reset => return,
            _ => None,
        };
        let Some(id) = added else {
            let from = Address { cid: self.packets.cid(), port };
            let reset = Header { from, to: peer, operation: Operation::Reset, length: 0, room: 0, taken: 0 };
            if self.packets.send(&reset.encode(), b"").is_err() {
                self.fail();
            }
            return;
        };
        if let Some(connection) = self.connection(id) {
            connection.update(header);
        }
        self.accepted.push_back((port, id));
        wake(&mut self.acceptor);
        self.say(id, Operation::Response, b"");
    }

    /// The peer knows nothing of this connection any more. Who holds it here learns it when it next looks.
    fn over(&mut self, id: Id) {
        let Some(connection) = self.connection(id) else { return };
        let held = connection.state != State::Closing;
        connection.end();
        if !held {
            self.connections.retain(|known| known.id != id);
        }
    }

    fn connection(&mut self, id: Id) -> Option<&mut Connection> {
        self.connections.iter_mut().find(|known| known.id == id)
    }

    /// Sends a packet of a connection.
    fn say(&mut self, id: Id, operation: Operation, body: &[u8]) {
        let cid = self.packets.cid();
        let Some(connection) = self.connection(id) else { return };
        connection.untold = 0;
        let header = Header {
            from: Address { cid, port: connection.local },
            to: connection.peer,
            operation,
            length: u32::try_from(body.len()).unwrap_or(u32::MAX),
            room: u32::try_from(BUFFER).unwrap_or(u32::MAX),
            taken: connection.read,
        };
        if self.packets.send(&header.encode(), body).is_err() {
            self.fail();
        }
    }

    /// Makes room for one more by forgetting the oldest that is only being closed.
    fn add(&mut self, peer: Address, local: u32, state: State) -> Option<Id> {
        if self.broken {
            return None;
        }
        if self.connections.len() >= MAX_CONNECTIONS {
            let closing = self.connections.iter().position(|known| known.state == State::Closing)?;
            self.connections.remove(closing);
        }
        let id = Id(self.next_id);
        self.next_id += 1;
        self.connections.push(Connection {
            id,
            local,
            peer,
            received: VecDeque::new(),
            read: 0,
            untold: 0,
            sent: 0,
            room: 0,
            taken: 0,
            state,
            peer_sends: true,
            peer_receives: true,
            reader: None,
            writer: None,
        });
        Some(id)
    }

    /// The device is of no more use.
    fn fail(&mut self) {
        self.broken = true;
        self.connections.iter_mut().for_each(Connection::end);
        wake(&mut self.acceptor);
    }
}

impl Connection {
    /// How much the peer says that it can take. A peer that has taken what was never sent has no room.
    fn peer_room(&self) -> usize {
        let waiting = self.sent.wrapping_sub(self.taken);
        usize::try_from(self.room.saturating_sub(waiting)).unwrap_or(0)
    }

    fn update(&mut self, header: &Header) {
        self.room = header.room;
        self.taken = header.taken;
        if self.peer_room() > 0 {
            wake(&mut self.writer);
        }
    }

    /// Whether there is room for these bytes, and they may come at all. What nobody reads takes no room.
    fn takes(&self, body: &[u8]) -> bool {
        match self.state {
            State::Closing => true,
            State::Open => self.peer_sends && body.len() <= BUFFER.saturating_sub(self.received.len()),
            State::Connecting | State::Reset => false,
        }
    }

    fn receive(&mut self, body: &[u8]) {
        if self.state == State::Closing {
            self.forwarded(body.len());
        } else {
            self.received.extend(body);
            wake(&mut self.reader);
        }
    }

    fn take(&mut self, buffer: &mut [u8]) -> usize {
        let count = buffer.len().min(self.received.len());
        let (front, back) = self.received.as_slices();
        let (first, second) = buffer.split_at_mut(count.min(front.len()));
        first.copy_from_slice(front.get(..first.len()).unwrap_or_default());
        let rest = count - first.len();
        if let (Some(to), Some(from)) = (second.get_mut(..rest), back.get(..rest)) {
            to.copy_from_slice(from);
        }
        self.received.drain(..count);
        self.forwarded(count);
        count
    }

    fn forwarded(&mut self, count: usize) {
        self.read = self.read.wrapping_add(u32::try_from(count).unwrap_or(u32::MAX));
        self.untold += count;
    }

    fn end(&mut self) {
        self.state = State::Reset;
        self.wake();
    }

    fn wake(&mut self) {
        wake(&mut self.reader);
        wake(&mut self.writer);
    }
}

fn wake(waiting: &mut Option<Waker>) {
    if let Some(waker) = mem::take(waiting) {
        waker.wake();
    }
}
