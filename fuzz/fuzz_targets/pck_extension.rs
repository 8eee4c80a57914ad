// SPDX-License-Identifier: Apache-2.0

//! Extensions of Intel's PCK certificates.
#![no_main]

#[path = "../../tcb/evidence/tests/entry/mod.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entry::pck_extension(bytes));
