// SPDX-License-Identifier: Apache-2.0

//! Gets what evidence needs: out of bundles, the cache, or the network, in this order.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use enarx_evidence::Bundle;
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::{Instant, sleep, sleep_until};

use crate::bundle::OfflineBundle;
use crate::config::Config;
use crate::content;
use crate::error::{CollateralError, ConfigError, ContentError, HttpError, NeedsError, not_served};
use crate::http::{Answer, Client, percent_decode};
use crate::item::{Collected, Item, Missing, Part};
use crate::needs::{Needs, candidates, needs};
use crate::progress::{Event, Origin};
use crate::retry::Pacer;
use crate::source::Ask;
use crate::what::What;

type Watcher = Arc<dyn Fn(&Event<'_>) + Send + Sync>;

/// Fetches what vendors say about their hardware. One fetcher can be used by many tasks at once; what two of them
/// want at the same time is asked for once.
pub struct Fetcher {
    config: Config,
    client: Client,
    pacer: Pacer,
    turns: Turns,
    watcher: Option<Watcher>,
}

impl Fetcher {
    /// A fetcher. Nothing is read or asked yet.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        let tls = Arc::new(crate::http::connect::tls(&config.tls_roots)?);
        let client = Client { tls, proxies: config.proxies.clone(), limits: config.limits };
        Ok(Self { config, client, pacer: Pacer::default(), turns: Mutex::default(), watcher: None })
    }

    /// The same with somebody who is told of every step.
    #[must_use]
    pub fn watched(mut self, watcher: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        self.watcher = Some(Arc::new(watcher));
        self
    }

    /// Everything that evidence needs and that can be had; what cannot is listed with its reason. The bundle's
    /// own endorsements are not repeated; they may tell for which product a report is.
    pub async fn fetch_for(&self, bundle: &Bundle) -> Result<Collected, NeedsError> {
        let (evidence, known) = (&bundle.evidence, &bundle.endorsements);
        let needs = match needs(evidence, known, self.config.product) {
            Ok(needs) => needs,
            Err(NeedsError::ProductUnknown) => return self.fetch_for_any(bundle).await,
            Err(error) => return Err(error),
        };
        Ok(self.collect(&needs, Collected::default()).await)
    }

    /// The same for a report that does not say its product: the one whose vendor knows the chip is it.
    async fn fetch_for_any(&self, bundle: &Bundle) -> Result<Collected, NeedsError> {
        let mut telling = None;
        for generation in candidates(&bundle.evidence) {
            let mut needs = needs(&bundle.evidence, &bundle.endorsements, Some(*generation))?;
            let Some(chip @ What::ChipKey { .. }) = needs.wanted.first().cloned() else { continue };
            needs.wanted.remove(0);
            match self.fetch(&chip).await {
                Ok(items) => return Ok(self.collect(&needs, Collected { items, missing: Vec::new() }).await),
                Err(error) if error.is_absence() => {}
                Err(error) => {
                    let what = chip.describe();
                    let retryable = error.is_retryable();
                    telling = telling.or(Some((needs, Missing { what, error })));
                    // While nobody can say whether the chip is of this generation, it is not asked for under others.
                    if retryable {
                        break;
                    }
                }
            }
        }
        let (needs, missing) = telling.ok_or(NeedsError::ProductUnknown)?;
        Ok(self.collect(&needs, Collected { items: Vec::new(), missing: vec![missing] }).await)
    }

    async fn collect(&self, needs: &Needs, mut collected: Collected) -> Collected {
        for what in &needs.wanted {
            match self.fetch(what).await {
                Ok(items) => collected.items.extend(items),
                Err(error) => collected.missing.push(Missing { what: what.describe(), error }),
            }
        }
        for (what, why) in &needs.from_host {
            let what = (*what).to_owned();
            let error = CollateralError::NotServed { what: what.clone(), why };
            collected.missing.push(Missing { what, error });
        }
        collected
    }

    /// One thing: its answer and, from Intel, the certificates of its issuers. Never what is past its
    /// `nextUpdate` or `notAfter`.
    pub async fn fetch(&self, what: &What) -> Result<Vec<Item>, CollateralError> {
        if let Some(items) = self.in_bundles(what) {
            self.tell_found(what, Origin::Bundle, &items);
            return Ok(items);
        }
        let turn = Turn::of(&self.turns, what.to_string());
        let mut answer = turn.slot.lock().await;
        // Somebody who wanted the same at the same time was faster.
        if let Some(answer) = answer.as_ref() {
            return answer.clone().map_err(CollateralError::Shared);
        }
        let found = self.ask_sources(what).await;
        if !turn.is_shared() {
            return found;
        }
        let shared = found.map_err(Arc::new);
        *answer = Some(shared.clone());
        shared.map_err(CollateralError::Shared)
    }

    async fn ask_sources(&self, what: &What) -> Result<Vec<Item>, CollateralError> {
        let asks: Vec<Ask> = self.config.sources.iter().filter_map(|source| source.ask(what)).collect();
        let mut old = None;
        for ask in &asks {
            match self.in_cache(ask, what).await {
                Some((items, true)) => {
                    self.tell_found(what, Origin::Cache, &items);
                    return Ok(items);
                }
                Some((items, false)) => old = old.or(Some(items)),
                None => {}
            }
        }
        let mut failure = None;
        if self.config.offline {
            failure = Some(CollateralError::Offline { what: what.describe() });
        } else {
            for ask in &asks {
                match self.ask_patiently(ask, what).await {
                    // A mirror may be behind; what it lacks may be a revocation.
                    Ok(items) if old.as_ref().is_some_and(|old| issued(old) > issued(&items)) => break,
                    Ok(items) => {
                        let url = ask.url.to_string();
                        self.keep(&url, &items).await;
                        self.tell_found(what, Origin::Network(&url), &items);
                        return Ok(items);
                    }
                    Err(error) => {
                        self.tell(&Event::Failed { what, error: &error });
                        // That one does not have it says less than that another one failed.
                        let weaker = failure.as_ref().is_none_or(CollateralError::is_absence);
                        failure = if weaker { Some(error) } else { failure };
                    }
                }
            }
        }
        if let Some(items) = old {
            self.tell_found(what, Origin::OldCache, &items);
            return Ok(items);
        }
        Err(failure.unwrap_or_else(|| not_served(what, "no source of the configuration is one for it")))
    }

    fn in_bundles(&self, what: &What) -> Option<Vec<Item>> {
        let now = self.config.clock.now();
        let all = self.config.bundles.iter().map(|bundle| bundle.find(what));
        let valid =
            |items: &Vec<&Item>| !items.is_empty() && items.iter().all(|item| item.validity.contains(now));
        let longest = all.filter(valid).max_by_key(|items| items.first().map(|item| item.validity.until));
        longest.map(|items| items.into_iter().cloned().collect())
    }

    /// What the cache has, if it is valid, and whether it is new enough.
    async fn in_cache(&self, ask: &Ask, what: &What) -> Option<(Vec<Item>, bool)> {
        let (cache, url, wanted) = (self.config.cache.clone()?, ask.url.to_string(), what.clone());
        let items = tokio::task::spawn_blocking(move || cache.get(&url, &wanted)).await.ok()??;
        let now = self.config.clock.now();
        if !items.iter().all(|item| item.validity.contains(now)) {
            return None;
        }
        // What was fetched in the future was fetched by a wrong clock.
        let fetched = items.iter().map(|item| item.fetched_at).min().unwrap_or_default();
        let age = now.checked_sub(fetched);
        let fresh = age.is_some_and(|age| age < self.config.refresh_after.as_secs());
        Some((items, fresh || matches!(what, What::ChipKey { .. })))
    }

    async fn ask_patiently(&self, ask: &Ask, what: &What) -> Result<Vec<Item>, CollateralError> {
        let patience = self.config.patience;
        let end = Instant::now().checked_add(patience.total_time).unwrap_or_else(Instant::now);
        let mut failures = 0_u32;
        loop {
            self.wait_for_turn(ask, what, end).await?;
            let error = match self.ask_once(ask, what).await {
                Ok(items) => return Ok(items),
                Err(error) => error,
            };
            failures = failures.saturating_add(1);
            let wait = patience.wait(failures, error.retry_after());
            if let CollateralError::Http(HttpError::Status { status: 429 | 503, .. }) = error {
                self.pacer.postpone(&ask.url.server(), wait);
            }
            let again = Instant::now().checked_add(wait).is_some_and(|again| again < end);
            let transient = matches!(&error, CollateralError::Http(error) if error.is_retryable());
            if !transient || !again || failures >= patience.attempts {
                return Err(error);
            }
            self.tell(&Event::Waiting { what, wait, error: Some(&error) });
            sleep(wait).await;
        }
    }

    /// Waits until this request may be sent, if that is soon enough.
    async fn wait_for_turn(&self, ask: &Ask, what: &What, latest: Instant) -> Result<(), CollateralError> {
        let spacing = if self.config.patience.spaced { ask.spacing } else { Duration::ZERO };
        let turn = self.pacer.turn(&ask.pace, &ask.url.server(), spacing, latest);
        let turn = turn.map_err(|wait| CollateralError::TooSoon { url: ask.url.to_string(), wait })?;
        let wait = turn.saturating_duration_since(Instant::now());
        if !wait.is_zero() {
            self.tell(&Event::Waiting { what, wait, error: None });
            sleep_until(turn).await;
        }
        Ok(())
    }

    async fn ask_once(&self, ask: &Ask, what: &What) -> Result<Vec<Item>, CollateralError> {
        let url = ask.url.to_string();
        self.tell(&Event::Asking { what, url: &url });
        let answer = self.client.get(&ask.url).await?;
        let items = self
            .parts(ask, what, &answer)
            .map_err(|problem| CollateralError::Content { url: url.clone(), problem })?;
        let now = self.config.clock.now();
        for item in &items {
            let (from, until) = (item.validity.from, item.validity.until);
            if now > until {
                return Err(CollateralError::Stale { url, until, now });
            }
            if now < from {
                return Err(CollateralError::NotYetValid { url, from, now });
            }
        }
        Ok(items)
    }

    /// The parts of an answer, each found to be what was asked for.
    fn parts(&self, ask: &Ask, what: &What, answer: &Answer) -> Result<Vec<Item>, ContentError> {
        if ask.bundle && OfflineBundle::looks_like(&answer.body) {
            return parts_of_bundle(what, &answer.body);
        }
        let item = |part, bytes: &[u8]| {
            let bytes = content::normalise(what, part, bytes);
            let validity = content::check(what, part, &bytes)?;
            let (source, fetched_at) = (ask.url.to_string(), self.config.clock.now());
            Ok(Item { what: what.clone(), part, source, fetched_at, validity, bytes })
        };
        let mut parts = vec![item(Part::Answer, &answer.body).map_err(|error| labelled(error, answer))?];
        let issuers = ask.issuers.and_then(|name| answer.header(name)).and_then(percent_decode);
        match issuers {
            Some(pem) => parts.push(item(Part::Issuers, &pem)?),
            None if ask.issuers_needed => return Err(ContentError::IssuersMissing),
            None => {}
        }
        Ok(parts)
    }

    /// Puts an answer into the cache. A cache that cannot be written is no reason to go without the answer.
    async fn keep(&self, url: &str, items: &[Item]) {
        let Some(cache) = self.config.cache.clone() else { return };
        let (url, items) = (url.to_owned(), items.to_vec());
        let put = tokio::task::spawn_blocking(move || cache.put(&url, &items)).await;
        if let Ok(Err(error)) = put {
            tracing::warn!(error = %error, source = %error.source, "an answer is not cached");
        }
    }

    fn tell_found(&self, what: &What, origin: Origin<'_>, items: &[Item]) {
        let bytes = items.iter().fold(0_usize, |bytes, item| bytes.saturating_add(item.bytes.len()));
        let valid_until = items.iter().map(|item| item.validity.until).min().unwrap_or_default();
        self.tell(&Event::Found { what, origin, bytes, valid_until });
    }

    fn tell(&self, event: &Event<'_>) {
        tracing::debug!(?event);
        if let Some(watcher) = &self.watcher {
            watcher(event);
        }
    }
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher").field("config", &self.config).finish_non_exhaustive()
    }
}

