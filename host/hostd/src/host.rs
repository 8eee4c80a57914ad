// SPDX-License-Identifier: Apache-2.0

//! The host: every Keep that runs here, who asked for it, and how many there may be.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use crate::api::{KeepExit, KeepId, KeepInfo, KeepState, PlatformInfo, SandboxLayer};
use crate::config::HostConfig;
use crate::error::HostError;
use crate::keep::{Keep, Launch};
use crate::metrics::Metrics;
use crate::network::Network;
use crate::platform::{self, Attester};
use crate::process::Program;
use crate::recorder::Channel;
use crate::stream::{ControlStream, Tap};

/// Creates Keeps and holds them. Clones are the same host; when the last one goes, every Keep ends.
#[derive(Clone)]
pub struct Host {
    inner: Arc<Inner>,
}

struct Inner {
    config: HostConfig,
    program: Arc<Program>,
    attester: Arc<Attester>,
    metrics: Arc<Metrics>,
    registry: Mutex<Registry>,
}

#[derive(Default)]
struct Registry {
    closed: bool,
    keeps: HashMap<KeepId, Arc<Keep>>,
    ended: VecDeque<KeepInfo>,
    places_taken: usize,
    places_by_client: HashMap<Client, usize>,
}

impl Host {
    /// A host that is ready to create Keeps. It reads the Keep program, so call it where blocking is allowed.
    pub fn new(config: HostConfig) -> Result<Self, HostError> {
        let program = Program::load(&config.backend)?;
        let attester = Attester::open(&config, Arc::clone(&program))?;
        let inner = Inner { program, attester, metrics: Arc::default(), registry: Mutex::default(), config };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Creates a Keep; it is in its sandbox and ready for its owner when this returns.
    pub async fn create(&self) -> Result<KeepInfo, HostError> {
        self.create_for(None).await
    }

    /// Creates a Keep for a client at this address, within the limit for one client.
    pub async fn create_for(&self, client: Option<IpAddr>) -> Result<KeepInfo, HostError> {
        let place = Place::take(&self.inner, client.map(Client::from))?;
        let created = self.start().await;
        match &created {
            Ok(keep) => {
                Metrics::add(&self.inner.metrics.keeps_created, 1);
                let layers = keep.info.sandbox.iter().filter(|layer| layer.active).count();
                let client = client.map(tracing::field::display);
                tracing::info!(keep = keep.id().short(), client, sandbox_layers = layers, "a Keep is ready");
            }
            Err(error) => {
                Metrics::add(&self.inner.metrics.keeps_failed, 1);
                tracing::warn!(%error, "a Keep could not be created");
            }
        }
        let keep = Arc::new(created?);
        let info = keep.info.clone();
        {
            let mut registry = self.inner.registry();
            if registry.closed {
                return Err(HostError::ShuttingDown);
            }
            registry.keeps.insert(keep.id(), Arc::clone(&keep));
        }
        let attester = Arc::clone(&self.inner.attester);
        let limits = self.inner.config.limits.clone();
        let network =
            Network::new(&Arc::new(self.inner.config.network.clone()), limits.max_connections_per_keep);
        tokio::spawn(watch(keep, attester, network, limits, place));
        Ok(info)
    }

    /// Creates a Keep that nobody gets and ends it again: what is wrong with the program or the sandbox is better
    /// known before tenants ask. Returns the layers of the sandbox.
    pub async fn rehearse(&self) -> Result<Vec<SandboxLayer>, HostError> {
        let keep = self.start().await?;
        keep.kill();
        keep.reaped().await;
        Ok(keep.info.sandbox.clone())
    }

    async fn start(&self) -> Result<Keep, HostError> {
        let inner = &self.inner;
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)
            .map_err(|_| HostError::Start { source: io::Error::other("the system gives no randomness") })?;
        let id = KeepId::from_bytes(bytes);
        let recorder = inner.config.recorder.clone();
        let tap = Tap::new(id, Channel::HostStream, Arc::clone(&inner.metrics), recorder);
        let launch = Launch {
            program: &inner.program,
            configuration: inner.config.backend.launch(inner.config.require_sandbox),
            limits: &inner.config.limits,
            require_sandbox: inner.config.require_sandbox,
            tap: tap.clone(),
        };
        let (process, link, sandbox) = launch.start().await?;
        let info = KeepInfo {
            id,
            state: KeepState::Running,
            exit: None,
            backend: inner.config.backend.name().to_owned(),
            tee: inner.attester.tee().to_owned(),
            platform: inner.attester.platform().to_owned(),
            simulated: inner.attester.simulated(),
            sandbox,
        };
        let configuration = inner.config.backend.launch(inner.config.require_sandbox);
        let host_data = platform::host_data(configuration.as_bytes());
        Ok(Keep::new(info, (process, link), inner.config.limits.max_streams_per_keep, host_data, tap))
    }

    /// A raw stream to the control port of a Keep.
    pub async fn control(&self, id: KeepId) -> Result<ControlStream, HostError> {
        self.running(id)?.control().await
    }

    /// The Keeps that run, for the operator of this host.
    pub fn list(&self) -> Vec<KeepInfo> {
        self.inner.registry().keeps.values().map(|keep| keep.info.clone()).collect()
    }

    /// What there is to say about a Keep that runs or ended lately.
    pub fn info(&self, id: KeepId) -> Result<KeepInfo, HostError> {
        let registry = self.inner.registry();
        let running = registry.keeps.get(&id).map(|keep| &keep.info);
        running
            .or_else(|| registry.ended.iter().find(|info| info.id == id))
            .cloned()
            .ok_or(HostError::UnknownKeep { id })
    }

