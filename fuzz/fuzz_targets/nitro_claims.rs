// SPDX-License-Identifier: Apache-2.0

//! The claims inside of Nitro attestation documents.
#![no_main]

#[path = "../../tcb/evidence/tests/entry/mod.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entry::nitro_claims(bytes));
