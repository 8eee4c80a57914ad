// SPDX-License-Identifier: Apache-2.0

//! What a host is told: which program its Keeps are, which platform they stand on, and how much they may take.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use enarx_simulator::Rehearsal;

use crate::backend::Backend;
use crate::network::NetworkRules;
use crate::recorder::Recorder;

/// Everything a [`Host`](crate::Host) needs to know.
#[derive(Clone)]
pub struct HostConfig {
    /// What Keeps are made of.
    pub backend: Backend,
    /// Where the simulated vendor keeps its keys.
    pub simulator_dir: PathBuf,
    /// The platform to simulate.
    pub platform: Rehearsal,
    /// Whether a Keep whose sandbox lacks a layer is refused.
    pub require_sandbox: bool,
    /// Where Keeps may listen and connect.
    pub network: NetworkRules,
    /// How much Keeps may take.
    pub limits: HostLimits,
    /// Sees every byte that passes, for tests; leave it out otherwise.
    pub recorder: Option<Arc<dyn Recorder>>,
}

impl HostConfig {
    /// A configuration with default limits, which takes the sandbox layers that are available.
    pub fn new(backend: Backend, simulator_dir: PathBuf, platform: Rehearsal) -> Self {
        Self {
            backend,
            simulator_dir,
            platform,
            require_sandbox: false,
            network: NetworkRules::default(),
            limits: HostLimits::default(),
            recorder: None,
        }
    }
}

impl fmt::Debug for HostConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostConfig")
            .field("backend", &self.backend)
            .field("simulator_dir", &self.simulator_dir)
            .field("require_sandbox", &self.require_sandbox)
            .field("network", &self.network)
            .field("limits", &self.limits)
            .field("recorder", &self.recorder.is_some())
            .finish_non_exhaustive()
    }
}

/// How much Keeps and those who ask for them may take from the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostLimits {
    /// Keeps in all.
    pub max_keeps: usize,
    /// Keeps created from one client address (of IPv6, one /64 network).
    pub max_keeps_per_client: usize,
    /// Control streams of one Keep that are open at the same time.
    pub max_streams_per_keep: usize,
    /// How long a Keep may take to stand in its sandbox.
    pub start_timeout: Duration,
    /// How long nothing may pass to or from a Keep that has no program yet before it is ended.
    pub unprovisioned_timeout: Duration,
    /// Address space of one Keep in bytes; none leaves it to the system.
    pub memory: Option<u64>,
    /// Evidence that one Keep may ask for at once before it is slowed to the rate below.
    pub evidence_burst: u32,
    /// Evidence that one Keep may ask for in a minute.
    pub evidence_per_minute: u32,
    /// Connections of one Keep's workload at the same time.
    pub max_connections_per_keep: usize,
    /// How many Keeps that ended are remembered, so that their state can be asked for.
    pub max_remembered: usize,
}

impl Default for HostLimits {
    fn default() -> Self {
        Self {
            max_keeps: 64,
            max_keeps_per_client: 16,
            max_streams_per_keep: 8,
            start_timeout: Duration::from_secs(10),
            unprovisioned_timeout: Duration::from_mins(10),
            memory: Some(8 << 30),
            evidence_burst: 16,
            evidence_per_minute: 60,
            max_connections_per_keep: 128,
            max_remembered: 256,
        }
    }
}
