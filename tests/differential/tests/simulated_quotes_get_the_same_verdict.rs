// SPDX-License-Identifier: Apache-2.0

//! Simulated quotes of platforms of every state, properly signed, with collateral that says every kind of thing about
//! them: whether two verifiers find the same status, and refuse for what no changed byte shows.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test says what differed")]

use dcap_qvl::verify::QuoteVerifier;
use enarx_differential::change::Random;
use enarx_differential::vary::vary;
use enarx_differential::{explained, intel};
use enarx_evidence::dcap::{EnclaveIdentity, Quote, QuoteVersion, TcbInfo};
use enarx_simulator::{SimulatedQuote, Simulator};
use enarx_verifier::TrustAnchors;
use enarx_verifier::crypto::RustCrypto;

const SEED: u64 = 0x0074_6565_7370;
const QUOTES: usize = 3000;
const REPORT_DATA: [u8; 64] = [1; 64];

#[test]
fn quotes() {
    let dir = tempfile::tempdir().unwrap();
    let simulator = Simulator::open(dir.path()).unwrap();
    let anchors = TrustAnchors::none().with_simulated("local", simulator.dcap_root_spki_sha256().unwrap());
    let version_4 =
        SimulatedQuote { version: QuoteVersion::V4, extended: false, ..SimulatedQuote::default() };
    let platforms =
        [SimulatedQuote::default(), SimulatedQuote::enclave(), SimulatedQuote::default(), version_4];
    let (mut random, mut tally) = (Random(SEED), explained::Tally::default());
    for platform in platforms.iter().cycle().take(QUOTES) {
        let mut dates = Vec::new();
        let change = |content: &mut _| {
            vary(&mut random, content);
            dates = moments(&content.tcb_info, &content.identity);
        };
        let bundle = simulator.attest_quote(platform, &REPORT_DATA, &[2; 48], change).unwrap();
        // Most of the time in the middle of everything, sometimes at a moment when something begins or ends.
        let now =
            if random.below(16) == 0 { dates[random.below(dates.len())] } else { dates[0] + 15 * 24 * 3600 };
        let case = intel::simulated(&bundle, REPORT_DATA, now);
        let root = intel::root(&Quote::parse(&case.evidence).unwrap());
        let verifier = intel::verifier(QuoteVerifier::new(root));
        let ours = intel::ours_by(&case, &bundle, &anchors, &mut RustCrypto);
        let theirs = intel::theirs_by(&case, &intel::collateral(&case), &verifier);
        tally.count(&case, &ours, &theirs);
    }
    tally.finish("simulated quotes");
}

/// When documents begin and end, and the seconds beside.
fn moments(info: &TcbInfo, identity: &EnclaveIdentity) -> Vec<u64> {
    let moments = [info.issue_date, info.next_update, identity.issue_date, identity.next_update];
    moments.iter().flat_map(|moment| [*moment, moment - 1, moment + 1]).collect()
}
