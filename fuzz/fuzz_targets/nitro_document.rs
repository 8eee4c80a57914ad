// SPDX-License-Identifier: Apache-2.0

//! Attestation documents of AWS Nitro Enclaves.
#![no_main]

#[path = "../../tcb/evidence/tests/entry/mod.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entry::nitro_document(bytes));
