// SPDX-License-Identifier: Apache-2.0

//! One Keep from its host's side: started, watched, given streams, and ended.

use std::fmt;
use std::io;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Duration;

use enarx_keep::wire::{CONNECT_PORT, CONTROL_PORT, LISTEN_PORT, Layer, PLATFORM_PORT};
use tokio::net::UnixStream;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::api::{KeepExit, KeepId, KeepInfo, SandboxLayer};
use crate::config::HostLimits;
use crate::error::HostError;
use crate::metrics::Metrics;
use crate::network::{self, Network};
use crate::platform::{self, Attester, Rate};
use crate::process::{FromKeep, Link, LinkError, Process, Program};
use crate::recorder::Channel;
use crate::stream::{ControlStream, Tap};

/// Platform streams of one Keep that are open at the same time.
const MAX_PLATFORM_STREAMS: usize = 4;
/// Listening sockets of one Keep: as many as it may have descriptors.
const MAX_LISTENERS: usize = 64;
/// How long a Keep may take to end after it closed its host stream.
const LINGER: Duration = Duration::from_secs(2);
/// How many times the time in which nothing may pass before provisioning, provisioning may take in all.
const LONGEST_PROVISIONING: u32 = 6;
/// How long a Keep may take to accept a stream.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);

/// Why Keeps end that are not ended by their host's rules.
const BY_ITSELF: &str = "it exited by itself";
const KILLED: &str = "it was killed";

/// What a Keep is launched with.
pub(crate) struct Launch<'a> {
    pub(crate) program: &'a Program,
    /// Stated to the Keep
    pub(crate) configuration: String,
    pub(crate) limits: &'a HostLimits,
    pub(crate) require_sandbox: bool,
    pub(crate) tap: Tap,
}

impl Launch<'_> {
    /// Starts a process and waits until its sandbox stands.
    pub(crate) async fn start(self) -> Result<(Process, Link, Vec<SandboxLayer>), HostError> {
        let limit = self.limits.start_timeout;
        let start = |source| HostError::Start { source };
        let (link, theirs) = Link::pair(self.tap).map_err(start)?;
        let process = Process::start(self.program, theirs, self.limits.memory).await.map_err(start)?;
        let layers = timeout(limit, ready(&process, &link, &self.configuration, self.require_sandbox))
            .await
            .map_err(|_| HostError::StartTimeout { after: limit })??;
        Ok((process, link, layers))
    }
}

async fn ready(
    process: &Process,
    link: &Link,
    configuration: &str,
    require_sandbox: bool,
) -> Result<Vec<SandboxLayer>, HostError> {
    // A Keep that is gone already says more by its exit status than this error does.
    let sent = link.launch(configuration).await;
    let layers = match link.receive().await {
        Ok(FromKeep::Sandbox(report)) => report.layers.into_iter().map(layer).collect::<Vec<_>>(),
        Ok(_) => return Err(protocol(&"the first packet is no sandbox report")),
        Err(LinkError::Closed) => {
            let exit = process.exited().await;
            return Err(HostError::EndedEarly { exit, reason: process.last_words() });
        }
        Err(error) => return Err(protocol(&error)),
    };
    sent.map_err(|source| HostError::Start { source })?;
    let missing: Vec<_> = layers.iter().filter(|layer| !layer.active).map(describe).collect();
    if require_sandbox && !missing.is_empty() {
        return Err(HostError::SandboxIncomplete { missing: missing.join(", ") });
    }
    if !missing.is_empty() {
        tracing::warn!(missing = missing.join(", "), "the sandbox of a Keep is not complete");
    }
    Ok(layers)
}

fn describe(layer: &SandboxLayer) -> String {
    if layer.detail.is_empty() { layer.name.clone() } else { format!("{} ({})", layer.name, layer.detail) }
}

fn layer(layer: Layer) -> SandboxLayer {
    SandboxLayer { name: layer.name.into(), active: layer.active, detail: layer.detail.into() }
}

fn protocol(what: &dyn fmt::Display) -> HostError {
    HostError::Protocol { what: what.to_string() }
}

/// A Keep that runs.
pub(crate) struct Keep {
    pub(crate) info: KeepInfo,
    process: Process,
    link: Link,
    streams: Arc<Semaphore>,
    max_streams: usize,
    host_data: [u8; 32],
    tap: Tap,
    ended: watch::Sender<Option<KeepExit>>,
}

impl Keep {
    /// A Keep from what [`Launch::start`] gave.
    pub(crate) fn new(
        info: KeepInfo,
        (process, link): (Process, Link),
        max_streams: usize,
        host_data: [u8; 32],
        tap: Tap,
    ) -> Self {
        let streams = Arc::new(Semaphore::new(max_streams));
        Self { info, process, link, streams, max_streams, host_data, tap, ended: watch::Sender::new(None) }
    }

    pub(crate) fn id(&self) -> KeepId {
        self.info.id
    }

    /// A new stream to the control port.
    pub(crate) async fn control(&self) -> Result<ControlStream, HostError> {
        let too_many = |_| HostError::TooManyStreams { limit: self.max_streams };
        let permit = Arc::clone(&self.streams).try_acquire_owned().map_err(too_many)?;
        match self.bring(CONTROL_PORT).await {
            Ok(stream) => {
                Ok(ControlStream::new(stream, self.tap.on(Channel::Control), self.ended.subscribe(), permit))
            }
            Err(error) if gone(&error) => Err(HostError::KeepEnded { id: self.id() }),
            Err(source) => Err(HostError::Start { source }),
        }
    }

