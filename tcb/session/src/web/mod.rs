// SPDX-License-Identifier: Apache-2.0

//! TLS between a workload and the world: the Keep as server and as client of anybody.
//!
//! TLS 1.3 and nothing older, X25519MLKEM768 or X25519, no resumption, no early data. A listener shows a certificate that
//! the tenant's authority issued for a key that never leaves the Keep ([`certificate`]); a client accepts only a chain to
//! the anchors that the workload brought, for the name that its manifest says.

pub mod certificate;
mod der;
mod identity;
mod provider;
mod signature;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use rustls::client::{Resumption, UnbufferedClientConnection, WebPkiServerVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::{NoServerSessionStorage, UnbufferedServerConnection, WebPkiClientVerifier};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, RootCertStore, ServerConfig, version};

use crate::tls::TlsError;
use crate::tls::error::internal;
use crate::tls::stream::{Side, TlsStream};

pub use identity::{IdentityError, ServerIdentity};

/// Most trust anchors of one socket.
pub const MAX_ANCHORS: usize = 256;

/// Tells the time in seconds since 1970; validity of certificates is judged by it.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Trust anchors that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnchorError {
    /// The text is not PEM, or has something else than certificates.
    #[error("not a file of certificates in PEM")]
    Pem,
    /// One of the certificates cannot be an anchor.
    #[error("certificate number {number} cannot be a trust anchor")]
    Certificate {
        /// Its place in the file, from 1.
        number: usize,
    },
    /// No certificates, or too many.
    #[error("there must be from 1 to {MAX_ANCHORS} certificates")]
    Count,
    /// They do not make a verifier.
    #[error("they cannot be used")]
    Unusable,
}

/// Certificates that vouch for peers.
#[derive(Clone)]
pub struct Anchors(Arc<RootCertStore>);

impl Anchors {
    /// Reads certificates in PEM (RFC 7468).
    pub fn from_pem(text: &[u8]) -> Result<Self, AnchorError> {
        const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
        const END: &str = "-----END CERTIFICATE-----";
        let mut rest = core::str::from_utf8(text).map_err(|_| AnchorError::Pem)?;
        let mut store = RootCertStore::empty();
        while let Some(begin) = rest.find(BEGIN) {
            let number = store.len() + 1;
            if number > MAX_ANCHORS {
                return Err(AnchorError::Count);
            }
            let block = rest.get(begin..).unwrap_or_default();
            let end = block.find(END).ok_or(AnchorError::Pem)? + END.len();
            let (block, after) = block.split_at_checked(end).ok_or(AnchorError::Pem)?;
            let (_, bytes) =
                pem_rfc7468::decode_vec(block.as_bytes()).map_err(|_| AnchorError::Certificate { number })?;
            store.add(CertificateDer::from(bytes)).map_err(|_| AnchorError::Certificate { number })?;
            rest = after;
        }
        if store.is_empty() { Err(AnchorError::Count) } else { Ok(Self(Arc::new(store))) }
    }
}

/// How a listener answers.
#[derive(Clone)]
pub struct Acceptor(Arc<ServerConfig>);

impl Acceptor {
    /// Shows `identity`. With `clients` only peers are accepted that show a certificate of theirs.
    pub fn new(
        identity: &ServerIdentity,
        clients: Option<&Anchors>,
        clock: Clock,
    ) -> Result<Self, AnchorError> {
        let provider = provider::provider();
        let builder = ServerConfig::builder_with_details(Arc::clone(&provider), Arc::new(Now(clock)))
            .with_protocol_versions(&[&version::TLS13])
            .map_err(|_| AnchorError::Unusable)?;
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(Anchors(roots)) => builder.with_client_cert_verifier(
                WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), provider)
                    .build()
                    .map_err(|_| AnchorError::Unusable)?,
            ),
        };
        let mut config = builder.with_cert_resolver(identity.resolver());
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Self(Arc::new(config)))
    }

    /// The Keep's end of a connection that somebody opened.
    pub fn accept(&self) -> Result<Connection, TlsError> {
        let connection =
            UnbufferedServerConnection::new(Arc::clone(&self.0)).map_err(|error| internal(&error))?;
        Ok(Connection(TlsStream::new(Side::Server(Box::new(connection)))))
    }
}

/// How the Keep connects.
#[derive(Clone)]
pub struct Connector(Arc<ClientConfig>);

impl Connector {
    /// Accepts peers that `anchors` vouch for.
    pub fn new(anchors: &Anchors, clock: Clock) -> Result<Self, AnchorError> {
        let provider = provider::provider();
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::clone(&anchors.0), Arc::clone(&provider))
                .build()
                .map_err(|_| AnchorError::Unusable)?;
        let mut config = ClientConfig::builder_with_details(provider, Arc::new(Now(clock)))
            .with_protocol_versions(&[&version::TLS13])
            .map_err(|_| AnchorError::Unusable)?
            .with_webpki_verifier(verifier)
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        Ok(Self(Arc::new(config)))
    }

    /// The Keep's end of a connection to the peer of this name or address.
    pub fn connect(&self, name: &str) -> Result<Connection, TlsError> {
        let name = ServerName::try_from(name).map_err(|error| internal(&error))?.to_owned();
        let connection =
            UnbufferedClientConnection::new(Arc::clone(&self.0), name).map_err(|error| internal(&error))?;
        Ok(Connection(TlsStream::new(Side::Client(Box::new(connection)))))
    }
}

/// One connection of a workload's.
pub struct Connection(TlsStream);

impl Connection {
    /// Takes bytes from the transport.
    pub fn push(&mut self, bytes: &[u8]) {
        self.0.push(bytes);
    }

    /// The transport brings no more bytes.
    pub fn end(&mut self) {
        self.0.end();
    }

    /// Takes the bytes for the transport.
    pub fn pull(&mut self) -> Option<Vec<u8>> {
        self.0.pull()
    }

    /// Bytes for the transport that nobody took yet.
    pub fn backlog(&self) -> usize {
        self.0.backlog()
    }

    /// Whether the peer is known to be who it has to be, and plain bytes can pass.
    pub fn is_established(&self) -> bool {
        !self.0.state().is_handshaking()
    }

    /// The plain bytes that arrived and that [`Self::consume`] did not take yet.
    pub fn plain(&self) -> &[u8] {
        self.0.plain()
    }

    /// Takes `count` plain bytes away.
    pub fn consume(&mut self, count: usize) {
        self.0.consume(count);
    }

    /// Whether the peer has said that nothing more comes.
    pub fn peer_closed(&self) -> bool {
        self.0.peer_closed()
    }

    /// Why nothing more can come, if that is so.
    pub fn failed(&self) -> Option<&TlsError> {
        self.0.failed()
    }

    /// Sends plain bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), TlsError> {
        self.0.write(bytes)
    }

    /// Says that nothing more will be sent.
    pub fn close(&mut self) {
        self.0.close();
    }
}

struct Now(Clock);

impl fmt::Debug for Now {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Now")
    }
}

impl TimeProvider for Now {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(core::time::Duration::from_secs((self.0)())))
    }
}
