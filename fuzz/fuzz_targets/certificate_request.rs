// SPDX-License-Identifier: Apache-2.0

//! What a Keep sends to have a certificate, and files of trust anchors.
#![no_main]

#[path = "../../tcb/session/tests/entry/mod.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entry::certificate_request(bytes));
