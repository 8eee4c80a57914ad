// SPDX-License-Identifier: Apache-2.0

//! Bundles made to cost as much as possible, or to confuse: they are refused, without panic, and the number of
//! signatures that are verified grows no faster than the number of certificates.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

mod entry;
mod simulated;

use std::cell::RefCell;

use enarx_evidence::x509::PublicKey;
use enarx_evidence::{Bundle, Endorsements, Evidence, Format};
use enarx_verifier::crypto::{Hash, RustCrypto, Scheme, SignatureVerifier, Signed};
use enarx_verifier::{Code, Request, appraise_with};
use proptest::collection::vec;
use proptest::prelude::*;
use simulated::{Relying, Vendor};

/// Counts the signatures that an appraisal verifies.
#[derive(Default)]
struct Counting {
    inner: RustCrypto,
    count: usize,
}

impl SignatureVerifier for Counting {
    fn verify(&mut self, signed: &Signed<'_>) -> bool {
        self.count += 1;
        self.inner.verify(signed)
    }
}

fn appraise_counting(relying: &Relying, bundle: &Bundle) -> (usize, Vec<Code>) {
    let mut crypto = Counting::default();
    let request = Request {
        bundle,
        report_data: &relying.report_data,
        anchors: &relying.anchors,
        reference_values: &relying.reference_values,
        policy: &relying.policy,
        advisories: &[],
        now: relying.now,
    };
    let codes =
        appraise_with(&request, &mut crypto).map_or_else(|refusals| refusals.codes().collect(), |_| vec![]);
    (crypto.count, codes)
}

/// Copies that differ in the last bytes of the signature, so that each is a document of its own.
fn copies(document: &[u8], count: u8) -> Vec<Vec<u8>> {
    let copy = |number: u8| {
        let mut copy = document.to_vec();
        *copy.last_mut().unwrap() ^= number;
        copy
    };
    (1..=count).map(copy).collect()
}

#[test]
fn an_honest_bundle_costs_one_signature_for_each_document() {
    let bundle = Vendor::local().attest("amd/milan");
    // VCEK, ASK, ARK, revocation list, report.
    assert_eq!(appraise_counting(&Relying::party(), &bundle), (5, vec![]));
}

#[test]
fn many_false_copies_cost_two_signatures_each_at_most() {
    let relying = Relying::party();
    let honest = Vendor::local().attest("amd/milan");
    for endorsement in 0..honest.endorsements.items.len() {
        let mut bundle = honest.clone();
        let room = u8::try_from(Bundle::MAX_ENDORSEMENTS - bundle.endorsements.items.len()).unwrap();
        let false_ones = copies(&bundle.endorsements.items[endorsement], room);
        bundle.endorsements.items.extend(false_ones);
        let (count, _) = appraise_counting(&relying, &bundle);
        assert!(count <= 2 * Bundle::MAX_ENDORSEMENTS, "{count} signatures for endorsement {endorsement}");
    }
}

#[test]
fn a_key_longer_than_any_genuine_one_is_not_used() {
    fn refused(key: PublicKey<'_>, signature: &[u8]) -> bool {
        let schemes = [Scheme::RsaPss, Scheme::RsaPkcs1, Scheme::Ecdsa].into_iter();
        let hashes = [Hash::Sha1, Hash::Sha256, Hash::Sha384, Hash::Sha512];
        let mut schemes = schemes.flat_map(|scheme| hashes.map(scheme));
        schemes.all(|scheme| !RustCrypto.verify(&Signed { key, scheme, message: b"message", signature }))
    }
    for len in [8, 256, 513, 60_000] {
        let modulus = vec![0xff; len];
        assert!(refused(PublicKey::Rsa { modulus: &modulus, exponent: &[1, 0, 1] }, &modulus));
    }
    let modulus = vec![0xff; 512];
    assert!(refused(PublicKey::Rsa { modulus: &modulus, exponent: &[0xff; 512] }, &modulus));
    let even = vec![0xfe; 512];
    assert!(refused(PublicKey::Rsa { modulus: &even, exponent: &[3] }, &[0; 512]));
    assert!(refused(PublicKey::Rsa { modulus: &[], exponent: &[] }, &[]));
    assert!(refused(PublicKey::P384(&[4; 97]), &[0; 96]));
    assert!(refused(PublicKey::P256(&[4; 65]), &[0; 64]));
}

proptest! {
    #[test]
    fn any_bytes(bytes in vec(any::<u8>(), 0..2000)) {
        entry::appraisal(&bytes);
    }

    #[test]
    fn any_evidence_and_endorsements(bytes in vec(any::<u8>(), 0..1300), items in vec(vec(any::<u8>(), 0..200), 0..6)) {
        let evidence = Evidence { format: Format::SevSnp, bytes };
        entry::appraisal(&Bundle { evidence, endorsements: Endorsements { items } }.encode());
    }
}

#[test]
fn any_few_changes_at_once() {
    let honest = Vendor::local().attest("amd/milan");
    let relying = RefCell::new(Relying::party());
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(200));
    let changes = vec((0..5_usize, any::<prop::sample::Index>(), any::<u8>()), 1..5);
    let run = runner.run(&changes, |changes| {
        let mut bundle = honest.clone();
        for (document, at, byte) in changes {
            let bytes = match document {
                4 => &mut bundle.evidence.bytes,
                item => &mut bundle.endorsements.items[item],
            };
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        prop_assert_eq!(relying.borrow_mut().codes(&bundle).is_empty(), bundle == honest);
        Ok(())
    });
    run.unwrap();
}
