// SPDX-License-Identifier: Apache-2.0

//! Quotes of TPM 2.0, their signatures and keys.
#![no_main]

#[path = "../../tcb/evidence/tests/entry/mod.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entry::tpm_evidence(bytes));
