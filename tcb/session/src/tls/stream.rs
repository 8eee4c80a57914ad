// SPDX-License-Identifier: Apache-2.0

//! One TLS connection over rustls' unbuffered interface, for the attested session and for connections of workloads.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::vec::Vec;

use rustls::client::UnbufferedClientConnection;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncryptError, ReadTraffic, UnbufferedStatus, WriteTraffic,
};
use rustls::{CommonState, Error};
use zeroize::{Zeroize, Zeroizing};

use super::error::{TlsError, internal, theirs};

/// What TLS adds to a record at most (RFC 8446 section 5.2), with room to spare.
const RECORD_OVERHEAD: usize = 64;
const RECORD_LEN: usize = 16 * 1024;

/// Which end this is.
pub(crate) enum Side {
    Client(Box<UnbufferedClientConnection>),
    Server(Box<UnbufferedServerConnection>),
}

/// Bytes in, bytes out, one plain stream in each direction.
pub(crate) struct TlsStream {
    side: Side,
    incoming: Vec<u8>,
    flow: Flow,
}

/// What the connection produced.
#[derive(Default)]
struct Flow {
    outgoing: Vec<u8>,
    plain: Zeroizing<Vec<u8>>,
    taken: usize,
    peer_closed: bool,
    failed: Option<TlsError>,
}

/// What the connection waits for.
enum Turn {
    Again,
    Idle,
}

impl TlsStream {
    /// A connection of which nothing has been sent yet. A client's first message is ready at once.
    pub(crate) fn new(side: Side) -> Self {
        let mut stream = Self { side, incoming: Vec::new(), flow: Flow::default() };
        if matches!(stream.side, Side::Client(_)) {
            stream.run();
        }
        stream
    }

    /// Takes bytes from the transport.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.flow.failed.is_none() && !self.flow.peer_closed {
            self.incoming.extend_from_slice(bytes);
            self.run();
        }
    }

    /// What rustls knows of the connection.
    pub(crate) fn state(&self) -> &CommonState {
        self.side.state()
    }

    /// Takes the bytes for the transport.
    pub(crate) fn pull(&mut self) -> Option<Vec<u8>> {
        (!self.flow.outgoing.is_empty()).then(|| core::mem::take(&mut self.flow.outgoing))
    }

    /// Bytes for the transport that nobody took yet.
    pub(crate) fn backlog(&self) -> usize {
        self.flow.outgoing.len()
    }

    /// The plain bytes that arrived and that [`Self::consume`] did not take yet.
    pub(crate) fn plain(&self) -> &[u8] {
        self.flow.plain.get(self.flow.taken..).unwrap_or_default()
    }

    /// Takes `count` plain bytes away.
    pub(crate) fn consume(&mut self, count: usize) {
        let flow = &mut self.flow;
        flow.taken = flow.taken.saturating_add(count).min(flow.plain.len());
        // Moved only when the dead part is the larger one, so that the whole costs linear time.
        if flow.taken * 2 >= flow.plain.len() {
            let (dead, alive) = (flow.taken, flow.plain.len() - flow.taken);
            flow.plain.copy_within(dead.., 0);
            if let Some(rest) = flow.plain.get_mut(alive..) {
                rest.zeroize();
            }
            flow.plain.truncate(alive);
            flow.taken = 0;
        }
    }

    /// Whether the peer has said that nothing more comes.
    pub(crate) fn peer_closed(&self) -> bool {
        self.flow.peer_closed
    }

    /// Why nothing more can come, if that is so.
    pub(crate) fn failed(&self) -> Option<&TlsError> {
        self.flow.failed.as_ref()
    }

    /// The transport brings no more bytes.
    pub(crate) fn end(&mut self) {
        if !self.flow.peer_closed && self.flow.failed.is_none() {
            self.flow.failed = Some(TlsError::Truncated);
        }
    }

    /// Sends plain bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), TlsError> {
        self.with_traffic(|traffic, outgoing| {
            let records = bytes.len() / RECORD_LEN + 1;
            append(outgoing, bytes.len() + records * RECORD_OVERHEAD, |to| traffic.encrypt(bytes, to))
        })
    }

    /// Says that nothing more will be sent.
    pub(crate) fn close(&mut self) {
        // Where nothing can be sent any more, nothing needs to be said either.
        let _ =
            self.with_traffic(|traffic, outgoing| append(outgoing, RECORD_OVERHEAD, |to| traffic.close(to)));
    }

    /// Lets the connection do all that it can with what arrived.
    fn run(&mut self) {
        let mut start = 0;
        let outcome = loop {
            let pending = self.incoming.get_mut(start..).unwrap_or_default();
            let (discard, turn) = match &mut self.side {
                Side::Client(client) => advance(client.process_tls_records(pending), &mut self.flow),
                Side::Server(server) => advance(server.process_tls_records(pending), &mut self.flow),
            };
            start += discard;
            match turn {
                Ok(Turn::Again) => {}
                Ok(Turn::Idle) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.incoming.drain(..start.min(self.incoming.len()));
        if let Err(error) = outcome {
            self.fail(error);
        }
    }

    /// Ends the connection, and gets out the alert that rustls made of the error.
    pub(crate) fn fail(&mut self, error: TlsError) {
        self.incoming = Vec::new();
        // rustls hands out what it wants to send before it looks at input. It must not look at input again: what it
        // remembers of a handshake in pieces points into bytes that are gone.
        while self.side.state().wants_write() {
            let (_, turn) = match &mut self.side {
                Side::Client(client) => advance(client.process_tls_records(&mut []), &mut self.flow),
                Side::Server(server) => advance(server.process_tls_records(&mut []), &mut self.flow),
            };
            if turn.is_err() {
                break;
            }
        }
        self.flow.failed.get_or_insert(error);
    }

    fn with_traffic(
        &mut self,
        write: impl FnOnce(&mut dyn Traffic, &mut Vec<u8>) -> Result<(), TlsError>,
    ) -> Result<(), TlsError> {
        if let Some(error) = &self.flow.failed {
            return Err(error.clone());
        }
        let outgoing = &mut self.flow.outgoing;
        let (discard, written) = match &mut self.side {
            Side::Client(client) => {
                let UnbufferedStatus { discard, state } = client.process_tls_records(&mut self.incoming);
                (discard, with_state(state, |traffic| write(traffic, outgoing)))
            }
            Side::Server(server) => {
                let UnbufferedStatus { discard, state } = server.process_tls_records(&mut self.incoming);
                (discard, with_state(state, |traffic| write(traffic, outgoing)))
            }
        };
        self.incoming.drain(..discard.min(self.incoming.len()));
        written
    }
}

impl Side {
    fn state(&self) -> &CommonState {
        match self {
            Self::Client(client) => client,
            Self::Server(server) => server,
        }
    }
}

/// The part of [`WriteTraffic`] that does not depend on the side.
trait Traffic {
    fn encrypt(&mut self, plain: &[u8], to: &mut [u8]) -> Result<usize, EncryptError>;
    fn close(&mut self, to: &mut [u8]) -> Result<usize, EncryptError>;
}

impl<Data> Traffic for WriteTraffic<'_, Data> {
    fn encrypt(&mut self, plain: &[u8], to: &mut [u8]) -> Result<usize, EncryptError> {
        WriteTraffic::encrypt(self, plain, to)
    }

    fn close(&mut self, to: &mut [u8]) -> Result<usize, EncryptError> {
        self.queue_close_notify(to)
    }
}

