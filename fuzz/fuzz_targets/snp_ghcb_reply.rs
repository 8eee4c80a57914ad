// SPDX-License-Identifier: Apache-2.0

//! What a hypervisor leaves in the GHCB.
#![no_main]

#[path = "../../tcb/shim/tests/entry/mod.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entry::ghcb_reply(bytes));
