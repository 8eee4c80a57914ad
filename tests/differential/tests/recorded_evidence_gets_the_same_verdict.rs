// SPDX-License-Identifier: Apache-2.0

//! Every recorded quote and report, judged by two verifiers at the same time with the same endorsements.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test says what it skipped and what differed")]

use enarx_differential::vectors::Vectors;
use enarx_differential::{amd, explained, intel};

#[test]
fn quotes() {
    let Some(vectors) = Vectors::find() else { return };
    let mut tally = explained::Tally::default();
    for case in vectors.quotes() {
        tally.count(&case, &intel::ours(&case), &intel::theirs(&case));
    }
    tally.finish("recorded quotes");
}

#[test]
fn reports() {
    let Some(vectors) = Vectors::find() else { return };
    let mut tally = explained::Tally::default();
    for case in vectors.reports() {
        let roles = amd::Roles::of(&case);
        tally.count(&case, &amd::ours(&case), &amd::theirs(&case, &roles));
    }
    tally.finish("recorded reports");
}
