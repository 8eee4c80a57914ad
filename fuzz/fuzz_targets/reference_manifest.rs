// SPDX-License-Identifier: Apache-2.0

//! Reference manifests of NVIDIA.
#![no_main]

#[path = "../../tcb/evidence/tests/entry/mod.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entry::reference_manifest(bytes));
