// SPDX-License-Identifier: Apache-2.0

//! Evidence of Azure's confidential virtual machines.
#![no_main]

#[path = "../../tcb/evidence/tests/entry/mod.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entry::azure_evidence(bytes));
