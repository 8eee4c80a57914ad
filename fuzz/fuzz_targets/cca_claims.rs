// SPDX-License-Identifier: Apache-2.0

//! The claims inside of CCA tokens.
#![no_main]

#[path = "../../tcb/evidence/tests/entry/mod.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entry::cca_claims(bytes));
