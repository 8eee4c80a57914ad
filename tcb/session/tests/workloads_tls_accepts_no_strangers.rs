// SPDX-License-Identifier: Apache-2.0

//! TLS of workloads: who is accepted, for which name, at what time; and certificates, which are only issued for what is a
//! request.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a helper of a test may end the test"
)]

mod entry;

use std::sync::Arc;

use enarx_session::tls::TlsError;
use enarx_session::web::certificate::{Authority, CertificateError, KEEP_VALIDITY, Statement};
use enarx_session::web::{
    Acceptor, AnchorError, Anchors, Clock, Connection, Connector, IdentityError, ServerIdentity,
};
use pem_rfc7468::LineEnding;
use proptest::prelude::*;

const NOW: u64 = 1_800_000_000;

fn at(now: u64) -> Clock {
    Arc::new(move || now)
}

fn authority(secret: u8) -> (Authority, Anchors) {
    let authority = Authority::from_secret(&[secret; 32]).unwrap();
    let certificate = authority.certificate(NOW).unwrap();
    let pem = pem_rfc7468::encode_string("CERTIFICATE", LineEnding::LF, &certificate).unwrap();
    (authority, Anchors::from_pem(pem.as_bytes()).unwrap())
}

fn statement() -> Statement {
    Statement {
        workload: [1; 32],
        manifest: [2; 32],
        policy: [3; 32],
        owner: [4; 32],
        tee: "sev-snp".to_owned(),
        simulated: true,
        measurement: vec![5; 48],
    }
}

/// A listener's key with a certificate for these names.
fn identity(authority: &Authority, names: &[&str]) -> ServerIdentity {
    let identity = ServerIdentity::generate().unwrap();
    let certificate =
        authority.certify(&identity.request(), names.iter().copied(), &statement(), NOW).unwrap();
    identity.install(&certificate).unwrap();
    identity
}

/// Carries bytes until neither side has any.
fn carry(client: &mut Connection, server: &mut Connection) {
    loop {
        let (to_server, to_client) = (client.pull(), server.pull());
        if to_server.is_none() && to_client.is_none() {
            return;
        }
        server.push(&to_server.unwrap_or_default());
        client.push(&to_client.unwrap_or_default());
    }
}

/// A handshake to its end, good or bad.
fn handshake(acceptor: &Acceptor, connector: &Connector, name: &str) -> (Connection, Connection) {
    let (mut client, mut server) = (connector.connect(name).unwrap(), acceptor.accept().unwrap());
    carry(&mut client, &mut server);
    (client, server)
}

