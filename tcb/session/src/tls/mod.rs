// SPDX-License-Identifier: Apache-2.0

//! TLS 1.3 without I/O: bytes in, bytes out, one plain stream in each direction, and the exporter value.

mod aead;
mod error;
mod exporter;
mod hash;
mod identity;
mod kx;
mod provider;

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use ed25519_dalek::SigningKey;
use rustls::client::{Resumption, UnbufferedClientConnection};
use rustls::pki_types::{DnsName, ServerName};
use rustls::server::{NoServerSessionStorage, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncryptError, ReadTraffic, UnbufferedStatus, WriteTraffic,
};
use rustls::{ClientConfig, CommonState, Error, ServerConfig, version};
use zeroize::{Zeroize, Zeroizing};

pub use error::TlsError;
use error::{internal, theirs};

use crate::KeepId;
use crate::binding::EXPORTER_LABEL;

/// The protocol inside TLS (RFC 7301): a later version takes another name.
const ALPN: &[u8] = b"enarx/1";

/// What TLS adds to a record at most (RFC 8446 section 5.2), with room to spare.
const RECORD_OVERHEAD: usize = 64;
const RECORD_LEN: usize = 16 * 1024;

/// What a completed handshake gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connected {
    /// The value of the exporter [`EXPORTER_LABEL`]: the same at both ends of one session, and nowhere else.
    pub exporter: [u8; 32],
    /// The identity key of the Keep.
    pub keep: KeepId,
}

enum Side {
    Client(Box<UnbufferedClientConnection>),
    Server(Box<UnbufferedServerConnection>, KeepId),
}

/// One TLS connection.
pub(crate) struct Link {
    side: Side,
    secret: Arc<exporter::Cell>,
    connected: Option<Connected>,
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

impl Link {
    /// The tenant's end; with `expected` only that Keep is accepted.
    pub(crate) fn client(expected: Option<KeepId>) -> Result<Self, TlsError> {
        let secret = exporter::Cell::new();
        let mut config =
            ClientConfig::builder_with_details(provider::provider(), Arc::new(provider::NoClock))
                .with_protocol_versions(&[&version::TLS13])
                .map_err(|error| internal(&error))?
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(identity::Verifier { expected }))
                .with_no_client_auth();
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.key_log = secret.clone();
        config.resumption = Resumption::disabled();
        config.enable_sni = false;
        // Never sent and never checked: Keeps have keys, not names.
        let name =
            ServerName::DnsName(DnsName::try_from("keep").map_err(|error| internal(&error))?.to_owned());
        let connection =
            UnbufferedClientConnection::new(Arc::new(config), name).map_err(|error| internal(&error))?;
        let mut link = Self::new(Side::Client(Box::new(connection)), secret);
        link.run();
        Ok(link)
    }

    /// The Keep's end.
    pub(crate) fn server(identity: &SigningKey) -> Result<Self, TlsError> {
        let secret = exporter::Cell::new();
        let mut config =
            ServerConfig::builder_with_details(provider::provider(), Arc::new(provider::NoClock))
                .with_protocol_versions(&[&version::TLS13])
                .map_err(|error| internal(&error))?
                .with_no_client_auth()
                .with_cert_resolver(identity::resolver(identity));
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.key_log = secret.clone();
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        let keep = KeepId(identity.verifying_key().to_bytes());
        let connection =
            UnbufferedServerConnection::new(Arc::new(config)).map_err(|error| internal(&error))?;
        Ok(Self::new(Side::Server(Box::new(connection), keep), secret))
    }

    fn new(side: Side, secret: Arc<exporter::Cell>) -> Self {
        Self { side, secret, connected: None, incoming: Vec::new(), flow: Flow::default() }
    }

    /// Takes bytes from the transport.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.flow.failed.is_none() && !self.flow.peer_closed {
            self.incoming.extend_from_slice(bytes);
            self.run();
        }
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

    /// What the handshake gave, once it is complete.
    pub(crate) fn connected(&self) -> Option<&Connected> {
        self.connected.as_ref()
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
                Side::Server(server, _) => advance(server.process_tls_records(pending), &mut self.flow),
            };
            start += discard;
            match turn {
                Ok(Turn::Again) => {}
                Ok(Turn::Idle) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.incoming.drain(..start.min(self.incoming.len()));
        let outcome = outcome.and_then(|()| self.note_handshake());
        if let Err(error) = outcome {
            self.fail(error);
        }
    }

    /// Reads the exporter as soon as the handshake is complete.
    fn note_handshake(&mut self) -> Result<(), TlsError> {
        let state = self.side.state();
        if self.connected.is_some() || state.is_handshaking() {
            return Ok(());
        }
        let protocol = |detail: &str| TlsError::Protocol { detail: detail.to_owned() };
        if state.alpn_protocol() != Some(ALPN) {
            return Err(protocol("it did not agree on `enarx/1`"));
        }
        let keep = match &self.side {
            Side::Client(client) => client
                .peer_certificates()
                .and_then(|keys| identity::keep_id(keys.first()?))
                .ok_or_else(|| protocol("it showed no identity key"))?,
            Side::Server(_, keep) => *keep,
        };
        let exporter = state
            .negotiated_cipher_suite()
            .and_then(|suite| self.secret.export(suite.suite(), EXPORTER_LABEL, &[]))
            .ok_or_else(|| TlsError::Internal { detail: "there is no exporter secret".to_owned() })?;
        self.connected = Some(Connected { exporter, keep });
        Ok(())
    }

    /// Ends the connection, and gets out the alert that rustls made of the error.
    fn fail(&mut self, error: TlsError) {
        self.incoming = Vec::new();
        // rustls hands out what it wants to send before it looks at input. It must not look at input again: what it
        // remembers of a handshake in pieces points into bytes that are gone.
        while self.side.state().wants_write() {
            let (_, turn) = match &mut self.side {
                Side::Client(client) => advance(client.process_tls_records(&mut []), &mut self.flow),
                Side::Server(server, _) => advance(server.process_tls_records(&mut []), &mut self.flow),
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
            Side::Server(server, _) => {
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
            Self::Server(server, _) => server,
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
