// SPDX-License-Identifier: Apache-2.0

//! Images of unikernels, and what they measure to.
#![no_main]

#[path = "../../tcb/measure/tests/entry/mod.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entry::image(bytes));
