// SPDX-License-Identifier: Apache-2.0

//! The TLS of this crate against rustls with the cryptography of AWS: they understand each other, they export the same
//! value, and what this crate does not speak is refused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by them"
)]

use std::io::{Read, Write};
use std::sync::Arc;

use enarx_session::SessionError;
use enarx_session::binding::EXPORTER_LABEL;
use enarx_session::channel::{Channel, Received};
use enarx_session::keep::Identity;
use enarx_session::tls::TlsError;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::{self, cipher_suite, kx_group, sign};
use rustls::crypto::{CryptoProvider, SupportedKxGroup, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::AlwaysResolvesServerRawPublicKeys;
use rustls::sign::CertifiedKey;
use rustls::{
    ClientConfig, ClientConnection, Connection, DigitallySignedStruct, Error, ServerConfig, ServerConnection,
    SignatureScheme, SupportedCipherSuite, version,
};

const SUITES: [SupportedCipherSuite; 2] =
    [cipher_suite::TLS13_CHACHA20_POLY1305_SHA256, cipher_suite::TLS13_AES_256_GCM_SHA384];

const ALPN: &[u8] = b"enarx/1";

#[test]
fn the_keep_exports_the_value_that_rustls_exports() {
    for suite in SUITES {
        let mut channel = Channel::accept(&Identity::generate().unwrap()).unwrap();
        let mut other = client(suite, kx_group::X25519MLKEM768, &[ALPN]);
        assert_eq!(settle(&mut channel, &mut other), Ok(()));
        agree(&mut channel, &mut other);
    }
}

#[test]
fn the_tenant_exports_the_value_that_rustls_exports() {
    for suite in SUITES {
        let mut channel = Channel::connect(None).unwrap();
        let mut other = server(suite, &[ALPN]);
        assert_eq!(settle(&mut channel, &mut other), Ok(()));
        agree(&mut channel, &mut other);
    }
}

#[test]
fn traffic_keys_that_the_peer_renews_are_followed() {
    let mut channel = Channel::accept(&Identity::generate().unwrap()).unwrap();
    let mut other = client(SUITES[0], kx_group::X25519MLKEM768, &[ALPN]);
    settle(&mut channel, &mut other).unwrap();
    for _ in 0..3 {
        other.refresh_traffic_keys().unwrap();
        speak(&mut channel, &mut other);
    }
}

#[test]
fn a_key_exchange_without_a_post_quantum_half_is_refused() {
    let mut channel = Channel::accept(&Identity::generate().unwrap()).unwrap();
    let mut other = client(SUITES[0], kx_group::X25519, &[ALPN]);
    refused(&settle(&mut channel, &mut other), "peer is incompatible: NoKxGroupsInCommon");
}

#[test]
fn another_protocol_inside_tls_is_refused() {
    let mut channel = Channel::accept(&Identity::generate().unwrap()).unwrap();
    refused(
        &settle(&mut channel, &mut client(SUITES[0], kx_group::X25519MLKEM768, &[b"http/1.1"])),
        "peer doesn't support any known protocol",
    );
    let mut channel = Channel::accept(&Identity::generate().unwrap()).unwrap();
    refused(
        &settle(&mut channel, &mut client(SUITES[0], kx_group::X25519MLKEM768, &[])),
        "it did not agree on `enarx/1`",
    );
    let mut channel = Channel::connect(None).unwrap();
    refused(&settle(&mut channel, &mut server(SUITES[0], &[])), "it did not agree on `enarx/1`");
}

fn agree(channel: &mut Channel, other: &mut Connection) {
    let mut expected = [0; 32];
    let rustls = match other {
        Connection::Client(client) => client.export_keying_material(&mut expected, EXPORTER_LABEL, Some(b"")),
        Connection::Server(server) => server.export_keying_material(&mut expected, EXPORTER_LABEL, Some(b"")),
    };
    assert!(rustls.is_ok());
    assert_eq!(channel.connected().unwrap().exporter, expected);
    speak(channel, other);
}

/// One frame in each direction.
fn speak(channel: &mut Channel, other: &mut Connection) {
    let frame = [b"\0\0\0\x64".as_slice(), &[5; 100]].concat();
    other.writer().write_all(&frame).unwrap();
    settle(channel, other).unwrap();
    let Ok(Received::Frame(received)) = channel.receive(100) else { panic!() };
    assert_eq!(*received, [5; 100]);

    channel.send(&[6; 10_000]).unwrap();
    settle(channel, other).unwrap();
    let mut received = vec![0; 10_004];
    other.reader().read_exact(&mut received).unwrap();
    assert!(received == [b"\0\0\x27\x10".as_slice(), &[6; 10_000]].concat());
}

fn refused(outcome: &Result<(), SessionError>, expected: &str) {
    let Err(SessionError::Tls(TlsError::Protocol { detail })) = outcome else { panic!("{outcome:?}") };
    assert_eq!(detail, expected);
}

/// Moves bytes until neither end has more; the error of this crate's end, if it has one.
fn settle(channel: &mut Channel, other: &mut Connection) -> Result<(), SessionError> {
    loop {
        let mut still = true;
        while other.wants_write() {
            still = false;
            let mut bytes = Vec::new();
            other.write_tls(&mut bytes).unwrap();
            channel.push(&bytes).unwrap();
        }
        while let Some(bytes) = channel.pull() {
            still = false;
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                other.read_tls(&mut rest).unwrap();
                // What the other end thinks of it is not what is tested.
                let _ = other.process_new_packets();
            }
        }
        if still {
            return if channel.connected().is_some() { Ok(()) } else { channel.receive(100).map(|_| ()) };
        }
    }
}

fn provider(suite: SupportedCipherSuite, group: &'static dyn SupportedKxGroup) -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        cipher_suites: vec![suite],
        kx_groups: vec![group],
        ..aws_lc_rs::default_provider()
    })
}

fn client(suite: SupportedCipherSuite, group: &'static dyn SupportedKxGroup, alpn: &[&[u8]]) -> Connection {
    let mut config = ClientConfig::builder_with_provider(provider(suite, group))
        .with_protocol_versions(&[&version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyRawKey))
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    ClientConnection::new(Arc::new(config), ServerName::try_from("keep").unwrap()).unwrap().into()
}

fn server(suite: SupportedCipherSuite, alpn: &[&[u8]]) -> Connection {
    // RFC 8410 section 7.
    let pkcs8 = [&b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20"[..], &[7; 32]].concat();
    let key = sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(pkcs8)).unwrap();
    let public = CertificateDer::from(key.public_key().unwrap().to_vec());
    let certified = Arc::new(CertifiedKey::new(vec![public], key));
    let mut config = ServerConfig::builder_with_provider(provider(suite, kx_group::X25519MLKEM768))
        .with_protocol_versions(&[&version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(certified)));
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    ServerConnection::new(Arc::new(config)).unwrap().into()
}

#[derive(Debug)]
struct AnyRawKey;

impl ServerCertVerifier for AnyRawKey {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        unreachable!()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = SubjectPublicKeyInfoDer::from(cert.as_ref());
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
        verify_tls13_signature_with_raw_key(message, &key, signed, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
