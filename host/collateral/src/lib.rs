// SPDX-License-Identifier: Apache-2.0

//! Fetches what vendors say about their hardware, keeps it, and packs it for those without a network.
//!
//! A verifier needs more than evidence: certificates of the keys that signed it, revocation lists, what the vendor
//! thinks of a TCB. Hosts and command lines get these here, from AMD's Key Distribution Service, Intel's
//! Provisioning Certification Service, a data centre's cache of it, or any server that gives out files. Nothing is
//! believed: each document carries its issuer's signature, and `enarx-verifier` checks it. What is checked here
//! is that an answer is what was asked for and still valid, so that nothing useless is kept or shipped.
//!
//! ```no_run
//! # async fn fetch(bundle: enarx_evidence::Bundle) -> Result<(), Box<dyn std::error::Error>> {
//! use enarx_collateral::{Cache, Config, Fetcher, OfflineBundle, Proxies};
//!
//! let cache = Cache::open("/home/me/.cache/enarx/collateral".as_ref(), Cache::DEFAULT_BYTES)?;
//! let config = Config { cache: Some(cache), proxies: Proxies::from_env()?, ..Config::default() };
//! let fetcher = Fetcher::new(config)?.watched(|event| eprintln!("{event:?}"));
//!
//! // What some evidence needs…
//! let collected = fetcher.fetch_for(&bundle).await?;
//! for missing in &collected.missing {
//!     eprintln!("{}: {}", missing.what, missing.error);
//! }
//! // …to ship along with it,
//! let mut shipped = bundle.clone();
//! collected.add_to(&mut shipped.endorsements);
//! // or as a file for whoever has no network.
//! let mut offline = OfflineBundle::default();
//! for item in collected.items {
//!     offline.add(item);
//! }
//! std::fs::write("platform.collateral", offline.encode())?;
//! # Ok(()) }
//! ```
//!
//! - [`needs`] says what evidence needs, as [`What`]s; [`Fetcher::fetch`] gets one of them;
//! - [`Config`] says whom to ask ([`Source`]), through which proxies, how patiently, and whether at all;
//! - [`Item`] is a document with its source, its age and its validity; [`OfflineBundle`] is a file of them;
//! - [`Cache`] is a directory of them.
//!
//! Errors say whether trying again may help ([`CollateralError::is_retryable`]) and what to do
//! ([`CollateralError::hint`]); what caused them is their `source`. The format of bundle and cache, and who is
//! asked for what, is in `docs/collateral.md`.

mod bundle;
mod cache;
mod config;
mod content;
mod error;
mod fetcher;
mod http;
mod item;
mod needs;
mod progress;
mod retry;
mod source;
mod what;

pub use bundle::OfflineBundle;
pub use cache::{Cache, CacheError};
pub use config::{Clock, Config};
pub use error::{CollateralError, ConfigError, ContentError, HttpError, NeedsError};
pub use fetcher::Fetcher;
pub use http::{HttpLimits, Proxies, Proxy, Url};
pub use item::{Collected, Item, Missing, Part, Validity};
pub use needs::{Needs, needs};
pub use progress::{Event, Origin};
pub use retry::Patience;
pub use source::{PcsVersion, Source, Template};
pub use what::{AmdKey, IntelTee, PckAuthority, What, WhatError};
