// SPDX-License-Identifier: Apache-2.0

//! A tenant that breaks the rules inside a sound TLS session: every way has its one refusal, and nothing is delivered.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by them"
)]

mod support;

use ed25519_dalek::Signer;
use enarx_session::SessionError;
use enarx_session::keep::{self, Keep, Standing};
use enarx_session::wire::{
    Command, FRAME_LIMIT, Limits, PAYLOAD_LIMIT, Refusal, STDIN_WINDOW, ToKeep, ToTenant, WireError,
};
use std::sync::Arc;
use support::hostile::{Hostile, Sealed, signing_key};
use support::{new_keep, new_keep_with};

const PAYLOAD: &[u8] = b"a payload of three pieces that are sealed one after the other";

#[test]
fn a_sound_provisioning_is_accepted() {
    // The positive control: the hostile tenant can do it right, so that what follows fails for its own reason.
    let (keep, owner) = (new_keep(), signing_key());
    let mut hostile = Hostile::new(&keep);
    hostile.provision(&owner, PAYLOAD);
    assert_eq!(hostile.seen.delivered().payload().as_bytes(), PAYLOAD);
    assert_eq!(hostile.outcome(), (None, Some(ToTenant::Accepted)));
    assert!(matches!(keep.standing(), Standing::Owned(_)));
}

#[test]
fn provisioning_without_a_header_is_refused() {
    let mut hostile = Hostile::new(&new_keep());
    hostile.send(&ToKeep::Chunk { last: true, sealed: vec![0; 100] });
    assert_eq!(hostile.outcome().0, Some(unexpected("chunk", "without a signed header before it")));
}

#[test]
fn unsigned_provisioning_is_refused() {
    refused_header(Refusal::OwnerSignature, Standing::Fresh, |_, _, sealed| {
        sealed.header.signature = [0; 64];
    });
}

#[test]
fn a_header_without_the_field_of_the_signature_is_malformed() {
    let mut hostile = Hostile::new(&new_keep());
    let key = hostile.one_time_key();
    let sealed = hostile.seal(&key, &signing_key(), PAYLOAD);
    let whole = ToKeep::Provision(Box::new(sealed.header)).encode();
    // The signature is the last of nine fields: its CBOR header has two bytes.
    let mut unsigned = whole[..whole.len() - 66].to_vec();
    let fields = unsigned.iter().position(|byte| *byte == 0x89).unwrap();
    unsigned[fields] = 0x88;
    hostile.send_frame(&unsigned);
    let Some(SessionError::Wire(WireError::Malformed { what, detail })) = hostile.outcome().0 else {
        panic!()
    };
    assert_eq!((what, detail.contains("missing value")), ("message to a Keep", true), "{detail}");
}

#[test]
fn provisioning_signed_by_somebody_else_is_refused() {
    refused_header(Refusal::OwnerSignature, Standing::Fresh, |hostile, key, sealed| {
        let signed = hostile.to_sign(key, &sealed.header);
        sealed.header.signature = signing_key().sign(&signed).to_bytes();
    });
}

#[test]
fn every_signed_field_is_covered_by_the_signature() {
    let spoil: [fn(&mut Sealed); 7] = [
        |sealed| sealed.header.workload[0] ^= 1,
        |sealed| sealed.header.policy[0] ^= 1,
        |sealed| sealed.header.length += 1,
        |sealed| sealed.header.sha256[0] ^= 1,
        |sealed| sealed.header.attach = !sealed.header.attach,
        |sealed| sealed.header.time_base_ms += 1,
        |sealed| sealed.header.encapsulated[0] ^= 1,
    ];
    for spoil in spoil {
        refused_header(Refusal::OwnerSignature, Standing::Fresh, |_, _, sealed| spoil(sealed));
    }
}

#[test]
fn a_signature_of_another_session_is_refused() {
    let keep = new_keep();
    let owner = signing_key();
    let mut first = Hostile::new(&keep);
    let key = first.one_time_key();
    let sealed = first.seal(&key, &owner, PAYLOAD);
    let signature = owner.sign(&first.to_sign(&key, &sealed.header)).to_bytes();

    let mut second = Hostile::new(&keep);
    let mut header = sealed.header;
    header.signature = signature;
    second.send(&ToKeep::Provision(Box::new(header)));
    assert_eq!(second.outcome(), refusal(Refusal::OwnerSignature));
}

