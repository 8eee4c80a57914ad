// SPDX-License-Identifier: Apache-2.0

//! Public keys of COSE and X.509.
#![no_main]

#[path = "../../tcb/evidence/tests/entry/mod.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entry::cose_key(bytes));
