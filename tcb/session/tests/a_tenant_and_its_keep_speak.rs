// SPDX-License-Identifier: Apache-2.0

//! What the session is for, with an honest host: attest, release, speak, come back, attest again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by them"
)]

mod support;

use enarx_session::keep::{self, Standing};
use enarx_session::tenant::{self, Peer};
use enarx_session::wire::{
    Command, DATA_LEN, EntryKind, Exit, FileEntry, Frame, Message, Refusal, STDIN_WINDOW, Status, StdStream,
    Trap,
};
use enarx_session::{OwnerKey, SessionError};
use support::{
    ENGINE, LAUNCH, WORKLOAD, accept, new_keep, new_keep_with, noise, owner, payload, policy, provision,
    speak,
};

#[test]
fn a_payload_reaches_the_keep_that_proved_itself() {
    let bytes = noise(3 * DATA_LEN + 1);
    let p = provision(&bytes);
    assert_eq!(p.delivered.payload().as_bytes(), bytes);
    assert_eq!(p.delivered.owner(), p.owner.id());
    assert_eq!(p.delivered.workload_digest(), WORKLOAD);
    assert_eq!(p.delivered.policy_digest(), policy().digest());
    assert!(p.delivered.attach());
    assert_eq!(p.delivered.time_base_ms(), 1_800_000_000_000);
    let part = p.delivered.payload().slice(1..3).unwrap();
    assert_eq!(part.as_bytes(), &bytes[1..3]);
    assert!(p.delivered.payload().slice(0..bytes.len() + 1).is_none());
}

#[test]
fn payloads_of_every_awkward_length_arrive() {
    for length in [0, 1, DATA_LEN - 1, DATA_LEN, DATA_LEN + 1, 2 * DATA_LEN, 5 * 1024 * 1024] {
        let bytes = noise(length);
        assert_eq!(provision(&bytes).delivered.payload().as_bytes(), bytes);
    }
}

#[test]
fn the_offer_says_what_the_keep_is_before_and_after_provisioning() {
    let keep = new_keep();
    let mut tenant = tenant::Session::new(&owner(), Peer::Fresh).unwrap();
    let mut session = keep::Session::new(&keep).unwrap();
    let offer = speak(&mut tenant, &mut session).offer();
    assert_eq!((offer.engine.as_str(), offer.launch.as_slice(), offer.keep), (ENGINE, LAUNCH, keep.id()));
    assert_eq!(offer.running, None);

    let mut p = provision(b"payload");
    p.tenant.request_evidence().unwrap();
    let offer = speak(&mut p.tenant, &mut p.session).offer();
    let running = offer.running.unwrap();
    assert_eq!(
        (running.owner, running.workload, running.policy),
        (p.owner.id(), WORKLOAD, policy().digest())
    );
    accept(&offer);
}

#[test]
fn anybody_may_ask_a_running_keep_for_evidence_of_what_it_runs() {
    let p = provision(b"payload");
    let mut stranger = tenant::Session::observe(None).unwrap();
    let mut session = keep::Session::new(&p.keep).unwrap();
    let mut seen = speak(&mut stranger, &mut session);
    seen.nothing_went_wrong();
    let offer = seen.offer();
    accept(&offer);
    assert_eq!(offer.keep, p.keep.id());
    assert_eq!(offer.running.unwrap().workload, WORKLOAD);
}

#[test]
fn the_owner_comes_back_to_the_known_keep() {
    let p = provision(b"payload");
    let (mut tenant, mut session) = come_back(&p.owner, &p.keep);
    tenant.send(Command::Status).unwrap();
    let seen = speak(&mut tenant, &mut session);
    assert!(matches!(seen.keep[0], keep::Event::Command(Command::Status)));
    tenant.request_evidence().unwrap();
    accept(&speak(&mut tenant, &mut session).offer());
}