fn with_state<Data>(
    state: Result<ConnectionState<'_, '_, Data>, Error>,
    write: impl FnOnce(&mut dyn Traffic) -> Result<(), TlsError>,
) -> Result<(), TlsError> {
    match state.map_err(theirs)? {
        ConnectionState::WriteTraffic(mut traffic) => write(&mut traffic),
        _ => Err(TlsError::Internal { detail: "the connection cannot send now".to_owned() }),
    }
}

/// Handles one status of a connection.
fn advance<Data>(status: UnbufferedStatus<'_, '_, Data>, flow: &mut Flow) -> (usize, Result<Turn, TlsError>) {
    let UnbufferedStatus { discard, state } = status;
    let turn = match state {
        Err(error) => Err(theirs(error)),
        Ok(ConnectionState::EncodeTlsData(mut data)) => append(&mut flow.outgoing, 0, |to| {
            data.encode(to).map_err(|error| match error {
                EncodeError::InsufficientSize(size) => EncryptError::InsufficientSize(size),
                EncodeError::AlreadyEncoded => EncryptError::EncryptExhausted,
            })
        })
        .map(|()| Turn::Again),
        Ok(ConnectionState::TransmitTlsData(data)) => {
            data.done();
            Ok(Turn::Again)
        }
        Ok(ConnectionState::ReadTraffic(mut data)) => read(&mut data, flow).map(|()| Turn::Again),
        Ok(ConnectionState::PeerClosed) => {
            flow.peer_closed = true;
            Ok(Turn::Again)
        }
        Ok(
            ConnectionState::BlockedHandshake | ConnectionState::WriteTraffic(_) | ConnectionState::Closed,
        ) => Ok(Turn::Idle),
        // Early data are never accepted, and rustls may add states.
        Ok(_) => Err(TlsError::Internal { detail: "the connection is in an unknown state".to_owned() }),
    };
    (discard, turn)
}

fn read<Data>(data: &mut ReadTraffic<'_, '_, Data>, flow: &mut Flow) -> Result<(), TlsError> {
    while let Some(record) = data.next_record() {
        flow.plain.extend_from_slice(record.map_err(theirs)?.payload);
    }
    Ok(())
}

/// Lets `fill` write behind `to`, with as much room as it says it needs.
fn append(
    to: &mut Vec<u8>,
    mut room: usize,
    mut fill: impl FnMut(&mut [u8]) -> Result<usize, EncryptError>,
) -> Result<(), TlsError> {
    let old = to.len();
    loop {
        to.resize(old + room, 0);
        match fill(to.get_mut(old..).unwrap_or_default()) {
            Ok(written) => {
                to.truncate(old + written);
                return Ok(());
            }
            Err(EncryptError::InsufficientSize(size)) if size.required_size > room => {
                room = size.required_size;
            }
            Err(error) => {
                to.truncate(old);
                return Err(internal(&error));
            }
        }
    }
}