/// Why a client did not accept a server.
fn refusal(acceptor: &Acceptor, connector: &Connector, name: &str) -> String {
    let (client, server) = handshake(acceptor, connector, name);
    assert!(!server.is_established());
    match client.failed() {
        Some(TlsError::Protocol { detail }) => detail.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn bytes_pass_and_each_direction_ends_by_itself() {
    let (authority, anchors) = authority(7);
    let acceptor = Acceptor::new(&identity(&authority, &["a.example"]), None, at(NOW)).unwrap();
    let connector = Connector::new(&anchors, at(NOW)).unwrap();
    let (mut client, mut server) = handshake(&acceptor, &connector, "a.example");
    assert!(client.is_established() && server.is_established());
    client.write(b"question").unwrap();
    client.close();
    carry(&mut client, &mut server);
    assert_eq!((server.plain(), server.peer_closed()), (&b"question"[..], true));
    server.write(b"answer").unwrap();
    carry(&mut client, &mut server);
    assert_eq!((client.plain(), client.peer_closed()), (&b"answer"[..], false));
    client.end();
    assert_eq!(client.failed(), Some(&TlsError::Truncated));
}

#[test]
fn servers_are_accepted_by_authority_name_and_time() {
    let ((ours, anchors), (_, others)) = (authority(7), authority(8));
    let acceptor =
        Acceptor::new(&identity(&ours, &["a.example", "192.0.2.1", "2001:db8::1"]), None, at(NOW)).unwrap();
    let connector = |anchors: &Anchors, now| Connector::new(anchors, at(now)).unwrap();
    for name in ["a.example", "A.EXAMPLE", "192.0.2.1", "2001:db8::1"] {
        let (client, server) = handshake(&acceptor, &connector(&anchors, NOW), name);
        assert!(client.is_established() && server.is_established(), "{name}");
    }
    let good = connector(&anchors, NOW);
    for name in ["b.example", "x.a.example", "example", "192.0.2.2", "2001:db8::2"] {
        let why = refusal(&acceptor, &good, name);
        assert!(why.contains("not valid for name"), "{name}: {why}");
    }
    let why = refusal(&acceptor, &connector(&others, NOW), "a.example");
    assert!(why.contains("UnknownIssuer"), "{why}");
    let why = refusal(&acceptor, &connector(&anchors, NOW + KEEP_VALIDITY + 1), "a.example");
    assert!(why.contains("expired"), "{why}");
    let why = refusal(&acceptor, &connector(&anchors, NOW - 4000), "a.example");
    assert!(why.contains("not valid yet"), "{why}");
}

#[test]
fn a_client_without_the_certificate_that_is_asked_for_gets_nothing() {
    let (authority, anchors) = authority(7);
    let acceptor = Acceptor::new(&identity(&authority, &["a.example"]), Some(&anchors), at(NOW)).unwrap();
    let (_, server) = handshake(&acceptor, &Connector::new(&anchors, at(NOW)).unwrap(), "a.example");
    assert!(!server.is_established());
    let Some(TlsError::Protocol { detail }) = server.failed() else { panic!("{:?}", server.failed()) };
    assert!(detail.contains("no certificates"), "{detail}");
}

#[test]
fn without_a_certificate_there_is_no_handshake() {
    let (authority, anchors) = authority(7);
    let identity = ServerIdentity::generate().unwrap();
    let acceptor = Acceptor::new(&identity, None, at(NOW)).unwrap();
    let connector = Connector::new(&anchors, at(NOW)).unwrap();
    assert!(!handshake(&acceptor, &connector, "a.example").0.is_established());
    let other = ServerIdentity::generate().unwrap().request();
    let certificate = authority.certify(&other, ["a.example"].into_iter(), &statement(), NOW).unwrap();
    assert_eq!(identity.install(&certificate), Err(IdentityError::AnotherKey));
}

#[test]
fn anchors_are_certificates() {
    assert_eq!(Anchors::from_pem(b"").err(), Some(AnchorError::Count));
    assert_eq!(Anchors::from_pem(&[0xff]).err(), Some(AnchorError::Pem));
    let cut = b"-----BEGIN CERTIFICATE-----\nAAAA";
    assert_eq!(Anchors::from_pem(cut).err(), Some(AnchorError::Pem));
    let empty = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert_eq!(Anchors::from_pem(empty).err(), Some(AnchorError::Certificate { number: 1 }));
}

#[test]
fn every_change_of_a_request_is_noticed() {
    let (authority, _) = authority(7);
    let request = ServerIdentity::generate().unwrap().request();
    let certify = |request: &[u8]| authority.certify(request, ["a"].into_iter(), &statement(), NOW);
    assert!(certify(&request).is_ok());
    for index in 0..request.len() {
        let mut changed = request.clone();
        changed[index] ^= 1;
        assert_eq!(certify(&changed), Err(CertificateError::Request), "byte {index}");
        assert_eq!(certify(&request[..index]), Err(CertificateError::Request), "{index} bytes");
    }
    assert_eq!(certify(&[&request[..], &[0]].concat()), Err(CertificateError::Request));
}

proptest! {
    #[test]
    fn any_bytes_are_no_request(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        entry::certificate_request(&bytes);
    }
}