    /// Ends a Keep and waits until nothing of it is left.
    pub async fn kill(&self, id: KeepId) -> Result<(), HostError> {
        let keep = self.running(id)?;
        keep.kill();
        keep.ended().await;
        Ok(())
    }

    /// Waits until a Keep has ended, and says how.
    pub async fn ended(&self, id: KeepId) -> Result<KeepExit, HostError> {
        if let Ok(keep) = self.running(id) {
            return Ok(keep.ended().await);
        }
        self.info(id)?.exit.ok_or(HostError::UnknownKeep { id })
    }

    /// What this host offers. Waits until the Keep program has been measured and the simulated vendor has its keys,
    /// which takes about a second when they are made.
    pub async fn platform(&self) -> Result<PlatformInfo, HostError> {
        let attester = Arc::clone(&self.inner.attester);
        let described = tokio::task::spawn_blocking(move || attester.describe()).await;
        described.map_err(|error| HostError::Start { source: io::Error::other(error) })?
    }

    /// Ends every Keep and waits until nothing of them is left. No Keep is created from now on.
    pub async fn shutdown(&self) {
        let keeps: Vec<_> = {
            let mut registry = self.inner.registry();
            registry.closed = true;
            registry.keeps.values().cloned().collect()
        };
        for keep in &keeps {
            keep.kill();
        }
        for keep in keeps {
            keep.ended().await;
        }
    }

    /// Counters as Prometheus text.
    pub fn metrics_text(&self) -> String {
        let running = self.inner.registry().keeps.len();
        self.inner.metrics.render(running)
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    fn running(&self, id: KeepId) -> Result<Arc<Keep>, HostError> {
        let registry = self.inner.registry();
        match registry.keeps.get(&id) {
            Some(keep) => Ok(Arc::clone(keep)),
            None if registry.ended.iter().any(|info| info.id == id) => Err(HostError::KeepEnded { id }),
            None => Err(HostError::UnknownKeep { id }),
        }
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("config", &self.inner.config).finish_non_exhaustive()
    }
}

impl Inner {
    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inner {
    /// The runtime may be gone already, so this blocks for the moment that the kernel needs.
    fn drop(&mut self) {
        let keeps: Vec<_> = self.registry().keeps.drain().map(|(_, keep)| keep).collect();
        for keep in &keeps {
            keep.kill();
        }
        for keep in &keeps {
            keep.end();
        }
    }
}

/// Serves one Keep until it ends, then moves it from those that run to those that ended.
async fn watch(
    keep: Arc<Keep>,
    attester: Arc<Attester>,
    network: Network,
    limits: crate::config::HostLimits,
    place: Place,
) {
    let started = Instant::now();
    let (exit, reason) = keep.watch(attester, network, &limits).await;
    place.vacate(&keep, exit);
    drop(place);
    keep.announce(exit);
    let (bytes_in, bytes_out) = keep.bytes();
    tracing::info!(
        keep = keep.id().short(),
        reason,
        %exit,
        said = keep.last_words(),
        seconds = started.elapsed().as_secs(),
        bytes_in,
        bytes_out,
        "a Keep has ended"
    );
}

/// Who asked for a Keep. One network of IPv6 counts as one client, because a client has all its addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Client(IpAddr);

impl From<IpAddr> for Client {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                Self(IpAddr::from([a, b, c, d, 0, 0, 0, 0]))
            }
            v4 @ IpAddr::V4(_) => Self(v4),
        }
    }
}

/// A place for one Keep, free again when this is dropped.
struct Place {
    host: Weak<Inner>,
    client: Option<Client>,
}

impl Place {
    fn take(inner: &Arc<Inner>, client: Option<Client>) -> Result<Self, HostError> {
        let limits = &inner.config.limits;
        let mut registry = inner.registry();
        if registry.closed {
            return Err(HostError::ShuttingDown);
        }
        if registry.places_taken >= limits.max_keeps {
            return Err(HostError::TooManyKeeps { limit: limits.max_keeps });
        }
        if let Some(client) = client {
            let taken = registry.places_by_client.entry(client).or_default();
            if *taken >= limits.max_keeps_per_client {
                return Err(HostError::TooManyKeepsForClient { limit: limits.max_keeps_per_client });
            }
            *taken += 1;
        }
        registry.places_taken += 1;
        Ok(Self { host: Arc::downgrade(inner), client })
    }

    /// Remembers a Keep as one that ended.
    fn vacate(&self, keep: &Keep, exit: KeepExit) {
        let Some(inner) = self.host.upgrade() else { return };
        Metrics::add(&inner.metrics.keeps_ended, 1);
        let mut registry = inner.registry();
        registry.keeps.remove(&keep.id());
        registry.ended.push_back(KeepInfo { state: KeepState::Ended, exit: Some(exit), ..keep.info.clone() });
        while registry.ended.len() > inner.config.limits.max_remembered {
            registry.ended.pop_front();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(inner) = self.host.upgrade() else { return };
        let mut registry = inner.registry();
        registry.places_taken = registry.places_taken.saturating_sub(1);
        if let Some(client) = self.client
            && let Some(taken) = registry.places_by_client.get_mut(&client)
        {
            *taken = taken.saturating_sub(1);
            if *taken == 0 {
                registry.places_by_client.remove(&client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_of_ipv6_is_one_client() {
        let client = |text: &str| Client::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(client("2001:db8::1"), client("2001:db8::ffff:2"));
        assert_ne!(client("2001:db8::1"), client("2001:db8:0:1::1"));
        assert_ne!(client("192.0.2.1"), client("192.0.2.2"));
        assert_eq!(client("::ffff:192.0.2.1"), client("192.0.2.1"));
    }
}