#[test]
fn a_payload_over_the_limit_is_refused_before_it_is_sent() {
    let owner = signing_key();
    for (limit, length) in [(10, 11), (PAYLOAD_LIMIT, u64::MAX)] {
        let keep = new_keep_with(Limits { payload: limit });
        let mut hostile = Hostile::new(&keep);
        let key = hostile.one_time_key();
        let mut sealed = hostile.seal(&key, &owner, PAYLOAD);
        sealed.header.length = length;
        sealed.header.signature = owner.sign(&hostile.to_sign(&key, &sealed.header)).to_bytes();
        hostile.send(&ToKeep::Provision(Box::new(sealed.header)));
        assert_eq!(hostile.outcome(), refusal(Refusal::PayloadTooLarge));
        assert_eq!(keep.standing(), Standing::Fresh);
    }
}

#[test]
fn a_payload_whose_last_chunk_is_dropped_is_refused() {
    // The chunk before it, sent as if it were the last: sealed as another one.
    refused_chunks(Refusal::PayloadSeal, |sealed| {
        let [first, second, _] = thirds(sealed);
        vec![first, as_last(second)]
    });
    // Sealed as the last by a tenant that stops early: not all that was signed.
    refused_chunks(Refusal::PayloadLength, |sealed| vec![sealed.chunk(&PAYLOAD[..20], true)]);
}

#[test]
fn a_payload_that_is_cut_off_is_not_delivered() {
    let (keep, mut hostile, mut sealed) = begun();
    hostile.send(&sealed.chunk(&PAYLOAD[..20], false));
    hostile.channel.close();
    hostile.settle();
    assert_eq!(hostile.outcome().0, Some(WireError::Incomplete.into()));
    assert_eq!(keep.standing(), Standing::Spent);
}

#[test]
fn reordered_chunks_are_refused() {
    refused_chunks(Refusal::PayloadSeal, |sealed| {
        let [first, second, third] = thirds(sealed);
        vec![second, first, third]
    });
}

#[test]
fn a_repeated_chunk_is_refused() {
    refused_chunks(Refusal::PayloadSeal, |sealed| {
        let [first, second, third] = thirds(sealed);
        vec![first.clone(), first, second, third]
    });
}

#[test]
fn a_changed_chunk_is_refused() {
    refused_chunks(Refusal::PayloadSeal, |sealed| {
        let mut chunk = sealed.chunk(PAYLOAD, true);
        if let ToKeep::Chunk { sealed, .. } = &mut chunk {
            sealed[5] ^= 1;
        }
        vec![chunk]
    });
}

#[test]
fn a_chunk_shorter_than_its_tag_is_refused() {
    refused_chunks(Refusal::PayloadSeal, |_| vec![ToKeep::Chunk { last: true, sealed: vec![0; 15] }]);
}

#[test]
fn a_payload_longer_than_signed_is_refused() {
    refused_chunks(Refusal::PayloadLength, |sealed| vec![sealed.chunk(&[PAYLOAD, b"!"].concat(), true)]);
}

#[test]
fn a_payload_with_another_hash_than_signed_is_refused() {
    refused_chunks(Refusal::PayloadHash, |sealed| vec![sealed.chunk(&[b'?'; PAYLOAD.len()], true)]);
}

#[test]
fn a_payload_sealed_to_another_key_is_refused() {
    let (keep, owner) = (new_keep(), signing_key());
    let other_key = Hostile::new(&new_keep()).one_time_key();
    let mut hostile = Hostile::new(&keep);
    let key = hostile.one_time_key();
    let mut sealed = hostile.seal(&other_key, &owner, PAYLOAD);
    sealed.header.signature = owner.sign(&hostile.to_sign(&key, &sealed.header)).to_bytes();
    let chunk = sealed.chunk(PAYLOAD, true);
    hostile.send(&ToKeep::Provision(Box::new(sealed.header)));
    hostile.send(&chunk);
    assert_eq!(hostile.outcome(), refusal(Refusal::PayloadSeal));
}

#[test]
fn another_owner_is_refused_after_the_first_is_pinned() {
    let keep = new_keep();
    let key = provisioned(&keep, &signing_key());
    second_header(&keep, &key, &signing_key());
}

#[test]
fn a_second_provisioning_is_refused_even_from_the_owner() {
    let (keep, owner) = (new_keep(), signing_key());
    let key = provisioned(&keep, &owner);
    second_header(&keep, &key, &owner);
}

#[test]
fn a_keep_whose_provisioning_failed_is_of_no_use_any_more() {
    let (keep, mut hostile, mut sealed) = begun();
    let key = Hostile::new(&keep).one_time_key();
    assert_eq!((key.len(), keep.standing()), (0, Standing::Receiving));
    hostile.send(&as_last(sealed.chunk(PAYLOAD, false)));
    assert_eq!(keep.standing(), Standing::Spent);
    let other = Hostile::new(&new_keep()).one_time_key();
    second_header(&keep, &other, &signing_key());
}

