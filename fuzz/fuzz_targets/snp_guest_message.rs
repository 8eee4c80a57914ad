// SPDX-License-Identifier: Apache-2.0

//! Answers to guest messages of SEV-SNP, as a hypervisor may forge them.
#![no_main]

#[path = "../../tcb/shim/tests/entry/mod.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entry::guest_message(bytes));
