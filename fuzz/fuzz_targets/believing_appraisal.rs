// SPDX-License-Identifier: Apache-2.0

//! Appraisal of a whole bundle in which every signature is taken for good.
#![no_main]

#[path = "../../tcb/verifier/tests/entry/mod.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entry::believing(bytes));
