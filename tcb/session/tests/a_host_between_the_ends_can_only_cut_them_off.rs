// SPDX-License-Identifier: Apache-2.0

//! The host relays every byte: what it replays, swaps, drops, changes, reflects or makes up has one end each.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by them"
)]

mod support;

use std::sync::Arc;

use enarx_session::binding::{Binding, Role};
use enarx_session::channel::{Channel, Received};
use enarx_session::keep::{self, Identity, Keep, Standing};
use enarx_session::tenant::{self, Offer, Peer};
use enarx_session::tls::TlsError;
use enarx_session::wire::{
    Command, FRAME_LIMIT, Limits, Message, OfferMessage, Refusal, StdStream, ToKeep, ToTenant, WireError,
};
use enarx_session::{KeepId, SessionError};
use enarx_verifier::Code;
use support::hostile::{Hostile, signing_key};
use support::{
    ENGINE, LAUNCH, Seen, Way, accept, appraise_as, attest, honest, new_keep, no_evidence, noise, owner,
    payload, provision, speak, speak_with,
};

const RECORD: Option<SessionError> = Some(SessionError::Tls(TlsError::Record));

#[test]
fn a_recorded_session_cannot_be_replayed_to_the_keep() {
    let keep = new_keep();
    let (to_keep, _) = recorded(&keep);
    let mut session = keep::Session::new(&keep).unwrap();
    assert_eq!(keep_error(&mut session, &to_keep), RECORD);
}

#[test]
fn a_recorded_session_cannot_be_replayed_to_the_tenant() {
    let keep = new_keep();
    let (_, to_tenant) = recorded(&keep);
    let mut tenant = tenant::Session::new(&owner(), Peer::Known(keep.id())).unwrap();
    assert_eq!(tenant_error(&mut tenant, &to_tenant), RECORD);
}

#[test]
fn reordered_records_are_refused() {
    let mut p = provision(b"payload");
    let (_, second) = two_outputs(&mut p.session);
    assert_eq!(tenant_error(&mut p.tenant, &second), RECORD);

    let mut p = provision(b"payload");
    let (_, second) = two_commands(&mut p.tenant);
    assert_eq!(keep_error(&mut p.session, &second), RECORD);
}

#[test]
fn a_repeated_record_is_refused() {
    let mut p = provision(b"payload");
    let (first, _) = two_outputs(&mut p.session);
    assert_eq!(tenant_error(&mut p.tenant, &first), None);
    assert_eq!(tenant_error(&mut p.tenant, &first), RECORD);

    let mut p = provision(b"payload");
    let (first, _) = two_commands(&mut p.tenant);
    assert_eq!(keep_error(&mut p.session, &first), None);
    assert_eq!(keep_error(&mut p.session, &first), RECORD);
}

#[test]
fn a_cut_connection_is_told_from_an_end() {
    let mut p = provision(b"payload");
    p.session.send(Message::Output { stream: StdStream::Out, bytes: b"whole".to_vec() }).unwrap();
    p.tenant.push(&p.session.pull().unwrap()).unwrap();
    p.tenant.end();
    // What came whole is still heard.
    assert!(matches!(p.tenant.next_event(), Ok(Some(tenant::Event::Message(Message::Output { .. })))));
    assert_eq!(p.tenant.next_event().err(), Some(TlsError::Truncated.into()));

    let mut p = provision(b"payload");
    p.tenant.send(Command::Stop).unwrap();
    let bytes = p.tenant.pull().unwrap();
    p.session.push(&bytes[..bytes.len() - 1]).unwrap();
    p.session.end();
    assert_eq!(p.session.next_event().err(), Some(TlsError::Truncated.into()));
}

#[test]
fn a_connection_that_is_cut_before_anything_was_said_is_truncated() {
    let mut tenant = tenant::Session::new(&owner(), Peer::Fresh).unwrap();
    tenant.end();
    assert_eq!(tenant.next_event().err(), Some(TlsError::Truncated.into()));
}

#[test]
fn a_reflected_handshake_is_refused() {
    let mut tenant = tenant::Session::new(&owner(), Peer::Fresh).unwrap();
    let hello = tenant.pull().unwrap();
    protocol(tenant_error(&mut tenant, &hello).as_ref(), "received unexpected handshake message");

    let keep = new_keep();
    let mut session = keep::Session::new(&keep).unwrap();
    session.push(&hello).unwrap();
    let answer = session.pull().unwrap();
    assert_eq!(keep_error(&mut session, &answer), RECORD);
}

