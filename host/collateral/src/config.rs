// SPDX-License-Identifier: Apache-2.0

//! What a fetcher may do and whom it asks.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use enarx_evidence::snp::Generation;

use crate::bundle::OfflineBundle;
use crate::cache::Cache;
use crate::http::{HttpLimits, Proxies};
use crate::retry::Patience;
use crate::source::Source;

/// The configuration of a [`crate::Fetcher`].
#[derive(Debug, Clone)]
pub struct Config {
    /// Who is asked, in this order, until one has it.
    pub sources: Vec<Source>,
    /// Bundles that are looked into before anybody is asked.
    pub bundles: Vec<OfflineBundle>,
    /// Where answers are kept.
    pub cache: Option<Cache>,
    /// Whether the network must not be used: bundles and cache only.
    pub offline: bool,
    /// How old what is in the cache may be before it is asked for again, if it can be revoked or replaced before
    /// its end: everything but certificates of chips. If nobody answers then, it is used as long as it is valid.
    pub refresh_after: Duration,
    /// The generation of AMD reports that do not say it.
    pub product: Option<Generation>,
    /// The proxies.
    pub proxies: Proxies,
    /// Certificate authorities for HTTPS beside the system's, DER.
    pub tls_roots: Vec<Vec<u8>>,
    /// Limits of each request.
    pub limits: HttpLimits,
    /// How often and how long something is tried.
    pub patience: Patience,
    /// What time it is.
    pub clock: Clock,
}

impl Default for Config {
    /// AMD's and Intel's own services, no cache, no proxy, the system's clock.
    fn default() -> Self {
        Self {
            sources: vec![Source::kds(), Source::pcs()],
            bundles: Vec::new(),
            cache: None,
            offline: false,
            refresh_after: Duration::from_hours(24),
            product: None,
            proxies: Proxies::none(),
            tls_roots: Vec::new(),
            limits: HttpLimits::default(),
            patience: Patience::default(),
            clock: Clock::system(),
        }
    }
}

/// What time it is, in seconds since 1970.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> u64 + Send + Sync>);

impl Clock {
    /// The system's.
    pub fn system() -> Self {
        Self::new(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())
    }

    /// Another one.
    pub fn new(now: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// What it shows.
    pub fn now(&self) -> u64 {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}
