// SPDX-License-Identifier: Apache-2.0

//! Frames of the attested session.
#![no_main]

#[path = "../../tcb/session/tests/entry/mod.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entry::frame(bytes));
