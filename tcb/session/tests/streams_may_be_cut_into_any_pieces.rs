// SPDX-License-Identifier: Apache-2.0

//! Properties of both ends over arbitrary transports: pieces do not matter, one changed byte always does, and no bytes
//! make an end panic.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by them"
)]

mod entry;
mod support;

use std::sync::Arc;

use enarx_session::keep::{self, Keep};
use enarx_session::tenant::{self, Peer};
use enarx_session::wire::{Command, EntryKind, FileEntry, Message, StdStream, ToKeep, ToTenant};
use enarx_session::{OwnerKey, SessionError};
use proptest::prelude::*;
use support::hostile::{Hostile, signing_key};
use support::{Host, Seen, Way, honest, new_keep, no_evidence, noise, owner, speak_with};

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_pieces_give_the_same_events(sizes in prop::collection::vec(1usize..3000, 1..20)) {
        let (keep, owner) = owned_keep();
        let whole = life(&keep, &owner, &mut honest);
        prop_assert_eq!((&whole.2, &whole.3), (&None, &None));
        let mut sizes = sizes.into_iter().cycle();
        let pieces = life(&keep, &owner, &mut |_, bytes| {
            let mut pieces = Vec::new();
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(rest.len().min(sizes.next().unwrap()));
                pieces.push(piece.to_vec());
                rest = after;
            }
            pieces
        });
        prop_assert_eq!(whole, pieces);
    }

    #[test]
    fn one_changed_byte_ends_in_an_error(
        way in prop_oneof![Just(Way::ToKeep), Just(Way::ToTenant)],
        at in any::<prop::sample::Index>(),
        flip in 1u8..,
    ) {
        let (keep, owner) = owned_keep();
        let mut bytes = Vec::new();
        let whole = life(&keep, &owner, &mut |to, piece| {
            if to == way {
                bytes.extend_from_slice(&piece);
            }
            vec![piece]
        });
        // The Keep's own goodbye, a record of 24 bytes, comes when the tenant has gone and listens no more.
        let heard = if way == Way::ToTenant { bytes.len() - 24 } else { bytes.len() };
        let at = at.index(heard);
        let mut offset = 0;
        let changed = life(&keep, &owner, &mut |to, mut piece| {
            if to == way {
                if let Some(byte) = at.checked_sub(offset).and_then(|at| piece.get_mut(at)) {
                    *byte ^= flip;
                }
                offset += piece.len();
            }
            vec![piece]
        });
        if is_ignored(&bytes, at) {
            // RFC 8446 section 5.1: the version in a record's header says nothing.
            prop_assert!(changed == whole || changed.2.is_some() || changed.3.is_some());
        } else {
            prop_assert!(changed.2.is_some() || changed.3.is_some(), "{:?} {} of {}", way, at, bytes.len());
            prop_assert!(whole.0.starts_with(&changed.0) && whole.1.starts_with(&changed.1));
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000), records in any::<bool>()) {
        let bytes = if records { as_records(&bytes) } else { bytes };
        let mut session = keep::Session::new(&new_keep()).unwrap();
        let mut tenant = tenant::Session::new(&owner(), Peer::Fresh).unwrap();
        for piece in bytes.chunks(700) {
            session.push(piece).unwrap();
            tenant.push(piece).unwrap();
            while let Ok(Some(_)) = session.next_event() {}
            while let Ok(Some(_)) = tenant.next_event() {}
            while session.pull().is_some() || tenant.pull().is_some() {}
        }
    }

    #[test]
    fn bytes_after_any_part_of_a_handshake_never_panic(
        cut in any::<prop::sample::Index>(),
        bytes in prop::collection::vec(any::<u8>(), 0..600),
        records in any::<bool>(),
    ) {
        let bytes = if records { as_records(&bytes) } else { bytes };
        let mut session = keep::Session::new(&new_keep()).unwrap();
        let mut tenant = tenant::Session::new(&owner(), Peer::Fresh).unwrap();
        let hello = tenant.pull().unwrap();
        session.push(&hello).unwrap();
        let answer = session.pull().unwrap();
        tenant.push(&answer[..cut.index(answer.len())]).unwrap();
        let mut second = keep::Session::new(&new_keep()).unwrap();
        second.push(&hello[..cut.index(hello.len())]).unwrap();
        for piece in bytes.chunks(100) {
            tenant.push(piece).unwrap();
            session.push(piece).unwrap();
            second.push(piece).unwrap();
        }
        while let Ok(Some(_)) = tenant.next_event() {}
        while let Ok(Some(_)) = session.next_event() {}
        while let Ok(Some(_)) = second.next_event() {}
        let _ = (tenant.pull(), session.pull(), second.pull());
    }

    #[test]
    fn random_frames_never_panic(frame in prop::collection::vec(any::<u8>(), 0..300)) {
        entry::frame(&frame);
        let mut hostile = Hostile::new(&new_keep());
        hostile.send_frame(&frame);
    }

    #[test]
    fn messages_survive_the_wire(message in message(), command in command()) {
        let message = ToTenant::Message(message);
        prop_assert_eq!(&ToTenant::decode(&message.encode()).unwrap(), &message);
        let command = ToKeep::Command(command);
        prop_assert_eq!(&ToKeep::decode(&command.encode()).unwrap(), &command);
    }

    #[test]
    fn paths_that_leave_the_root_are_not_decoded(
        before in "([a-z]{1,3}/){0,2}",
        bad in prop_oneof![Just(".."), Just("."), Just(""), Just("a\\b"), Just("a\0b"), Just("/etc")],
        after in "(/[a-z]{1,3}){0,2}",
    ) {
        let file = FileEntry { path: format!("{before}{bad}{after}"), kind: EntryKind::Dir };
        let frame = ToTenant::Message(Message::File(file)).encode();
        prop_assert!(ToTenant::decode(&frame).is_err());
    }
}

