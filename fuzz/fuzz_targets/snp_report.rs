// SPDX-License-Identifier: Apache-2.0

//! Attestation reports of AMD SEV-SNP.
#![no_main]

#[path = "../../tcb/evidence/tests/entry/mod.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entry::report(bytes));
