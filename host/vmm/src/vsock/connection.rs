// SPDX-License-Identifier: Apache-2.0

//! One connection: a unix socket of the host's on one side, packets of the guest's on the other.
//!
//! Bytes from the guest go to the socket at once; what it does not take is kept, up to the credit that the guest was
//! given. Bytes to the guest are read from the socket into the guest's own buffer when there is one, never before.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use vm_memory::bitmap::BitmapSlice;
use vm_memory::{
    ReadVolatile as _, VolatileMemory as _, VolatileMemoryError, VolatileSlice, WriteVolatile as _,
};

use super::header::{
    CREDIT_REQUEST, CREDIT_UPDATE, DATA, Header, NO_RECEIVE, NO_SEND, NOTHING, Ports, REQUEST, RESET,
    RESPONSE, SHUTDOWN,
};

/// How many bytes the guest may send that the host has not taken yet.
pub const BUFFER: u32 = 128 * 1024;

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The host asked for it and the guest was not told yet.
    Wanted,
    /// The guest was asked.
    Asked,
    /// Both know of it.
    Open,
    /// The host is gone and the guest was told; its answer is waited for.
    Closing,
    /// The guest is gone; what it sent before is still on the way.
    Draining,
}

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It goes on.
    Goes,
    /// It is over and the guest has to be told.
    Reset,
    /// It is over.
    Over,
}

#[allow(clippy::struct_excessive_bools, reason = "each is true or not whatever the others are")]
pub(super) struct Connection {
    /// What its socket is watched under.
    pub(super) id: u64,
    pub(super) ports: Ports,
    phase: Phase,
    stream: UnixStream,
    /// What the socket did not take.
    backlog: VecDeque<u8>,
    /// Bytes from the guest that the socket took, modulo 2^32.
    forwarded: u32,
    /// What of it the guest knows.
    told: u32,
    /// Bytes sent to the guest, modulo 2^32.
    sent: u32,
    /// What the guest said that it has room for, and has taken.
    guest_buffer: u32,
    guest_forwarded: u32,
    /// An answer to the guest's request for the connection is due.
    owes_response: bool,
    /// The guest asked how much it may send.
    owes_credit: bool,
    /// The guest was asked how much it takes.
    credit_asked: bool,
    /// The socket may have bytes.
    readable: bool,
    /// Nothing more comes from the host, and whether it takes nothing either.
    host_ended: bool,
    host_gone: bool,
    told_ended: bool,
    /// What the guest said about its own end: flags of a shutdown.
    guest_ended: u32,
    /// Whether the socket knows that.
    write_closed: bool,
}

impl Connection {
    /// One that the host asks for.
    pub(super) fn to_guest(id: u64, ports: Ports, stream: UnixStream) -> Self {
        Self::new(id, ports, stream, Phase::Wanted)
    }

    /// One that the guest asked for.
    pub(super) fn to_host(id: u64, ports: Ports, stream: UnixStream, credit: (u32, u32)) -> Self {
        let mut connection = Self::new(id, ports, stream, Phase::Open);
        connection.owes_response = true;
        connection.note_credit(credit);
        connection
    }

    fn new(id: u64, ports: Ports, stream: UnixStream, phase: Phase) -> Self {
        Self {
            id,
            ports,
            phase,
            stream,
            backlog: VecDeque::new(),
            forwarded: 0,
            told: 0,
            sent: 0,
            guest_buffer: 0,
            guest_forwarded: 0,
            owes_response: false,
            owes_credit: false,
            credit_asked: false,
            readable: true,
            host_ended: false,
            host_gone: false,
            told_ended: false,
            guest_ended: 0,
            write_closed: false,
        }
    }

    /// Whether packets of the guest's with its ports belong to it.
    pub(super) fn answers(&self, ports: Ports) -> bool {
        self.ports == ports && self.phase != Phase::Draining
    }

    /// Whether it only waits for the guest to agree that it is over.
    pub(super) fn is_closing(&self) -> bool {
        self.phase == Phase::Closing
    }

    /// Whether the guest knows nothing of it.
    pub(super) fn is_unknown(&self) -> bool {
        matches!(self.phase, Phase::Wanted | Phase::Draining)
    }

