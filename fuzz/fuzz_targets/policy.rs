// SPDX-License-Identifier: Apache-2.0

//! Trust policies.
#![no_main]

#[path = "../../tcb/verifier/tests/entry/mod.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entry::policy(bytes));
