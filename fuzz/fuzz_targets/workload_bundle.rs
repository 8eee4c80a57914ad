// SPDX-License-Identifier: Apache-2.0

//! Workloads as a Keep receives them.
#![no_main]

#[path = "../../tcb/package/tests/entry/mod.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entry::workload_bundle(bytes));
