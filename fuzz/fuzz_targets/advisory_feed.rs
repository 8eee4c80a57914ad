// SPDX-License-Identifier: Apache-2.0

//! Feeds of advisories.
#![no_main]

#[path = "../../tcb/verifier/tests/entry/mod.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entry::advisory_feed(bytes));