#[test]
fn reflected_records_are_refused() {
    let mut p = provision(b"payload");
    let (first, _) = two_outputs(&mut p.session);
    assert_eq!(keep_error(&mut p.session, &first), RECORD);

    let mut p = provision(b"payload");
    let (first, _) = two_commands(&mut p.tenant);
    assert_eq!(tenant_error(&mut p.tenant, &first), RECORD);
}

#[test]
fn the_known_keep_cannot_be_replaced() {
    let p = provision(b"payload");
    let mut tenant = tenant::Session::new(&p.owner, Peer::Known(p.keep.id())).unwrap();
    let mut session = keep::Session::new(&new_keep()).unwrap();
    let seen = speak(&mut tenant, &mut session);
    assert_eq!(seen.tenant_error, Some(TlsError::AnotherKeep.into()));
}

#[test]
fn sound_evidence_of_this_session_is_accepted() {
    // The positive control of the forged offers below.
    let offer = forged_offer(|forger| attest(&forger.binding().report_data()));
    accept(&offer);
}

#[test]
fn evidence_for_another_nonce_is_refused() {
    not_accepted(&forged_offer(|forger| {
        attest(&Binding { nonce: &[9; 32], ..forger.binding() }.report_data())
    }));
}

#[test]
fn evidence_in_another_role_is_refused() {
    not_accepted(&forged_offer(|forger| {
        attest(&Binding { role: Role::Owner, ..forger.binding() }.report_data())
    }));
}

#[test]
fn evidence_of_another_session_with_the_same_keep_is_refused() {
    not_accepted(&forged_offer(|forger| {
        attest(&Binding { exporter: &[9; 32], ..forger.binding() }.report_data())
    }));
}

#[test]
fn evidence_of_another_keep_is_refused() {
    not_accepted(&forged_offer(|forger| {
        attest(&Binding { keep: &KeepId([9; 32]), ..forger.binding() }.report_data())
    }));
}

#[test]
fn evidence_for_another_one_time_key_engine_launch_or_limit_is_refused() {
    let limits = Limits { payload: 1 };
    not_accepted(&forged_offer(|forger| {
        attest(&Binding { one_time_key: &[9; 1216], ..forger.binding() }.report_data())
    }));
    not_accepted(&forged_offer(|forger| {
        attest(&Binding { engine: "other", ..forger.binding() }.report_data())
    }));
    not_accepted(&forged_offer(|forger| {
        attest(&Binding { launch: b"other", ..forger.binding() }.report_data())
    }));
    not_accepted(&forged_offer(|forger| {
        attest(&Binding { limits: &limits, ..forger.binding() }.report_data())
    }));
}

#[test]
fn evidence_relayed_from_another_session_is_refused() {
    // The host ends the tenant's TLS itself, asks the genuine Keep for evidence over the tenant's nonce, and says all
    // that the genuine Keep says.
    let genuine = new_keep();
    let offer = forged_offer_of(|forger| {
        let mut relay = Channel::connect(Some(genuine.id())).unwrap();
        let mut session = keep::Session::new(&genuine).unwrap();
        let request = ToKeep::EvidenceRequest(forger.nonce).encode();
        let mut asked = false;
        loop {
            std::iter::from_fn(|| relay.pull()).for_each(|bytes| session.push(&bytes).unwrap());
            while let Some(event) = session.next_event().unwrap() {
                let keep::Event::EvidenceWanted { report_data } = event else { panic!("{event:?}") };
                session.evidence(&attest(&report_data)).unwrap();
            }
            std::iter::from_fn(|| session.pull()).for_each(|bytes| relay.push(&bytes).unwrap());
            if let Received::Frame(frame) = relay.receive(usize::MAX).unwrap() {
                let ToTenant::Offer(offer) = ToTenant::decode(&frame).unwrap() else { panic!() };
                return *offer;
            }
            if relay.connected().is_some() && !asked {
                relay.send(&request).unwrap();
                asked = true;
            }
        }
    });
    not_accepted(&offer);
}

