// SPDX-License-Identifier: Apache-2.0

//! What other verifiers say of the same evidence at the same time: `dcap-qvl` of SGX and TDX quotes, `sev` of SEV-SNP
//! reports. Where they say something else, a test names the difference and its reason, as narrowly as it can.
//!
//! A library of helpers for the tests and benchmarks of this package; nothing else uses it.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

pub mod amd;
#[cfg(feature = "backends")]
pub mod backend;
pub mod change;
pub mod explained;
pub mod intel;
pub mod vary;
pub mod vectors;

/// What one verifier says: the TCB status that it found, if it knows such a thing, or why it refuses. Ours gives its
/// reasons as `code: text`, with semicolons between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opinion(pub Result<String, String>);

impl Opinion {
    /// Whether the evidence is genuine.
    pub fn accepts(&self) -> bool {
        self.0.is_ok()
    }

    /// Why it refuses; empty if it does not.
    pub fn reason(&self) -> &str {
        self.0.as_ref().err().map_or("", String::as_str)
    }

    /// The codes of our reasons.
    pub fn codes(&self) -> Vec<&str> {
        let reasons = self.reason().split("; ").filter(|reason| !reason.is_empty());
        reasons.map(|reason| reason.split(": ").next().unwrap_or_default()).collect()
    }
}

/// Evidence with everything that it is judged by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// What it is called.
    pub name: String,
    /// The kind of evidence.
    pub format: enarx_evidence::Format,
    /// The evidence.
    pub evidence: Vec<u8>,
    /// What the evidence is bound to.
    pub report_data: [u8; 64],
    /// What endorses it.
    pub items: Vec<Item>,
    /// When it is judged, in seconds since 1970.
    pub now: u64,
}

/// Something that endorses evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The name of its file, which says what it is.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

impl Case {
    /// The item with a name.
    pub fn item(&self, name: &str) -> Option<&[u8]> {
        self.items.iter().find(|item| item.name == name).map(|item| item.bytes.as_slice())
    }
}
