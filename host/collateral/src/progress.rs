// SPDX-License-Identifier: Apache-2.0

//! What a fetcher tells those who watch it.

use std::time::Duration;

use crate::error::CollateralError;
use crate::what::What;

/// A step.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A request is about to be sent.
    Asking {
        /// For what.
        what: &'a What,
        /// Where.
        url: &'a str,
    },
    /// Nothing happens for a while, because a vendor wants it so or something failed.
    Waiting {
        /// For what.
        what: &'a What,
        /// How long.
        wait: Duration,
        /// What failed, if anything did.
        error: Option<&'a CollateralError>,
    },
    /// It is there.
    Found {
        /// What.
        what: &'a What,
        /// Where it was.
        origin: Origin<'a>,
        /// How many bytes all its parts have.
        bytes: usize,
        /// Until when it is valid, in seconds since 1970.
        valid_until: u64,
    },
    /// A source failed; the next one is asked, if there is one, or what is in the cache is used.
    Failed {
        /// For what.
        what: &'a What,
        /// Why.
        error: &'a CollateralError,
    },
}

/// Where something was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin<'a> {
    /// In a bundle of the configuration.
    Bundle,
    /// In the cache.
    Cache,
    /// In the cache, from where it should have been replaced by a newer one that nobody gave.
    OldCache,
    /// At this address.
    Network(&'a str),
}
