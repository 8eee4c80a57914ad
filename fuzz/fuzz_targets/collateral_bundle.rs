// SPDX-License-Identifier: Apache-2.0

//! Portable bundles of collateral.
#![no_main]

#[path = "../../host/collateral/tests/entry/mod.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entry::bundle(bytes));