#[test]
fn commands_and_messages_arrive_as_they_were_sent() {
    let mut p = provision(b"payload");
    let commands = [
        Command::Stdin(b"in".to_vec()),
        Command::StdinEnd,
        Command::Logs { follow: true },
        Command::Status,
        Command::FetchFiles,
        Command::Stop,
    ];
    for command in &commands {
        p.tenant.send(command.clone()).unwrap();
    }
    let seen = speak(&mut p.tenant, &mut p.session);
    let received: Vec<_> = seen
        .keep
        .into_iter()
        .map(|event| if let keep::Event::Command(command) = event { command } else { panic!("{event:?}") })
        .collect();
    assert_eq!(received, commands);

    let file = |path: &str, kind| Message::File(FileEntry { path: path.into(), kind });
    let frame = Frame { module: None, function: Some("main".into()), index: 3, offset: Some(77) };
    let trap = Trap { kind: "unreachable".into(), message: "it did".into(), backtrace: vec![frame] };
    let messages = [
        Message::Output { stream: StdStream::Out, bytes: b"out".to_vec() },
        Message::Output { stream: StdStream::Err, bytes: b"err".to_vec() },
        Message::StdinTaken(2),
        Message::Log { stream: StdStream::Out, bytes: b"earlier".to_vec() },
        Message::LogsEnd,
        Message::Status(Status { run_time_ms: 5, exit: None }),
        file("d", EntryKind::Dir),
        file("d/f", EntryKind::File(3)),
        Message::FileBytes(b"abc".to_vec()),
        file("l", EntryKind::Symlink("/etc/passwd".into())),
        file("gone", EntryKind::Removed),
        Message::FilesEnd,
        Message::Exited(Exit::Trapped(trap)),
    ];
    for message in &messages {
        p.session.send(message.clone()).unwrap();
    }
    assert_eq!(messages_of(speak(&mut p.tenant, &mut p.session)), messages);
}

#[test]
fn long_output_arrives_in_pieces_and_long_traps_are_cut() {
    let mut p = provision(b"payload");
    let bytes = noise(10 * DATA_LEN + 5);
    p.session.send(Message::Output { stream: StdStream::Out, bytes: bytes.clone() }).unwrap();
    assert!(p.session.backlog() > bytes.len());
    let mut arrived = Vec::new();
    for message in messages_of(speak(&mut p.tenant, &mut p.session)) {
        let Message::Output { bytes, .. } = message else { panic!("{message:?}") };
        assert!(bytes.len() <= DATA_LEN);
        arrived.extend(bytes);
    }
    assert_eq!(arrived, bytes);
    assert_eq!(p.session.backlog(), 0);

    let name = "ä".repeat(100_000);
    let frame = Frame { module: Some(name.clone()), function: Some(name.clone()), index: 0, offset: None };
    let trap = Trap { kind: name.clone(), message: name, backtrace: vec![frame; 1000] };
    p.session.send(Message::Exited(Exit::Trapped(trap))).unwrap();
    let messages = messages_of(speak(&mut p.tenant, &mut p.session));
    let [Message::Exited(Exit::Trapped(trap))] = &messages[..] else { panic!("{messages:?}") };
    assert_eq!((trap.message.len(), trap.backtrace.len()), (4096, 64));
}

#[test]
fn stdin_waits_until_the_workload_takes_it() {
    let mut p = provision(b"payload");
    assert_eq!(p.tenant.stdin_room(), STDIN_WINDOW);
    p.tenant.send(Command::Stdin(vec![0; STDIN_WINDOW])).unwrap();
    assert_eq!(
        p.tenant.send(Command::Stdin(vec![0])),
        Err(SessionError::OutOfTurn { call: "send", state: "with more stdin than there is room for" })
    );
    speak(&mut p.tenant, &mut p.session).nothing_went_wrong();
    p.session.send(Message::StdinTaken(10)).unwrap();
    speak(&mut p.tenant, &mut p.session).nothing_went_wrong();
    assert_eq!(p.tenant.stdin_room(), 10);
    p.tenant.send(Command::Stdin(vec![0; 10])).unwrap();
    speak(&mut p.tenant, &mut p.session).nothing_went_wrong();
}

#[test]
fn a_payload_is_sealed_only_as_fast_as_the_transport_takes_it() {
    let keep = new_keep();
    let mut tenant = tenant::Session::new(&owner(), Peer::Fresh).unwrap();
    let mut session = keep::Session::new(&keep).unwrap();
    let result = accept(&speak(&mut tenant, &mut session).offer());
    tenant.release(&result, payload(&noise(8 * 1024 * 1024))).unwrap();
    assert!(tenant.backlog() >= 8 * 1024 * 1024);
    let most = std::iter::from_fn(|| tenant.pull()).map(|bytes| bytes.len()).max().unwrap();
    assert!(most < 512 * 1024, "{most} bytes at once");
    assert_eq!(tenant.backlog(), 0);
}