#[test]
fn a_result_of_another_session_releases_nothing() {
    let keep = new_keep();
    let mut first = tenant::Session::new(&owner(), Peer::Fresh).unwrap();
    let mut second = tenant::Session::new(&owner(), Peer::Fresh).unwrap();
    let result = accept(&speak(&mut first, &mut keep::Session::new(&keep).unwrap()).offer());
    let mut session = keep::Session::new(&keep).unwrap();
    accept(&speak(&mut second, &mut session).offer());
    assert_eq!(second.release(&result, payload(b"secret")), Err(Refusal::ResultOfAnotherSession.into()));
    speak(&mut second, &mut session);
    assert_eq!(keep.standing(), Standing::Fresh);
}

#[test]
fn a_result_of_an_earlier_nonce_releases_nothing() {
    let keep = new_keep();
    let mut tenant = tenant::Session::new(&owner(), Peer::Fresh).unwrap();
    let mut session = keep::Session::new(&keep).unwrap();
    let result = accept(&speak(&mut tenant, &mut session).offer());
    tenant.request_evidence().unwrap();
    speak(&mut tenant, &mut session).offer();
    assert_eq!(tenant.release(&result, payload(b"secret")), Err(Refusal::ResultOfAnotherSession.into()));
}

#[test]
fn a_workload_that_the_host_injected_is_noticed_by_the_offer() {
    let keep = new_keep();
    Hostile::new(&keep).provision(&signing_key(), b"the host's own");
    let mut tenant = tenant::Session::new(&owner(), Peer::Fresh).unwrap();
    let mut session = keep::Session::new(&keep).unwrap();
    let seen = speak(&mut tenant, &mut session);
    assert_eq!(seen.tenant_error, Some(Refusal::NotFresh.into()));
}

#[test]
fn a_workload_that_the_host_injected_after_the_offer_is_noticed() {
    let keep = new_keep();
    let mut tenant = tenant::Session::new(&owner(), Peer::Fresh).unwrap();
    let mut session = keep::Session::new(&keep).unwrap();
    let result = accept(&speak(&mut tenant, &mut session).offer());
    let host = signing_key();
    Hostile::new(&keep).provision(&host, b"the host's own");

    tenant.release(&result, payload(&noise(1024 * 1024))).unwrap();
    let seen = speak(&mut tenant, &mut session);
    assert!(
        matches!(seen.tenant.back(), Some(tenant::Event::Refused(Refusal::NotFresh))),
        "{:?}",
        seen.tenant
    );
    assert_eq!(seen.keep_error, Some(Refusal::NotFresh.into()));
    assert!(seen.keep.is_empty());
    let Standing::Owned(running) = keep.standing() else { panic!() };
    assert_eq!(running.owner.0, host.verifying_key().to_bytes());
}

#[test]
fn an_offer_without_evidence_in_it_is_malformed() {
    let keep = Identity::generate().unwrap();
    let mut forger = Forger::new(&keep);
    let offer = forger.offer_with(b"garbage".to_vec());
    forger.send(&ToTenant::Offer(Box::new(offer)));
    let Some(SessionError::Evidence(_)) = forger.tenant.next_event().err() else { panic!() };
}

#[test]
fn what_a_keep_says_before_it_accepted_anything_is_refused() {
    let output = Message::Output { stream: StdStream::Out, bytes: b"lies".to_vec() };
    for (message, name, state) in [
        (ToTenant::Message(output), "message", "before the Keep knew its owner"),
        (ToTenant::Accepted, "accepted", "when there was nothing to accept"),
    ] {
        let keep = Identity::generate().unwrap();
        let mut forger = Forger::new(&keep);
        forger.send(&message);
        let error = WireError::Unexpected { message: name, state };
        assert_eq!(forger.tenant.next_event().err(), Some(error.into()));
    }
}

#[test]
fn an_offer_that_nobody_asked_for_is_refused() {
    let keep = Identity::generate().unwrap();
    let mut forger = Forger::new(&keep);
    let offer = ToTenant::Offer(Box::new(forger.offer_with(no_evidence().encode())));
    forger.send(&offer);
    assert!(matches!(forger.tenant.next_event(), Ok(Some(tenant::Event::Offer(_)))));
    forger.send(&offer);
    let error = WireError::Unexpected { message: "offer", state: "without a request" };
    assert_eq!(forger.tenant.next_event().err(), Some(error.into()));
}

