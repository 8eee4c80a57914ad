// SPDX-License-Identifier: Apache-2.0

//! The HTTP API of a host: HTTP/1.1, optionally inside TLS, for clients who may be anybody.
//!
//! TLS here protects only who asked and how much passed from onlookers on the way. What is confidential is inside the
//! attested session, which ends in the Keep and not here.

mod admission;
mod connection;
mod relay;
mod routes;
mod tls;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::Host;
use crate::metrics::Metrics;
use admission::Admission;

/// The address of the daemon unless another is given: reachable from this machine only.
pub const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7070);

/// How the API is served.
#[derive(Debug)]
pub struct ServeConfig {
    /// Where to listen; port 0 takes any free port.
    pub listen: SocketAddr,
    /// Certificate and key for the outer TLS; none serves plain HTTP.
    pub tls: Option<TlsFiles>,
    /// What clients may take.
    pub limits: ServeLimits,
    /// Is told the address that was bound.
    pub bound: Option<oneshot::Sender<SocketAddr>>,
}

impl ServeConfig {
    /// Plain HTTP on this address with default limits.
    pub fn new(listen: SocketAddr) -> Self {
        Self { listen, tls: None, limits: ServeLimits::default(), bound: None }
    }
}

/// Files in PEM.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The certificate chain, the server's own first.
    pub certificates: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// What clients may take from the daemon.
#[derive(Debug, Clone)]
pub struct ServeLimits {
    /// Connections in all, control streams included.
    pub max_connections: usize,
    /// Connections of one client address (of IPv6, one /64 network).
    pub max_connections_per_client: usize,
    /// How long a client may take for the TLS handshake, for the head of a request (also between two requests), and
    /// for its body.
    pub client_timeout: Duration,
    /// How long a control stream may be silent in both directions.
    pub stream_idle: Duration,
    /// How long Keeps and connections may take to end at shutdown.
    pub drain: Duration,
}

impl Default for ServeLimits {
    fn default() -> Self {
        Self {
            max_connections: 512,
            max_connections_per_client: 64,
            client_timeout: Duration::from_secs(10),
            stream_idle: Duration::from_hours(1),
            drain: Duration::from_secs(5),
        }
    }
}

/// Why the API could not be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on `{address}`: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A file for TLS cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    TlsFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The files hold no certificate with its key.
    #[error("cannot use the certificate in `{}` with the key in `{}`: {reason}", files.certificates.display(), files.key.display())]
    TlsContent {
        /// The files.
        files: TlsFiles,
        /// Why.
        reason: String,
    },
}

/// How far the daemon is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// New connections and requests are welcome.
    Open,
    /// Connections end as soon as what they do is done.
    Draining,
    /// Connections end now.
    Closed,
}

/// What every connection needs.
struct Shared {
    host: Host,
    limits: ServeLimits,
    tls: Option<TlsAcceptor>,
    phase: watch::Receiver<Phase>,
}

/// Serves the API until `shutdown` completes, then ends every Keep and every connection.
pub async fn serve(
    host: Host,
    config: ServeConfig,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let tls = config.tls.as_ref().map(tls::acceptor).transpose()?;
    let failed = |source| ServeError::Listen { address: config.listen, source };
    let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    raise_descriptor_limit();
    tracing::info!(%address, tls = tls.is_some(), "the host is ready");
    if let Some(bound) = config.bound {
        let _ = bound.send(address);
    }
    let (phase, watched) = watch::channel(Phase::Open);
    let admission = Admission::new(&config.limits);
    let drain = config.limits.drain;
    let shared = Arc::new(Shared { host: host.clone(), limits: config.limits, tls, phase: watched });
    tokio::select! {
        () = accept(&listener, &shared, &admission) => {}
        () = shutdown => {}
    }
    drop(listener);
    tracing::info!("the host ends its Keeps");
    phase.send_replace(Phase::Draining);
    let ended = async {
        host.shutdown().await;
        admission.empty().await;
    };
    if timeout(drain, ended).await.is_err() {
        tracing::warn!("connections were cut at shutdown");
    }
    phase.send_replace(Phase::Closed);
    Ok(())
}

/// Completes when the process is asked to end, by SIGINT or SIGTERM.
pub async fn termination() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// Every connection and every Keep takes descriptors, and the usual limit is that of an interactive program.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}

async fn accept(listener: &TcpListener, shared: &Arc<Shared>, admission: &Arc<Admission>) {
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            // Out of descriptors, or a connection that is gone already: neither must spin or end the daemon.
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let metrics = shared.host.metrics();
        Metrics::add(&metrics.connections, 1);
        let Some(admitted) = admission.admit(peer.ip()) else {
            Metrics::add(&metrics.connections_refused, 1);
            tracing::info!(client = %peer.ip(), "a connection was refused: there are too many");
            turn_away(&stream);
            continue;
        };
        tokio::spawn(connection::run(Arc::clone(shared), stream, Arc::new(admitted)));
    }
}

/// Says why, if that is possible without waiting for the client.
fn turn_away(stream: &TcpStream) {
    const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 5\r\nConnection: close\r\n\r\n";
    let _ = stream.try_write(BUSY);
}
