// SPDX-License-Identifier: Apache-2.0

//! Quotes of Intel SGX and TDX.
#![no_main]

#[path = "../../tcb/evidence/tests/entry/mod.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entry::quote(bytes));
