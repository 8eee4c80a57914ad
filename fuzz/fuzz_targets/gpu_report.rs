// SPDX-License-Identifier: Apache-2.0

//! Measurements of NVIDIA GPUs and switches.
#![no_main]

#[path = "../../tcb/evidence/tests/entry/mod.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entry::gpu_report(bytes));