#[test]
fn an_oversized_frame_is_refused_by_the_tenant() {
    let keep = Identity::generate().unwrap();
    let mut forger = Forger::new(&keep);
    let offer = ToTenant::Offer(Box::new(forger.offer_with(no_evidence().encode())));
    forger.send(&offer);
    assert!(matches!(forger.tenant.next_event(), Ok(Some(tenant::Event::Offer(_)))));
    forger.channel.send(&vec![0; FRAME_LIMIT + 1]).unwrap();
    forger.tenant.push(&forger.channel.pull().unwrap()).unwrap();
    let error = WireError::FrameTooLong { length: FRAME_LIMIT as u64 + 1, limit: FRAME_LIMIT };
    assert_eq!(forger.tenant.next_event().err(), Some(error.into()));
}

#[test]
fn garbage_is_refused_at_once_and_nothing_of_it_is_kept() {
    let keep = new_keep();
    let mut session = keep::Session::new(&keep).unwrap();
    let mut tenant = tenant::Session::new(&owner(), Peer::Fresh).unwrap();
    let garbage = vec![0xee; 1024 * 1024];
    protocol(
        keep_error(&mut session, &garbage).as_ref(),
        "received corrupt message of type InvalidContentType",
    );
    protocol(
        tenant_error(&mut tenant, &garbage).as_ref(),
        "received corrupt message of type InvalidContentType",
    );
    for _ in 0..100 {
        session.push(&garbage).unwrap();
        tenant.push(&garbage).unwrap();
    }
    assert!(session.is_over() && tenant.is_over());
    assert_eq!(
        (session.next_event().unwrap().is_none(), tenant.next_event().unwrap().is_none()),
        (true, true)
    );
}

#[test]
fn a_handshake_message_without_end_is_refused() {
    let keep = new_keep();
    let mut session = keep::Session::new(&keep).unwrap();
    let mut record = vec![0x16, 0x03, 0x01, 0x40, 0x00, 0x01, 0xff, 0xff, 0xff];
    record.resize(5 + 0x4000, 0);
    let rest = [&[0x16, 0x03, 0x03, 0x40, 0x00][..], &[0; 0x4000]].concat();
    session.push(&record).unwrap();
    let mut pushed = record.len();
    let error = loop {
        match session.next_event() {
            Ok(None) if pushed < 1024 * 1024 => session.push(&rest).unwrap(),
            other => break other.err(),
        }
        pushed += rest.len();
    };
    protocol(error.as_ref(), "received corrupt message of type HandshakePayloadTooLarge");
    assert!(pushed < 256 * 1024, "{pushed}");
}

#[test]
fn endless_data_that_nobody_takes_is_an_overrun() {
    let mut hostile = Hostile::new(&new_keep());
    let limit = 1024 * 1024;
    let mut pushed = 0;
    let error = loop {
        hostile.channel.send(&vec![0; FRAME_LIMIT]).unwrap();
        let bytes = hostile.channel.pull().unwrap();
        pushed += bytes.len();
        if let Err(error) = hostile.session.push(&bytes) {
            break error;
        }
    };
    assert_eq!(error, SessionError::Overrun { limit });
    assert!(pushed < limit + 3 * FRAME_LIMIT, "{pushed}");
}

/// What the host sees of an honest session of an owner with its Keep, in one piece for each way.
fn recorded(keep: &Arc<Keep>) -> (Vec<u8>, Vec<u8>) {
    let (mut to_keep, mut to_tenant) = (Vec::new(), Vec::new());
    let mut tenant = tenant::Session::new(&owner(), Peer::Fresh).unwrap();
    let mut session = keep::Session::new(keep).unwrap();
    let mut host = |way, bytes: Vec<u8>| {
        if way == Way::ToKeep { &mut to_keep } else { &mut to_tenant }.extend_from_slice(&bytes);
        honest(way, bytes)
    };
    let mut seen = Seen::default();
    speak_with(&mut tenant, &mut session, &mut host, &mut |_| Some(no_evidence()), &mut seen);
    seen.nothing_went_wrong();
    seen.offer();
    (to_keep, to_tenant)
}

