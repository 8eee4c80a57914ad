// SPDX-License-Identifier: Apache-2.0

//! Endorsements: certificates and revocation lists, DER, hexadecimal digits or PEM, and signed documents.
#![no_main]

#[path = "../../tcb/evidence/tests/entry/mod.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entry::endorsement(bytes));
