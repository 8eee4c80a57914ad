// SPDX-License-Identifier: Apache-2.0

//! `Enarx.toml`.
#![no_main]

#[path = "../../tcb/package/tests/entry/mod.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entry::manifest(bytes));
