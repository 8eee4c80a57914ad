// SPDX-License-Identifier: Apache-2.0

//! Messages with one COSE signature.
#![no_main]

#[path = "../../tcb/evidence/tests/entry/mod.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entry::cose_sign1(bytes));
