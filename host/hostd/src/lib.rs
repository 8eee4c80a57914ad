// SPDX-License-Identifier: Apache-2.0

//! The host of Keeps: creates them, relays their bytes, keeps them within limits.
//!
//! Nothing here is trusted. A host may refuse service, count bytes and see when they pass; whatever must hold
//! against the host is checked in a Keep or by its tenant. [`Host`] is the library (the embedded host of
//! `enarx run`), [`serve()`] is the same behind an HTTP API (`enarx host serve`), [`api`] the words of that API.

pub mod api;
mod backend;
mod config;
mod error;
mod host;
mod keep;
mod locate;
mod metrics;
mod network;
mod platform;
mod process;
mod recorder;
pub mod serve;
mod stream;

pub use backend::{Backend, Machine};
pub use config::{HostConfig, HostLimits};
pub use error::HostError;
pub use host::Host;
pub use locate::{KEEP_PROGRAM, KEEP_PROGRAM_VARIABLE, Wanted, keep_program, locate};
pub use network::{Destination, NetworkRules, PortRange, RuleError};
pub use recorder::{Channel, Direction, Recorder};
pub use serve::serve;
pub use stream::ControlStream;