fn keep_error(session: &mut keep::Session, bytes: &[u8]) -> Option<SessionError> {
    session.push(bytes).unwrap();
    while let Some(event) = session.next_event().transpose() {
        if let Err(error) = event {
            return Some(error);
        }
    }
    None
}

fn tenant_error(session: &mut tenant::Session, bytes: &[u8]) -> Option<SessionError> {
    session.push(bytes).unwrap();
    while let Some(event) = session.next_event().transpose() {
        if let Err(error) = event {
            return Some(error);
        }
    }
    None
}

fn two_outputs(session: &mut keep::Session) -> (Vec<u8>, Vec<u8>) {
    let mut one = |text: &[u8]| {
        session.send(Message::Output { stream: StdStream::Out, bytes: text.to_vec() }).unwrap();
        session.pull().unwrap()
    };
    (one(b"first"), one(b"second"))
}

fn two_commands(session: &mut tenant::Session) -> (Vec<u8>, Vec<u8>) {
    let mut one = |command| {
        session.send(command).unwrap();
        session.pull().unwrap()
    };
    (one(Command::Status), one(Command::Stop))
}

fn protocol(error: Option<&SessionError>, expected: &str) {
    let Some(SessionError::Tls(TlsError::Protocol { detail })) = error else { panic!("{error:?}") };
    assert!(detail.starts_with(expected), "{detail}");
}

fn not_accepted(offer: &Offer) {
    let refusals = appraise_as(&offer.bundle, &offer.report_data).unwrap_err();
    assert_eq!(refusals.codes().collect::<Vec<_>>(), [Code::ReportDataMismatch]);
}

/// A host that speaks as a Keep under its own identity key, to a tenant that waits for an offer.
struct Forger {
    channel: Channel,
    tenant: tenant::Session,
    nonce: [u8; 32],
    limits: Limits,
    one_time_key: Vec<u8>,
}

impl Forger {
    fn new(identity: &Identity) -> Self {
        let mut channel = Channel::accept(identity).unwrap();
        let mut tenant = tenant::Session::new(&owner(), Peer::Fresh).unwrap();
        let nonce = loop {
            std::iter::from_fn(|| tenant.pull()).for_each(|bytes| channel.push(&bytes).unwrap());
            std::iter::from_fn(|| channel.pull()).for_each(|bytes| tenant.push(&bytes).unwrap());
            while tenant.next_event().unwrap().is_some() {}
            if let Received::Frame(frame) = channel.receive(FRAME_LIMIT).unwrap() {
                let ToKeep::EvidenceRequest(nonce) = ToKeep::decode(&frame).unwrap() else { panic!() };
                break nonce;
            }
        };
        Self { channel, tenant, nonce, limits: Limits::default(), one_time_key: vec![8; 1216] }
    }

    /// What evidence would have to speak for.
    fn binding(&self) -> Binding<'_> {
        let session = self.channel.connected().unwrap();
        Binding {
            role: Role::Keep,
            nonce: &self.nonce,
            exporter: &session.exporter,
            keep: &session.keep,
            one_time_key: &self.one_time_key,
            engine: ENGINE,
            launch: LAUNCH,
            limits: &self.limits,
            running: None,
        }
    }

    fn offer_with(&self, bundle: Vec<u8>) -> OfferMessage {
        OfferMessage {
            bundle,
            engine: ENGINE.into(),
            launch: LAUNCH.to_vec(),
            limits: self.limits,
            one_time_key: self.one_time_key.clone(),
            running: None,
        }
    }

    fn send(&mut self, message: &ToTenant) {
        self.channel.send(&message.encode()).unwrap();
        self.tenant.push(&self.channel.pull().unwrap()).unwrap();
    }
}

fn forged_offer(evidence: impl FnOnce(&Forger) -> enarx_evidence::Bundle) -> Offer {
    forged_offer_of(|forger| forger.offer_with(evidence(forger).encode()))
}

fn forged_offer_of(offer: impl FnOnce(&Forger) -> OfferMessage) -> Offer {
    let keep = Identity::generate().unwrap();
    let mut forger = Forger::new(&keep);
    let offer = ToTenant::Offer(Box::new(offer(&forger)));
    forger.send(&offer);
    match forger.tenant.next_event() {
        Ok(Some(tenant::Event::Offer(offer))) => *offer,
        other => panic!("{other:?}"),
    }
}
