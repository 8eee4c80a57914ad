// SPDX-License-Identifier: Apache-2.0

//! The work that a quote and its endorsements can cause is bounded, whatever the host sends.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod quotes;

use enarx_evidence::Bundle;
use enarx_evidence::dcap::{Certification, Quote};
use enarx_simulator::SimulatedQuote;
use enarx_verifier::crypto::{RustCrypto, SignatureVerifier, Signed};
use enarx_verifier::{Code, Request, appraise_with};
use quotes::{REPORT_DATA, attest, now, policy, set, sound_td};

/// Counts the signatures that are asked about.
#[derive(Default)]
struct Counting(usize);

impl SignatureVerifier for Counting {
    fn verify(&mut self, signed: &Signed<'_>) -> bool {
        self.0 += 1;
        RustCrypto.verify(signed)
    }
}

/// The codes of a refusal, and how many signatures it took.
fn count(bundle: &Bundle) -> (std::collections::BTreeSet<Code>, usize) {
    let mut counting = Counting::default();
    let request = Request {
        bundle,
        report_data: &REPORT_DATA,
        anchors: &quotes::anchors(),
        reference_values: &[],
        policy: &policy(|text| text),
        advisories: &[],
        now: now(),
    };
    let result = appraise_with(&request, &mut counting);
    (result.map_or_else(|refusals| refusals.codes().collect(), |_| set(&[])), counting.0)
}

#[test]
fn a_sound_quote_takes_as_many_signatures_as_it_has() {
    let (codes, signatures) = count(&sound_td());
    assert_eq!(codes, set(&[]));
    // Quote, report of the quoting enclave, three certificates, two lists; two documents and their signer.
    assert_eq!(signatures, 10);
}

/// Certificates, lists and documents of other platforms: everything that could be tried, as often as there is room.
#[test]
fn endorsements_that_could_all_be_the_right_ones() {
    let others = (0..31).map(|_| attest(&SimulatedQuote::default(), |_| {})).collect::<Vec<_>>();
    let item = |position: usize| others.iter().map(move |bundle| bundle.endorsements.items[position].clone());
    let chain = |bundle: &Bundle| {
        let quote = Quote::parse(&bundle.evidence.bytes).unwrap();
        let Certification::PckChain(chain) = quote.signature.certification else { panic!("no chain") };
        chain
    };
    let mut bundle = sound_td();
    let own = bundle.endorsements.items.clone();
    // Other signers of collateral, other lists of the root, other authorities and platforms of the same names.
    let fillers: [Vec<Vec<u8>>; 4] =
        [item(2).collect(), item(3).collect(), item(4).collect(), others.iter().map(chain).collect()];
    for (kind, filler) in fillers.into_iter().enumerate() {
        bundle.endorsements.items.clone_from(&own);
        // A chain is three documents.
        let room = if kind == 3 { 13 } else { 27 };
        bundle.endorsements.items.extend(filler.into_iter().take(room));
        let (_, signatures) = count(&bundle);
        assert!(signatures <= 200, "{kind}: {signatures}");
    }
}
