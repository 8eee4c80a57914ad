// SPDX-License-Identifier: Apache-2.0

//! TLS 1.3 without I/O: bytes in, bytes out, one plain stream in each direction, and the exporter value.

mod aead;
pub(crate) mod error;
mod exporter;
mod hash;
mod identity;
pub(crate) mod kx;
pub(crate) mod provider;
pub(crate) mod stream;

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;

use ed25519_dalek::SigningKey;
use rustls::client::{Resumption, UnbufferedClientConnection};
use rustls::pki_types::{DnsName, ServerName};
use rustls::server::{NoServerSessionStorage, UnbufferedServerConnection};
use rustls::{ClientConfig, ServerConfig, version};

pub use error::TlsError;
use error::internal;
use stream::{Side, TlsStream};

use crate::KeepId;
use crate::binding::EXPORTER_LABEL;

/// The protocol inside TLS (RFC 7301): a later version takes another name.
const ALPN: &[u8] = b"enarx/1";

/// What a completed handshake gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connected {
    /// The value of the exporter [`EXPORTER_LABEL`]: the same at both ends of one session, and nowhere else.
    pub exporter: [u8; 32],
    /// The identity key of the Keep.
    pub keep: KeepId,
}

/// One TLS connection of the attested session.
pub(crate) struct Link {
    stream: TlsStream,
    secret: Arc<exporter::Cell>,
    connected: Option<Connected>,
    /// The Keep, if this is its end
    own: Option<KeepId>,
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
        Ok(Self::new(Side::Client(Box::new(connection)), secret, None))
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
        Ok(Self::new(Side::Server(Box::new(connection)), secret, Some(keep)))
    }

    fn new(side: Side, secret: Arc<exporter::Cell>, own: Option<KeepId>) -> Self {
        Self { stream: TlsStream::new(side), secret, connected: None, own }
    }

    /// Takes bytes from the transport.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.stream.push(bytes);
        if self.stream.failed().is_none()
            && let Err(error) = self.note_handshake()
        {
            self.stream.fail(error);
        }
    }

    /// What the handshake gave, once it is complete.
    pub(crate) fn connected(&self) -> Option<&Connected> {
        self.connected.as_ref()
    }

    /// Reads the exporter as soon as the handshake is complete.
    fn note_handshake(&mut self) -> Result<(), TlsError> {
        let state = self.stream.state();
        if self.connected.is_some() || state.is_handshaking() {
            return Ok(());
        }
        let protocol = |detail: &str| TlsError::Protocol { detail: detail.to_owned() };
        if state.alpn_protocol() != Some(ALPN) {
            return Err(protocol("it did not agree on `enarx/1`"));
        }
        let keep = match self.own {
            None => state
                .peer_certificates()
                .and_then(|keys| identity::keep_id(keys.first()?))
                .ok_or_else(|| protocol("it showed no identity key"))?,
            Some(keep) => keep,
        };
        let exporter = state
            .negotiated_cipher_suite()
            .and_then(|suite| self.secret.export(suite.suite(), EXPORTER_LABEL, &[]))
            .ok_or_else(|| TlsError::Internal { detail: "there is no exporter secret".to_owned() })?;
        self.connected = Some(Connected { exporter, keep });
        Ok(())
    }
}

impl core::ops::Deref for Link {
    type Target = TlsStream;

    fn deref(&self) -> &TlsStream {
        &self.stream
    }
}

impl core::ops::DerefMut for Link {
    fn deref_mut(&mut self) -> &mut TlsStream {
        &mut self.stream
    }
}
