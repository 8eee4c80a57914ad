// SPDX-License-Identifier: Apache-2.0

//! Signed collateral of Intel: TCB info and enclave identities.
#![no_main]

#[path = "../../tcb/evidence/tests/entry/mod.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entry::collateral(bytes));
