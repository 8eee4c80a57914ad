// SPDX-License-Identifier: Apache-2.0

//! Ten thousand small changes of recorded evidence and what endorses it, each judged by two verifiers.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test says what it skipped and what differed")]

use enarx_differential::change::{Change, Random};
use enarx_differential::vectors::Vectors;
use enarx_differential::{amd, explained, intel};

/// Where the changes start; another number makes others.
const SEED: u64 = 0x0065_6e61_7278;
const QUOTES: usize = 8000;
const REPORTS: usize = 2000;

/// What a quote is judged by. The root beside it is Intel's; `dcap-qvl` has its own.
const COLLATERAL: &[&str] =
    &["tcb_info.json", "qe_identity.json", "tcb_signing_chain.pem", "pck_crl.der", "root_ca_crl.der"];

/// In two tests, which run at the same time.
#[test]
fn quotes() {
    changed_quotes(SEED);
}

#[test]
fn more_quotes() {
    changed_quotes(!SEED);
}

fn changed_quotes(seed: u64) {
    let Some(vectors) = Vectors::find() else { return };
    let accepted = |case: &_| intel::ours(case).accepts() && intel::theirs(case).accepts();
    let cases = vectors.quotes().into_iter().filter(accepted).collect::<Vec<_>>();
    let (mut random, mut tally) = (Random(seed), explained::Tally::default());
    for case in cases.iter().cycle().take(QUOTES / 2) {
        let changed = Change::apply(&mut random, case, COLLATERAL);
        tally.count_changed(case, &changed, &intel::ours(&changed.0), &intel::theirs(&changed.0));
    }
    tally.finish("changed quotes");
}

/// What nobody signs of a quote, bit by bit: types and lengths.
#[test]
fn framing_of_quotes() {
    let Some(vectors) = Vectors::find() else { return };
    let mut tally = explained::Tally::default();
    for version in [3, 4, 5] {
        let mut cases = vectors.quotes().into_iter().filter(|case| case.evidence.first() == Some(&version));
        let case = cases.find(|case| intel::theirs(case).accepts()).unwrap();
        for at in explained::framing_of(&case, "evidence").into_iter().flatten() {
            for bit in 0..8 {
                let changed = Change::bit(&case, at, bit);
                tally.count_changed(&case, &changed, &intel::ours(&changed.0), &intel::theirs(&changed.0));
            }
        }
    }
    tally.finish("framing of quotes");
}

#[test]
fn reports() {
    let Some(vectors) = Vectors::find() else { return };
    let mut cases = vectors.reports();
    for case in &mut cases {
        // `sev` knows no revocation.
        case.items.retain(|item| !item.name.contains(".crl."));
    }
    cases.retain(|case| amd::ours(case).accepts() && amd::theirs(case, &amd::Roles::of(case)).accepts());
    let (mut random, mut tally) = (Random(SEED), explained::Tally::default());
    for case in cases.iter().cycle().take(REPORTS) {
        let roles = amd::Roles::of(case);
        let parts = case.items.iter().map(|item| item.name.as_str()).collect::<Vec<_>>();
        let changed = Change::apply(&mut random, case, &parts);
        tally.count_changed(case, &changed, &amd::ours(&changed.0), &amd::theirs(&changed.0, &roles));
    }
    tally.finish("changed reports");
}
