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
use virtio_drivers::Result as DeviceResult;
use virtio_drivers::device::socket::{
    ConnectionInfo, DisconnectReason, VsockAddr, VsockEvent, VsockEventType,
};

/// Bytes that are kept for a stream until it is read.
pub const BUFFER: usize = 64 * 1024;
/// Streams at the same time, those that are being closed included.
pub const MAX_CONNECTIONS: usize = 32;
/// The host's context identifier.
const HOST: u64 = 2;
/// Longest packet that is sent.
const MAX_PACKET: usize = 16 * 1024;
/// Local ports of streams that the Keep opens; below are those that it serves.
const FIRST_LOCAL_PORT: u32 = 1 << 16;
/// Packets that are looked at in one go.
const MAX_EVENTS: usize = 64;

/// A vsock device, packet by packet.
pub trait Packets {
    /// The context identifier of this machine.
    fn guest_cid(&self) -> u64;
    /// Hands the next packet that has come to `handler`. `None` when there is none, or it was not one.
    fn next(&mut self, handler: &mut dyn FnMut(&VsockEvent, &[u8])) -> DeviceResult<Option<()>>;
    /// Asks for a connection.
    fn connect(&mut self, connection: &ConnectionInfo) -> DeviceResult;
    /// Accepts one.
    fn accept(&mut self, connection: &ConnectionInfo) -> DeviceResult;
    /// Sends bytes, at most as many as the peer has room for.
    fn send(&mut self, bytes: &[u8], connection: &mut ConnectionInfo) -> DeviceResult;
    /// Says how much room there is.
    fn credit(&mut self, connection: &ConnectionInfo) -> DeviceResult;
    /// Says that nothing more is sent or read.
    fn shutdown(&mut self, connection: &ConnectionInfo) -> DeviceResult;
    /// Ends a connection at once.
    fn reset(&mut self, connection: &ConnectionInfo) -> DeviceResult;
}

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
    info: ConnectionInfo,
    received: VecDeque<u8>,
    /// Bytes that were read since the peer was last told
    freed: usize,
    /// Bytes sent so far, modulo 2^32, and how many of them the peer has room for and has taken
    sent: u32,
    room: u32,
    taken: u32,
    state: State,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Asked for and not answered
    Connecting,
    Open,
    /// The peer sends nothing more
    PeerDone,
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
        for index in 0..MAX_EVENTS {
            let mut event = None;
            let mut body = Vec::new();
            let result = self.packets.next(&mut |next, bytes| {
                body.extend_from_slice(bytes);
                event = Some(next.clone());
            });
            match (result, event) {
                (Ok(_), Some(event)) => self.event(&event, &body),
                (Ok(None), None) => return index > 0,
                // A packet that is none is dropped; a device that fails for good says so again and again.
                (Ok(Some(())), None) => {}
                (Err(_), _) => {
                    self.fail();
                    return true;
                }
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
        let peer = VsockAddr { cid: HOST, port };
        let id = self.add(peer, local, State::Connecting).ok_or(StreamError)?;
        let Some(connection) = self.connections.last() else { return Err(StreamError) };
        if self.packets.connect(&connection.info).is_err() {
            self.fail();
            return Err(StreamError);
        }
        Ok(id)
    }

    /// Reads into `buffer`; 0 is the end.
    pub fn poll_read(
        &mut self,
        id: Id,
        context: &Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<Result<usize, StreamError>> {
        let Some(connection) = self.connections.iter_mut().find(|known| known.id == id) else {
            return Poll::Ready(Err(StreamError));
        };
        if connection.received.is_empty() {
            return match connection.state {
                State::Connecting | State::Open => {
                    connection.reader = Some(context.waker().clone());
                    Poll::Pending
                }
                State::PeerDone => Poll::Ready(Ok(0)),
                State::Closing | State::Reset => Poll::Ready(Err(StreamError)),
            };
        }
        let count = connection.take(buffer);
        // The peer is told before it has to stop, and not for every byte.
        if connection.freed >= BUFFER / 2 && connection.state == State::Open {
            connection.freed = 0;
            if self.packets.credit(&connection.info).is_err() {
                self.fail();
            }
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
        let Some(connection) = self.connections.iter_mut().find(|known| known.id == id) else {
            return Poll::Ready(Err(StreamError));
        };
        match connection.state {
            State::Open | State::PeerDone if bytes.is_empty() => return Poll::Ready(Ok(0)),
            State::Open | State::PeerDone => {}
            State::Connecting => {
                connection.writer = Some(context.waker().clone());
                return Poll::Pending;
            }
            State::Closing | State::Reset => return Poll::Ready(Err(StreamError)),
        }
        let count = bytes.len().min(MAX_PACKET).min(connection.peer_room());
        if count == 0 {
            connection.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        let part = bytes.get(..count).unwrap_or_default();
        if self.packets.send(part, &mut connection.info).is_err() {
            // Only a peer whose counters contradict each other gets here.
            connection.end();
            return Poll::Ready(Err(StreamError));
        }
        connection.sent = connection.sent.wrapping_add(u32::try_from(count).unwrap_or(u32::MAX));
        connection.freed = 0;
        Poll::Ready(Ok(count))
    }

    /// Nobody here is interested in this connection any more. What was written still arrives.
    pub fn release(&mut self, id: Id) {
        let Some(connection) = self.connections.iter_mut().find(|known| known.id == id) else { return };
        connection.received = VecDeque::new();
        match connection.state {
            State::Reset => self.connections.retain(|known| known.id != id),
            State::Closing => {}
            State::Connecting | State::Open | State::PeerDone => {
                connection.state = State::Closing;
                if self.packets.shutdown(&connection.info).is_err() {
                    self.fail();
                }
            }
        }
    }

    fn event(&mut self, event: &VsockEvent, body: &[u8]) {
        let cid = self.packets.guest_cid();
        let found = self.connections.iter_mut().position(|known| event.matches_connection(&known.info, cid));
        let Some(index) = found else { return self.unexpected(event, cid) };
        let Some(connection) = self.connections.get_mut(index) else { return };
        connection.update(event);
        let answer = match event.event_type {
            VsockEventType::Connected if connection.state == State::Connecting => {
                connection.state = State::Open;
                connection.wake();
                Ok(())
            }
            VsockEventType::Received { .. } => connection.receive(body, &mut self.packets),
            VsockEventType::CreditRequest => self.packets.credit(&connection.info),
            VsockEventType::CreditUpdate => Ok(()),
            VsockEventType::Disconnected { reason } => {
                return self.disconnected(index, reason);
            }
            // An answer that was not asked for, a second request for what is there.
            VsockEventType::Connected | VsockEventType::ConnectionRequest => {
                connection.end();
                self.packets.reset(&connection.info)
            }
        };
        if answer.is_err() {
            self.fail();
        }
    }

    /// A packet that belongs to no connection: a request, or to be answered with a reset.
    fn unexpected(&mut self, event: &VsockEvent, cid: u64) {
        if event.destination.cid != cid || event.source.cid != HOST {
            return;
        }
        let port = event.destination.port;
        let result = match event.event_type {
            VsockEventType::ConnectionRequest if port < FIRST_LOCAL_PORT => {
                match self.add(event.source, port, State::Open) {
                    None => self.packets.reset(&ConnectionInfo::new(event.source, port)),
                    Some(id) => self.accept(id, port, event),
                }
            }
            VsockEventType::Disconnected { .. } => Ok(()),
            _ => self.packets.reset(&ConnectionInfo::new(event.source, port)),
        };
        if result.is_err() {
            self.fail();
        }
    }

    fn accept(&mut self, id: Id, port: u32, event: &VsockEvent) -> DeviceResult {
        let Some(connection) = self.connections.last_mut() else { return Ok(()) };
        connection.update(event);
        self.packets.accept(&connection.info)?;
        self.accepted.push_back((port, id));
        wake(&mut self.acceptor);
        Ok(())
    }

    fn disconnected(&mut self, index: usize, reason: DisconnectReason) {
        let Some(connection) = self.connections.get_mut(index) else { return };
        let closing = connection.state == State::Closing;
        match reason {
            DisconnectReason::Shutdown if !closing => connection.peer_done(),
            _ => connection.end(),
        }
        let result = match reason {
            DisconnectReason::Shutdown if closing => self.packets.reset(&connection.info),
            _ => Ok(()),
        };
        if closing {
            self.connections.swap_remove(index);
        }
        if result.is_err() {
            self.fail();
        }
    }

    /// Makes room for one more by forgetting the oldest that is only being closed.
    fn add(&mut self, peer: VsockAddr, port: u32, state: State) -> Option<Id> {
        if self.broken {
            return None;
        }
        if self.connections.len() >= MAX_CONNECTIONS {
            let closing = self.connections.iter().position(|known| known.state == State::Closing)?;
            self.connections.remove(closing);
        }
        let id = Id(self.next_id);
        self.next_id += 1;
        let mut info = ConnectionInfo::new(peer, port);
        info.buf_alloc = u32::try_from(BUFFER).unwrap_or(u32::MAX);
        self.connections.push(Connection {
            id,
            info,
            received: VecDeque::new(),
            freed: 0,
            sent: 0,
            room: 0,
            taken: 0,
            state,
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
        usize::try_from(self.room.checked_sub(waiting).unwrap_or(0)).unwrap_or(0)
    }

    fn update(&mut self, event: &VsockEvent) {
        self.room = event.buffer_status.buffer_allocation;
        self.taken = event.buffer_status.forward_count;
        self.info.update_for_event(event);
        if self.peer_room() > 0 {
            wake(&mut self.writer);
        }
    }

    fn receive(&mut self, body: &[u8], packets: &mut impl Packets) -> DeviceResult {
        match self.state {
            // Nobody reads it: its room is given back at once.
            State::Closing => {
                self.info.done_forwarding(body.len());
                Ok(())
            }
            State::Open if body.len() <= BUFFER.saturating_sub(self.received.len()) => {
                self.received.extend(body);
                wake(&mut self.reader);
                Ok(())
            }
            // More than there is room for, or after its own end.
            State::Open | State::Connecting | State::PeerDone => {
                self.end();
                packets.reset(&self.info)
            }
            State::Reset => Ok(()),
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
        self.info.done_forwarding(count);
        self.freed += count;
        count
    }

    fn peer_done(&mut self) {
        if matches!(self.state, State::Connecting | State::Open) {
            self.state = State::PeerDone;
        }
        self.wake();
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
