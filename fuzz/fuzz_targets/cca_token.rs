// SPDX-License-Identifier: Apache-2.0

//! Arm CCA attestation tokens.
#![no_main]

#[path = "../../tcb/evidence/tests/entry/mod.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entry::cca_token(bytes));
