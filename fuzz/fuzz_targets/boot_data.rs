// SPDX-License-Identifier: Apache-2.0

//! What a hypervisor hands over at start, and the memory that is planned from it.
#![no_main]

#[path = "../../tcb/shim/tests/entry/mod.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entry::boot_data(bytes));