#[test]
fn commands_of_somebody_who_proved_nothing_are_refused() {
    let (keep, owner) = (new_keep(), signing_key());
    provisioned(&keep, &owner);
    for command in [Command::Stop, Command::Status, Command::Logs { follow: false }, Command::Stdin(vec![1])]
    {
        let mut hostile = Hostile::new(&keep);
        hostile.send(&ToKeep::Command(command));
        assert!(hostile.seen.keep.is_empty());
        assert_eq!(hostile.outcome(), refusal(Refusal::NotOwner));
    }
}

#[test]
fn commands_before_provisioning_are_refused() {
    let mut hostile = Hostile::new(&new_keep());
    hostile.send(&ToKeep::Command(Command::Stop));
    assert_eq!(hostile.outcome(), refusal(Refusal::NotOwner));
}

#[test]
fn the_proof_of_another_owner_is_refused() {
    refused_proof(Refusal::NotOwner, |hostile, _| {
        hostile.proof(&signing_key(), b"owner", &hostile.exporter())
    });
}

#[test]
fn an_owner_proof_in_the_role_of_the_keep_is_refused() {
    refused_proof(Refusal::OwnerSignature, |hostile, owner| {
        hostile.proof(owner, b"keep", &hostile.exporter())
    });
}

#[test]
fn an_owner_proof_of_another_session_is_refused() {
    refused_proof(Refusal::OwnerSignature, |hostile, owner| {
        let other = Hostile::new(&new_keep()).exporter();
        hostile.proof(owner, b"owner", &other)
    });
}

#[test]
fn an_owner_proof_for_another_keep_is_refused() {
    refused_proof(Refusal::OwnerSignature, |_, owner| {
        let other = Hostile::new(&new_keep());
        other.proof(owner, b"owner", &other.exporter())
    });
}

#[test]
fn nobody_owns_a_keep_that_is_not_provisioned() {
    let mut hostile = Hostile::new(&new_keep());
    let proof = hostile.proof(&signing_key(), b"owner", &hostile.exporter());
    hostile.send(&proof);
    assert_eq!(hostile.outcome(), refusal(Refusal::NotProvisioned));
}

#[test]
fn stdin_beyond_the_window_is_refused() {
    let (keep, owner) = (new_keep(), signing_key());
    let mut hostile = Hostile::new(&keep);
    hostile.provision(&owner, PAYLOAD);
    for _ in 0..STDIN_WINDOW / 32768 {
        hostile.send(&ToKeep::Command(Command::Stdin(vec![0; 32768])));
        assert_eq!(hostile.seen.keep_error, None);
    }
    hostile.send(&ToKeep::Command(Command::Stdin(vec![0])));
    assert_eq!(hostile.outcome(), refusal(Refusal::StdinOverrun));
}

#[test]
fn an_oversized_frame_is_refused_by_its_first_bytes() {
    let mut hostile = Hostile::new(&new_keep());
    hostile.send_frame(&vec![0; FRAME_LIMIT + 1]);
    let error = WireError::FrameTooLong { length: FRAME_LIMIT as u64 + 1, limit: FRAME_LIMIT };
    assert_eq!(hostile.outcome().0, Some(error.into()));
}

#[test]
fn frames_that_are_no_message_are_malformed() {
    let whole = ToKeep::EvidenceRequest([0; 32]).encode();
    let trailing = [whole.as_slice(), &[0]].concat();
    for frame in [b"".as_slice(), b"garbage", &whole[..whole.len() - 1], &trailing, &[0x82, 0x18, 99, 0x80]] {
        let mut hostile = Hostile::new(&new_keep());
        hostile.send_frame(frame);
        let error = hostile.outcome().0;
        let malformed = |what| matches!(what, Some(SessionError::Wire(WireError::Malformed { .. })));
        assert!(malformed(error.clone()), "{error:?}");
    }
}

#[test]
fn evidence_is_made_for_one_request_at_a_time() {
    let keep = new_keep();
    let mut hostile = Hostile::new(&keep);
    // Both requests arrive before anybody can answer the first.
    let request = ToKeep::EvidenceRequest([0; 32]).encode();
    hostile.channel.send(&request).unwrap();
    hostile.channel.send(&request).unwrap();
    let bytes = hostile.channel.pull().unwrap();
    hostile.session.push(&bytes).unwrap();
    assert!(matches!(hostile.session.next_event(), Ok(Some(keep::Event::EvidenceWanted { .. }))));
    let error = hostile.session.next_event().err();
    assert_eq!(error, Some(unexpected("evidence request", "before the evidence it asked for")));
}