#[test]
fn a_payload_over_the_stated_limit_is_not_released() {
    let keep = new_keep_with(enarx_session::wire::Limits { payload: 10 });
    let mut tenant = tenant::Session::new(&owner(), Peer::Fresh).unwrap();
    let mut session = keep::Session::new(&keep).unwrap();
    let result = accept(&speak(&mut tenant, &mut session).offer());
    assert_eq!(tenant.release(&result, payload(&[0; 11])), Err(Refusal::PayloadTooLarge.into()));
    assert_eq!(keep.standing(), Standing::Fresh);
}

#[test]
fn a_goodbye_is_told_from_a_cut() {
    let mut p = provision(b"payload");
    p.tenant.close();
    let seen = speak(&mut p.tenant, &mut p.session);
    seen.nothing_went_wrong();
    assert!(matches!(seen.keep[0], keep::Event::Closed));

    let mut p = provision(b"payload");
    p.session.close();
    let seen = speak(&mut p.tenant, &mut p.session);
    seen.nothing_went_wrong();
    assert!(matches!(seen.tenant[0], tenant::Event::Closed));
}

#[test]
fn what_is_said_out_of_turn_changes_nothing() {
    let out_of_turn = |call, state| Err(SessionError::OutOfTurn { call, state });
    let keep = new_keep();
    let mut tenant = tenant::Session::new(&owner(), Peer::Fresh).unwrap();
    let mut session = keep::Session::new(&keep).unwrap();
    assert_eq!(tenant.send(Command::Stop), out_of_turn("send", "before the Keep knows its owner"));
    assert_eq!(tenant.request_evidence(), out_of_turn("request_evidence", "now"));
    assert_eq!(
        session.send(Message::LogsEnd),
        out_of_turn("send", "before the peer is known to be the owner")
    );
    assert_eq!(
        session.evidence(&support::no_evidence()),
        out_of_turn("evidence", "when nobody asked for it")
    );
    let result = accept(&speak(&mut tenant, &mut session).offer());
    assert_eq!(tenant.send(Command::Stop), out_of_turn("send", "before the Keep knows its owner"));
    tenant.release(&result, payload(b"payload")).unwrap();
    assert_eq!(tenant.release(&result, payload(b"payload")), out_of_turn("release", "in this session"));
    speak(&mut tenant, &mut session).nothing_went_wrong();
    assert_eq!(tenant.send(Command::Stop), Ok(()));
}

#[test]
fn a_keep_without_evidence_says_so() {
    let keep = new_keep();
    let mut tenant = tenant::Session::new(&owner(), Peer::Fresh).unwrap();
    let mut session = keep::Session::new(&keep).unwrap();
    let mut seen = support::Seen::default();
    support::speak_with(&mut tenant, &mut session, &mut support::honest, &mut |_| None, &mut seen);
    session.refuse(Refusal::NoEvidence);
    let seen = speak(&mut tenant, &mut session);
    assert!(matches!(seen.tenant[0], tenant::Event::Refused(Refusal::NoEvidence)));
}

#[test]
fn secrets_are_not_printed() {
    let seed = [0xab; 32];
    let key = OwnerKey::from_seed(&seed);
    assert_eq!(*key.seed(), seed);
    assert_eq!(format!("{key:?}"), "OwnerKey([redacted])");
    assert_eq!(format!("{:?}", payload(b"secret")), "Payload(6 bytes, [redacted])");
    let p = provision(b"secret");
    assert_eq!(format!("{:?}", p.delivered.payload()), "OwnerBytes(6 bytes, [redacted])");
    let all = format!("{:?} {:?} {:?} {:?}", p.delivered, p.keep, p.tenant, p.session);
    assert!(!all.contains("115, 101, 99"), "{all}");
}

fn come_back(owner: &OwnerKey, keep: &std::sync::Arc<keep::Keep>) -> (tenant::Session, keep::Session) {
    let mut tenant = tenant::Session::new(owner, Peer::Known(keep.id())).unwrap();
    let mut session = keep::Session::new(keep).unwrap();
    let seen = speak(&mut tenant, &mut session);
    seen.nothing_went_wrong();
    assert!(matches!(seen.tenant[1], tenant::Event::Admitted), "{:?}", seen.tenant);
    (tenant, session)
}

fn messages_of(seen: support::Seen) -> Vec<Message> {
    seen.nothing_went_wrong();
    seen.tenant
        .into_iter()
        .map(|event| if let tenant::Event::Message(message) = event { message } else { panic!("{event:?}") })
        .collect()
}
