// SPDX-License-Identifier: Apache-2.0

//! CPUID pages of SEV-SNP.
#![no_main]

#[path = "../../tcb/shim/tests/entry/mod.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entry::cpuid_page(bytes));