fn unexpected(message: &'static str, state: &'static str) -> SessionError {
    WireError::Unexpected { message, state }.into()
}

/// The Keep's end fails with it, and the tenant is told.
fn refusal(refusal: Refusal) -> (Option<SessionError>, Option<ToTenant>) {
    (Some(refusal.into()), Some(ToTenant::Refused(refusal)))
}

/// A sound header, signed, then spoilt.
fn refused_header(
    expected: Refusal,
    standing: Standing,
    spoil: impl FnOnce(&mut Hostile, &[u8], &mut Sealed),
) {
    let (keep, owner) = (new_keep(), signing_key());
    let mut hostile = Hostile::new(&keep);
    let key = hostile.one_time_key();
    let mut sealed = hostile.seal(&key, &owner, PAYLOAD);
    sealed.header.signature = owner.sign(&hostile.to_sign(&key, &sealed.header)).to_bytes();
    spoil(&mut hostile, &key, &mut sealed);
    hostile.send(&ToKeep::Provision(Box::new(sealed.header)));
    assert_eq!(hostile.outcome(), refusal(expected));
    assert_eq!(keep.standing(), standing);
}

/// A Keep that has accepted a sound header and waits for chunks.
fn begun() -> (Arc<Keep>, Hostile, Sealed) {
    let (keep, owner) = (new_keep(), signing_key());
    let mut hostile = Hostile::new(&keep);
    let key = hostile.one_time_key();
    let mut sealed = hostile.seal(&key, &owner, PAYLOAD);
    sealed.header.signature = owner.sign(&hostile.to_sign(&key, &sealed.header)).to_bytes();
    hostile.send(&ToKeep::Provision(Box::new(sealed.header.clone())));
    assert_eq!(keep.standing(), Standing::Receiving);
    (keep, hostile, sealed)
}

/// Chunks after a sound header.
fn refused_chunks(expected: Refusal, chunks: impl FnOnce(&mut Sealed) -> Vec<ToKeep>) {
    let (keep, mut hostile, mut sealed) = begun();
    for chunk in chunks(&mut sealed) {
        if hostile.seen.keep_error.is_none() {
            hostile.send(&chunk);
        }
    }
    assert!(hostile.seen.keep.is_empty());
    assert_eq!(hostile.outcome(), refusal(expected));
    assert_eq!(keep.standing(), Standing::Spent);
}

fn thirds(sealed: &mut Sealed) -> [ToKeep; 3] {
    [(0..20, false), (20..40, false), (40..PAYLOAD.len(), true)]
        .map(|(range, last)| sealed.chunk(&PAYLOAD[range], last))
}

fn as_last(chunk: ToKeep) -> ToKeep {
    match chunk {
        ToKeep::Chunk { sealed, .. } => ToKeep::Chunk { last: true, sealed },
        other => other,
    }
}

/// Provisions, and gives the one-time key that was used.
fn provisioned(keep: &Arc<Keep>, owner: &ed25519_dalek::SigningKey) -> Vec<u8> {
    let key = Hostile::new(keep).one_time_key();
    let mut hostile = Hostile::new(keep);
    hostile.provision(owner, PAYLOAD);
    assert_eq!(hostile.outcome(), (None, Some(ToTenant::Accepted)));
    key
}

fn second_header(keep: &Arc<Keep>, key: &[u8], owner: &ed25519_dalek::SigningKey) {
    let standing = keep.standing();
    let mut hostile = Hostile::new(keep);
    let mut sealed = hostile.seal(key, owner, PAYLOAD);
    sealed.header.signature = owner.sign(&hostile.to_sign(key, &sealed.header)).to_bytes();
    hostile.send(&ToKeep::Provision(Box::new(sealed.header)));
    assert_eq!(hostile.outcome(), refusal(Refusal::NotFresh));
    assert_eq!(keep.standing(), standing);
}

/// A proof to a provisioned Keep, after which a command must not get through.
fn refused_proof(expected: Refusal, proof: impl FnOnce(&Hostile, &ed25519_dalek::SigningKey) -> ToKeep) {
    let (keep, owner) = (new_keep(), signing_key());
    provisioned(&keep, &owner);
    let mut hostile = Hostile::new(&keep);
    let proof = proof(&hostile, &owner);
    hostile.send(&proof);
    assert!(!hostile.session.is_owner());
    assert_eq!(hostile.outcome(), refusal(expected));
}
