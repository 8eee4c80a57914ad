// SPDX-License-Identifier: Apache-2.0

//! Conceptual message wrappers in CBOR and JSON.
#![no_main]

#[path = "../../tcb/evidence/tests/entry/mod.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entry::cmw(bytes));
