// SPDX-License-Identifier: Apache-2.0

//! Certificate tables of AMD SEV-SNP.
#![no_main]

#[path = "../../tcb/evidence/tests/entry/mod.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entry::certificate_table(bytes));
