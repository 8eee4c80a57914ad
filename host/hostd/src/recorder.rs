// SPDX-License-Identifier: Apache-2.0

//! A witness of every byte that the host handles, so that a test can show what a host does not learn.

use crate::api::KeepId;

/// Sees what passes through the host. Called in line with the transfer: it must not block for long.
pub trait Recorder: Send + Sync {
    /// `bytes` passed on `channel` of the Keep.
    fn record(&self, keep: KeepId, channel: Channel, direction: Direction, bytes: &[u8]);
}

/// Between whom bytes passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channel {
    /// Messages between host and Keep: launch configuration, sandbox report, stream numbers.
    HostStream,
    /// A control stream, which carries the tenant's attested session.
    Control,
    /// A platform stream, which carries report data and evidence.
    Platform,
    /// A connection of a workload's, which carries TLS that ends in the Keep.
    Network,
}

/// Which way bytes passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// To the Keep.
    ToKeep,
    /// From the Keep.
    FromKeep,
}