    /// Whether bytes of the guest's are on their way to the host.
    pub(super) fn has_backlog(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// What every packet of the guest's says about its room: `buf_alloc` and `fwd_cnt`.
    pub(super) fn note_credit(&mut self, (buffer, forwarded): (u32, u32)) {
        self.guest_buffer = buffer;
        self.guest_forwarded = forwarded;
        if self.room() > 0 {
            self.credit_asked = false;
        }
    }

    /// How many bytes the guest takes. A guest that takes back what it said, or says that it took more than was sent,
    /// has no room.
    fn room(&self) -> u32 {
        self.guest_buffer.saturating_sub(self.sent.wrapping_sub(self.guest_forwarded))
    }

    /// Acts on a packet of the guest's.
    pub(super) fn packet<B: BitmapSlice>(
        &mut self,
        operation: u16,
        flags: u32,
        data: Option<&VolatileSlice<'_, B>>,
    ) -> Verdict {
        match (self.phase, operation) {
            (_, RESET) => self.abandon(),
            (Phase::Asked, RESPONSE) => {
                self.phase = Phase::Open;
                Verdict::Goes
            }
            (Phase::Open, DATA) if self.guest_ended & NO_SEND == 0 => {
                data.map_or(Verdict::Goes, |data| self.data(data))
            }
            // In the second case the guest may not have seen yet that the host is gone.
            (Phase::Open, CREDIT_UPDATE) | (Phase::Closing, DATA | CREDIT_UPDATE | CREDIT_REQUEST) => {
                Verdict::Goes
            }
            (Phase::Open, CREDIT_REQUEST) => {
                self.owes_credit = true;
                Verdict::Goes
            }
            (Phase::Open, SHUTDOWN) => {
                self.guest_ended |= flags & NOTHING;
                self.settle()
            }
            _ => Verdict::Reset,
        }
    }

    /// Forgets what the guest knew. `false` if nothing is left then.
    pub(super) fn survives_reset(&mut self) -> bool {
        self.phase == Phase::Wanted || self.abandon() == Verdict::Goes
    }

    /// The guest is gone: what it sent before still has to reach the host.
    fn abandon(&mut self) -> Verdict {
        if self.backlog.is_empty() || self.host_gone {
            return Verdict::Over;
        }
        self.phase = Phase::Draining;
        Verdict::Goes
    }

    fn data<B: BitmapSlice>(&mut self, data: &VolatileSlice<'_, B>) -> Verdict {
        let length = data.len();
        // Beyond its credit the guest may not send.
        if self.backlog.len().saturating_add(length) > BUFFER as usize {
            return Verdict::Reset;
        }
        let mut taken = 0;
        while self.backlog.is_empty() && taken < length {
            let Ok(rest) = data.offset(taken) else { return Verdict::Reset };
            match self.stream.write_volatile(&rest) {
                Ok(0) => return Verdict::Reset,
                Ok(count) => taken += count,
                Err(VolatileMemoryError::IOError(error)) if error.kind() == ErrorKind::Interrupted => {}
                Err(VolatileMemoryError::IOError(error)) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return Verdict::Reset,
            }
        }
        self.note_forwarded(taken);
        if taken < length {
            let Ok(rest) = data.offset(taken) else { return Verdict::Reset };
            let mut kept = vec![0; rest.len()];
            rest.copy_to(&mut kept);
            self.backlog.extend(kept);
        }
        Verdict::Goes
    }

    fn note_forwarded(&mut self, count: usize) {
        self.forwarded = self.forwarded.wrapping_add(u32::try_from(count).unwrap_or_default());
    }

    /// The socket has something to say.
    pub(super) fn ready(&mut self, readable: bool, gone: bool) -> Verdict {
        self.readable |= readable;
        self.host_gone |= gone;
        self.flush()
    }

    /// Hands the socket what it did not take before.
    fn flush(&mut self) -> Verdict {
        while !self.backlog.is_empty() {
            match self.stream.write(self.backlog.as_slices().0) {
                Ok(count) if count > 0 => {
                    self.backlog.drain(..count);
                    self.note_forwarded(count);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // The host is gone, and with it the bytes.
                _ => {
                    let known = !self.is_unknown();
                    return if known { Verdict::Reset } else { Verdict::Over };
                }
            }
        }
        self.settle()
    }

    /// Passes the guest's end on once everything before it has been, and ends what both have ended.
    fn settle(&mut self) -> Verdict {
        if !self.backlog.is_empty() {
            return Verdict::Goes;
        }
        if self.phase == Phase::Draining {
            return Verdict::Over;
        }
        if self.guest_ended & NO_SEND != 0 && !self.write_closed {
            self.write_closed = true;
            let _ = self.stream.shutdown(Shutdown::Write);
        }
        let sends_nothing = self.guest_ended & NO_RECEIVE != 0 || self.told_ended;
        let over = self.phase == Phase::Open && self.guest_ended & NO_SEND != 0 && sends_nothing;
        if over { Verdict::Reset } else { Verdict::Goes }
    }

    /// Whether [`Self::next`] would have something, as far as can be known without asking the socket.
    pub(super) fn has_next(&self) -> bool {
        match self.phase {
            Phase::Wanted => true,
            Phase::Asked | Phase::Closing | Phase::Draining => false,
            Phase::Open => {
                let wants_to_send = self.readable && self.guest_ended & NO_RECEIVE == 0;
                self.owes_response
                    || self.owes_credit
                    || self.credit_due()
                    || (wants_to_send && (self.room() > 0 || !self.credit_asked))
                    || (self.host_ended && !self.told_ended)
            }
        }
    }

    /// Half of the guest's credit is worth a packet.
    fn credit_due(&self) -> bool {
        self.forwarded.wrapping_sub(self.told) >= BUFFER / 2
    }

    /// The next packet to the guest, whose data are put into `room`. And whether the connection is over with it.
    pub(super) fn next<B: BitmapSlice>(
        &mut self,
        room: Option<&VolatileSlice<'_, B>>,
    ) -> Option<(Header, Verdict)> {
        if self.phase == Phase::Wanted {
            self.phase = Phase::Asked;
            return Some((self.header(REQUEST, 0, 0), Verdict::Goes));
        }
        if self.phase != Phase::Open {
            return None;
        }
        if std::mem::take(&mut self.owes_response) {
            return Some((self.header(RESPONSE, 0, 0), Verdict::Goes));
        }
        if std::mem::take(&mut self.owes_credit) || self.credit_due() {
            return Some((self.header(CREDIT_UPDATE, 0, 0), Verdict::Goes));
        }
        let takes = self.readable && self.guest_ended & NO_RECEIVE == 0;
        if let Some(header) = takes.then(|| self.read(room)).flatten() {
            return Some((header, Verdict::Goes));
        }
        (self.host_ended && !self.told_ended).then(|| self.tell_end())
    }

    /// Reads from the socket into the guest's buffer.
    fn read<B: BitmapSlice>(&mut self, room: Option<&VolatileSlice<'_, B>>) -> Option<Header> {
        let credit = self.room();
        if credit == 0 {
            let asks = !std::mem::replace(&mut self.credit_asked, true);
            return asks.then(|| self.header(CREDIT_REQUEST, 0, 0));
        }
        let room = room?;
        let length = room.len().min(usize::try_from(credit).unwrap_or(usize::MAX));
        let mut place = room.get_slice(0, length).ok()?;
        loop {
            match self.stream.read_volatile(&mut place) {
                Ok(0) => self.host_ended = true,
                Ok(count) => {
                    let count = u32::try_from(count).ok()?;
                    self.sent = self.sent.wrapping_add(count);
                    return Some(self.header(DATA, 0, count));
                }
                Err(VolatileMemoryError::IOError(error)) if error.kind() == ErrorKind::Interrupted => {
                    continue;
                }
                Err(VolatileMemoryError::IOError(error)) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => {
                    self.host_ended = true;
                    self.host_gone = true;
                }
            }
            self.readable = false;
            return None;
        }
    }

    /// Tells the guest that nothing more comes, or that nobody is there.
    fn tell_end(&mut self) -> (Header, Verdict) {
        self.told_ended = true;
        if self.host_gone {
            self.phase = Phase::Closing;
            self.backlog.clear();
            return (self.header(SHUTDOWN, NOTHING, 0), Verdict::Goes);
        }
        (self.header(SHUTDOWN, NO_SEND, 0), self.settle())
    }

    fn header(&mut self, operation: u16, flags: u32, length: u32) -> Header {
        self.told = self.forwarded;
        Header { ports: self.ports, operation, flags, length, buffer: BUFFER, forwarded: self.forwarded }
    }
}

/// Makes the socket one that never blocks.
pub(super) fn prepare(stream: &UnixStream) -> io::Result<()> {
    stream.set_nonblocking(true)
}