/// When the answer was issued: its latest `notBefore`, `thisUpdate` or `issueDate`.
fn issued(items: &[Item]) -> Option<u64> {
    items.iter().find(|item| item.part == Part::Answer).map(|item| item.validity.from)
}

/// What is being fetched, and the answer for those who wait for the same.
type Turns = Mutex<BTreeMap<String, Arc<Slot>>>;
type Slot = AsyncMutex<Option<Result<Vec<Item>, Arc<CollateralError>>>>;

/// A place among those who want the same thing. Who drops the last one makes room, also if its task was cancelled.
struct Turn<'a> {
    turns: &'a Turns,
    name: String,
    slot: Arc<Slot>,
}

impl<'a> Turn<'a> {
    fn of(turns: &'a Turns, name: String) -> Self {
        let mut all = turns.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = Arc::clone(all.entry(name.clone()).or_default());
        drop(all);
        Self { turns, name, slot }
    }

    /// Whether somebody else waits: not only this place and the map have the slot.
    fn is_shared(&self) -> bool {
        Arc::strong_count(&self.slot) > 2
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody can come while the map is locked.
        if !self.is_shared() {
            turns.remove(&self.name);
        }
    }
}

/// The parts of an answer in a bundle, with the sources and times that it says.
fn parts_of_bundle(what: &What, bytes: &[u8]) -> Result<Vec<Item>, ContentError> {
    let not_that =
        |source| ContentError::NotThat { expected: "a bundle with it", source, content_type: None };
    let bundle = OfflineBundle::decode(bytes).map_err(|error| not_that(Some(error)))?;
    let parts: Vec<Item> = bundle.find(what).into_iter().cloned().collect();
    if parts.is_empty() { Err(not_that(None)) } else { Ok(parts) }
}

/// The error with what the server calls its answer, which tells a person more than what it is not.
fn labelled(error: ContentError, answer: &Answer) -> ContentError {
    match error {
        ContentError::NotThat { expected, source, .. } => {
            ContentError::NotThat { expected, source, content_type: answer.content_type() }
        }
        other => other,
    }
}