    /// A new stream to a port of the Keep.
    pub(crate) async fn bring(&self, port: u32) -> io::Result<UnixStream> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let stream = UnixStream::from_std(ours)?;
        let opened = timeout(OPEN_TIMEOUT, self.link.open(port, theirs.as_fd())).await;
        opened.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        Ok(stream)
    }

    /// Where the bytes of its streams are noted.
    pub(crate) fn tap(&self) -> &Tap {
        &self.tap
    }

    /// Kills the Keep; whoever watches it reaps it.
    pub(crate) fn kill(&self) {
        self.process.kill();
    }

    /// Kills and reaps the Keep, blocking for a moment.
    pub(crate) fn end(&self) {
        self.announce(self.process.end());
    }

    /// Waits for the end of a Keep that nobody watches.
    pub(crate) async fn reaped(&self) -> KeepExit {
        self.process.exited().await
    }

    /// Tells everybody who waits that the Keep has been reaped.
    pub(crate) fn announce(&self, exit: KeepExit) {
        self.ended.send_replace(Some(exit));
    }

    /// What the Keep's process said about why it ended, if it did.
    pub(crate) fn last_words(&self) -> Option<String> {
        self.process.last_words()
    }

    /// Waits until the Keep has been reaped.
    pub(crate) async fn ended(&self) -> KeepExit {
        let mut ended = self.ended.subscribe();
        let exit = ended.wait_for(Option::is_some).await.map(|exit| *exit);
        exit.ok().flatten().unwrap_or_default()
    }

    /// How many bytes passed on its control streams, to it and from it.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        self.tap.bytes()
    }

    /// Serves the Keep until it ends, whatever the reason, and reaps it. Returns how it ended, and why.
    pub(crate) async fn watch(
        self: &Arc<Self>,
        attester: Arc<Attester>,
        network: Network,
        limits: &HostLimits,
    ) -> (KeepExit, &'static str) {
        tokio::select! {
            exit = self.process.exited() => (exit, if exit.signal.is_some() { KILLED } else { BY_ITSELF }),
            reason = self.serve(attester, network, limits) => self.finish(reason).await,
        }
    }

    async fn finish(&self, reason: Stop) -> (KeepExit, &'static str) {
        let keep = self.id().short();
        let why = match reason {
            // It is about to exit, and its own exit status is worth more than that of our signal.
            Stop::Closed => {
                if let Ok(exit) = timeout(LINGER, self.process.exited()).await {
                    return (exit, if exit.signal.is_some() { KILLED } else { BY_ITSELF });
                }
                "it closed its host stream and went on"
            }
            Stop::Violation(what) => {
                Metrics::add(&self.tap.metrics().protocol_violations, 1);
                tracing::warn!(keep, what, "a Keep broke the host stream protocol");
                "it broke the host stream protocol"
            }
            Stop::Unprovisioned => {
                Metrics::add(&self.tap.metrics().keeps_expired, 1);
                "nobody provisioned it in time"
            }
        };
        self.process.kill();
        (self.process.exited().await, why)
    }

    async fn serve(self: &Arc<Self>, attester: Arc<Attester>, network: Network, limits: &HostLimits) -> Stop {
        let rate = Arc::new(Rate::new(limits));
        let unprovisioned = async {
            let longest = limits.unprovisioned_timeout.saturating_mul(LONGEST_PROVISIONING);
            let _ = timeout(longest, self.tap.relayed().idle(limits.unprovisioned_timeout)).await;
        };
        tokio::pin!(unprovisioned);
        let mut provisioned = false;
        let mut streams = JoinSet::new();
        let mut sockets = JoinSet::new();
        let most = limits.max_connections_per_keep.saturating_add(MAX_LISTENERS);
        loop {
            let packet = tokio::select! {
                packet = self.link.receive() => packet,
                Some(_) = streams.join_next() => continue,
                Some(_) = sockets.join_next() => continue,
                () = &mut unprovisioned, if !provisioned => return Stop::Unprovisioned,
            };
            match packet {
                Ok(FromKeep::Provisioned) => provisioned = true,
                Ok(FromKeep::Connect { port: PLATFORM_PORT, stream })
                    if streams.len() < MAX_PLATFORM_STREAMS =>
                {
                    let Ok(stream) = UnixStream::from_std(stream) else { continue };
                    let tap = self.tap.on(Channel::Platform);
                    streams.spawn(platform::serve(
                        stream,
                        Arc::clone(&attester),
                        Arc::clone(&rate),
                        self.host_data,
                        tap,
                    ));
                }
                Ok(FromKeep::Connect { port: port @ (LISTEN_PORT | CONNECT_PORT), stream })
                    if sockets.len() < most && provisioned =>
                {
                    let Ok(stream) = UnixStream::from_std(stream) else { continue };
                    let (keep, network) = (Arc::clone(self), network.clone());
                    if port == LISTEN_PORT {
                        sockets.spawn(network::listen(stream, keep, network));
                    } else {
                        sockets.spawn(network::connect(stream, keep, network));
                    }
                }
                // Dropping the stream tells the Keep that nobody is there.
                Ok(FromKeep::Connect { port, .. }) => {
                    tracing::debug!(keep = self.id().short(), port, "a stream of the Keep was refused");
                }
                Ok(FromKeep::Sandbox(_)) => return Stop::Violation("a second sandbox report".to_owned()),
                Err(LinkError::Closed) => return Stop::Closed,
                Err(error) => return Stop::Violation(error.to_string()),
            }
        }
    }
}

/// Why the host no longer serves a Keep.
enum Stop {
    Closed,
    Violation(String),
    Unprovisioned,
}

/// Whether a send failed because nobody is at the other end.
fn gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}
