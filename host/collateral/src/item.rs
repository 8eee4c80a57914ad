// SPDX-License-Identifier: Apache-2.0

//! What was fetched, and where, when and for how long.

use enarx_evidence::{Bundle, Endorsements};

use crate::What;
use crate::error::CollateralError;

/// One document of a vendor's, as the vendor signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What was asked for.
    pub what: What,
    /// Which part of the answer it is.
    pub part: Part,
    /// The address that it came from.
    pub source: String,
    /// When it was fetched, in seconds since 1970.
    pub fetched_at: u64,
    /// Between which times it is valid.
    pub validity: Validity,
    /// The document, an item of [`Endorsements`]: a certificate or list in DER, certificates in PEM, or JSON as
    /// its vendor served it.
    pub bytes: Vec<u8>,
}

/// A part of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// What was asked for.
    Answer,
    /// The certificates of those who signed it, which Intel's service gives in a header.
    Issuers,
}

impl Part {
    /// The name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Issuers => "issuers",
        }
    }
}

/// Between which times a document is valid, in seconds since 1970: of all that is in it, the latest
/// `notBefore`, `thisUpdate` or `issueDate` and the earliest `notAfter` or `nextUpdate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub from: u64,
    /// The last second.
    pub until: u64,
}

impl Validity {
    pub(crate) const ALWAYS: Self = Self { from: 0, until: u64::MAX };

    /// Whether a time is inside.
    pub const fn contains(self, time: u64) -> bool {
        self.from <= time && time <= self.until
    }

    pub(crate) fn and(self, from: u64, until: u64) -> Self {
        Self { from: self.from.max(from), until: self.until.min(until) }
    }
}

/// What evidence needs, as far as it could be had.
#[derive(Debug, Default)]
pub struct Collected {
    /// What there is.
    pub items: Vec<Item>,
    /// What there is not.
    pub missing: Vec<Missing>,
}

/// Something that evidence needs and that could not be had.
#[derive(Debug)]
pub struct Missing {
    /// What it is, in words.
    pub what: String,
    /// Why.
    pub error: CollateralError,
}

impl Collected {
    /// Whether nothing is missing.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }

    /// Whether trying again later may find more.
    pub fn is_worth_retrying(&self) -> bool {
        self.missing.iter().any(|missing| missing.error.is_retryable())
    }

    /// What to ship along with the evidence.
    pub fn endorsements(&self) -> Endorsements {
        endorsements(&self.items)
    }

    /// Adds what is not there yet to endorsements. `false` if some of it has no room there: nobody reads
    /// more than [`Bundle::MAX_ENDORSEMENTS`].
    pub fn add_to(&self, endorsements: &mut Endorsements) -> bool {
        let room = Bundle::MAX_ENDORSEMENTS;
        let left_out = self.items.iter().filter(|item| !add(&mut endorsements.items, &item.bytes, room));
        left_out.count() == 0
    }
}

/// Adds a document if it is not there and there is room.
fn add(documents: &mut Vec<Vec<u8>>, document: &[u8], room: usize) -> bool {
    if documents.iter().any(|known| known == document) {
        return true;
    }
    if documents.len() >= room {
        return false;
    }
    documents.push(document.to_vec());
    true
}

/// The documents, each once: answers of Intel's service repeat their issuers.
pub(crate) fn endorsements<'a>(items: impl IntoIterator<Item = &'a Item>) -> Endorsements {
    let mut documents = Vec::new();
    for item in items {
        add(&mut documents, &item.bytes, usize::MAX);
    }
    Endorsements { items: documents }
}