type Life = (Vec<String>, Vec<String>, Option<SessionError>, Option<SessionError>);

/// A Keep with an owner, without the cost of evidence.
fn owned_keep() -> (Arc<Keep>, OwnerKey) {
    let (keep, key) = (new_keep(), signing_key());
    Hostile::new(&keep).provision(&key, b"payload");
    (keep, OwnerKey::from_seed(&key.to_bytes()))
}

/// A session of the owner in which everything is said, and its orderly end.
fn life(keep: &Arc<Keep>, owner: &OwnerKey, host: Host<'_>) -> Life {
    let mut tenant = tenant::Session::new(owner, Peer::Known(keep.id())).unwrap();
    let mut session = keep::Session::new(keep).unwrap();
    let mut seen = Seen::default();
    let mut speak = |tenant: &mut _, session: &mut _, seen: &mut _| {
        speak_with(tenant, session, host, &mut |_| Some(no_evidence()), seen);
    };
    speak(&mut tenant, &mut session, &mut seen);
    let _ = tenant.send(Command::Stdin(noise(5000)));
    let _ = tenant.send(Command::FetchFiles);
    let _ = tenant.request_evidence();
    speak(&mut tenant, &mut session, &mut seen);
    for message in [
        Message::Output { stream: StdStream::Out, bytes: noise(40_000) },
        Message::File(FileEntry { path: "a/b".into(), kind: EntryKind::File(3) }),
        Message::FileBytes(b"abc".to_vec()),
        Message::FilesEnd,
    ] {
        let _ = session.send(message);
    }
    speak(&mut tenant, &mut session, &mut seen);
    tenant.close();
    speak(&mut tenant, &mut session, &mut seen);
    // A cut that nobody noticed so far is noticed now; an end that was said stays one.
    session.end();
    tenant.end();
    speak(&mut tenant, &mut session, &mut seen);
    (
        seen.tenant.iter().map(said).collect(),
        seen.keep.iter().map(heard).collect(),
        seen.tenant_error,
        seen.keep_error,
    )
}

fn said(event: &tenant::Event) -> String {
    match event {
        // Its report data are of one session only.
        tenant::Event::Offer(offer) => format!("{:?} {:?}", offer.keep, offer.running),
        other => format!("{other:?}"),
    }
}

fn heard(event: &keep::Event) -> String {
    format!("{event:?}")
}

/// Whether byte `at` is the version in the header of a record.
fn is_ignored(bytes: &[u8], at: usize) -> bool {
    let mut start = 0;
    while let Some(header) = bytes.get(start..start + 5) {
        if (start + 1..start + 3).contains(&at) {
            return true;
        }
        start += 5 + usize::from(u16::from_be_bytes([header[3], header[4]]));
    }
    false
}

/// The bytes as the content of records, so that they get past the first look.
fn as_records(bytes: &[u8]) -> Vec<u8> {
    let kinds = [0x14, 0x15, 0x16, 0x17];
    bytes
        .chunks(37)
        .flat_map(|chunk| {
            let kind = kinds[usize::from(chunk[0]) % kinds.len()];
            [&[kind, 3, 3, 0, u8::try_from(chunk.len()).unwrap()], chunk].concat()
        })
        .collect()
}

fn message() -> impl Strategy<Value = Message> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..100);
    let stream = || prop_oneof![Just(StdStream::Out), Just(StdStream::Err)];
    let kind = prop_oneof![
        any::<u64>().prop_map(EntryKind::File),
        Just(EntryKind::Dir),
        ".*".prop_map(EntryKind::Symlink),
        Just(EntryKind::Removed),
    ];
    prop_oneof![
        (stream(), bytes()).prop_map(|(stream, bytes)| Message::Output { stream, bytes }),
        (stream(), bytes()).prop_map(|(stream, bytes)| Message::Log { stream, bytes }),
        any::<u32>().prop_map(Message::StdinTaken),
        ("[a-zA-Z0-9 ä-ü]{1,20}(/[a-z]{1,5}){0,3}", kind)
            .prop_map(|(path, kind)| Message::File(FileEntry { path, kind })),
        bytes().prop_map(Message::FileBytes),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..100).prop_map(Command::Stdin),
        any::<bool>().prop_map(|follow| Command::Logs { follow }),
        Just(Command::StdinEnd),
        Just(Command::Stop),
        Just(Command::Status),
        Just(Command::FetchFiles),
    ]
}
