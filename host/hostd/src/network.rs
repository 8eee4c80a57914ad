// SPDX-License-Identifier: Apache-2.0

//! The network for Keeps: listens and connects for them where the operator allows it, and passes bytes.
//!
//! What passes is TLS that ends in the Keep. A connection is a task, never a thread; it is taken from the system only
//! when there is a place for it, and each side is read only as fast as the other takes it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use enarx_keep::wire::{INGRESS_PORT, NETWORK_HEADER, NetworkAnswer, NetworkRequest};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader, copy_buf, split};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixStream, lookup_host};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::keep::Keep;
use crate::recorder::Channel;
use crate::stream::Tapped;

/// How long a Keep may take to send its request.
const REQUEST: Duration = Duration::from_secs(10);
/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(10);
/// Connections that the system holds until there is a place for them.
const BACKLOG: u32 = 128;
/// What is held of a connection in one direction while the other side does not read.
const BUFFER: usize = 32 * 1024;
/// The Keep's ports for listeners: as many as it may have descriptors.
const INGRESS_PORTS: u32 = 64;
/// How long a peer may take to end a connection that the Keep has ended.
const LINGER: Duration = Duration::from_secs(2);
/// After an error of the system, such as too many open files, accepting goes on after this time.
const PAUSE: Duration = Duration::from_millis(100);

/// Where Keeps may listen and connect. Nowhere, unless the operator says so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkRules {
    /// Ports to listen on.
    pub listen: Vec<PortRange>,
    /// Hosts and ports to connect to.
    pub connect: Vec<Destination>,
}

impl NetworkRules {
    fn may_listen(&self, port: u16) -> bool {
        self.listen.iter().any(|range| range.0.contains(&port))
    }

    fn may_connect(&self, host: &str, port: u16) -> bool {
        self.connect.iter().any(|to| to.port == port && to.host.eq_ignore_ascii_case(host))
    }
}

/// Some ports, `8443` or `8000-8999`. Port 0 is none: the system would choose one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortRange(RangeInclusive<u16>);

/// A host and a port to connect to, `db.example:5432` or `[::1]:5432`. The host is compared as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    host: String,
    port: u16,
}

/// A text that names no ports, or no host with a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Not ports.
    #[error("give ports as PORT or FIRST-LAST, from 1 to 65535")]
    Ports,
    /// Not a destination.
    #[error("give it as HOST:PORT, an IPv6 address in brackets")]
    Destination,
}

impl PortRange {
    /// One port.
    pub fn one(port: u16) -> Self {
        Self(port..=port)
    }
}

impl Destination {
    /// This port of this host, a name or an address without brackets.
    pub fn new(host: &str, port: u16) -> Self {
        Self { host: host.to_owned(), port }
    }
}

impl FromStr for PortRange {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let port = |text: &str| text.parse().ok().filter(|port| *port > 0).ok_or(RuleError::Ports);
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (port(first)?, port(last)?);
        if first > last { Err(RuleError::Ports) } else { Ok(Self(first..=last)) }
    }
}

impl FromStr for Destination {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let (host, port) = text.rsplit_once(':').ok_or(RuleError::Destination)?;
        let host = match host.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').ok_or(RuleError::Destination)?,
            None if host.contains(':') => return Err(RuleError::Destination),
            None => host,
        };
        let port = port.parse().ok().filter(|port| *port > 0).ok_or(RuleError::Destination)?;
        if host.is_empty() { Err(RuleError::Destination) } else { Ok(Self::new(host, port)) }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.0.start(), self.0.end())
    }
}

/// What the Keeps of one host share of the network, and of it what one Keep has.
#[derive(Clone)]
pub(crate) struct Network {
    rules: Arc<NetworkRules>,
    places: Arc<Semaphore>,
}

impl Network {
    /// The network of one Keep, with at most `connections` at a time.
    pub(crate) fn new(rules: &Arc<NetworkRules>, connections: usize) -> Self {
        Self { rules: Arc::clone(rules), places: Arc::new(Semaphore::new(connections)) }
    }
}

/// Serves a stream on which a Keep asks to listen. Listens until the Keep closes it.
pub(crate) async fn listen(mut stream: UnixStream, keep: Arc<Keep>, network: Network) {
    let Some((port, ingress, address)) = request(&mut stream).await else { return };
    let ports = INGRESS_PORT..INGRESS_PORT + INGRESS_PORTS;
    let bound = if network.rules.may_listen(port) && ports.contains(&ingress) {
        bind(&address, port).await
    } else {
        Err(NetworkAnswer::Forbidden)
    };
    let answer = bound.as_ref().err().copied().unwrap_or(NetworkAnswer::Granted);
    tracing::info!(keep = keep.id().short(), port, %answer, "a Keep asked to listen");
    if stream.write_all(&[answer.encode()]).await.is_err() {
        return;
    }
    let Ok(listener) = bound else { return };
    let mut connections = JoinSet::new();
    let closed = async {
        // Nothing more is said here; the end is all that can come.
        let _ = stream.read(&mut [0; 1]).await;
    };
    tokio::pin!(closed);
    loop {
        let place = tokio::select! {
            place = Arc::clone(&network.places).acquire_owned() => place,
            () = &mut closed => return,
        };
        let Ok(place) = place else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            () = &mut closed => return,
        };
        let Ok((client, _)) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let keep = Arc::clone(&keep);
        connections.spawn(async move {
            let _place = place;
            if let Ok(stream) = keep.bring(ingress).await {
                relay(client, Tapped::new(stream, keep.tap().on(Channel::Network))).await;
            }
        });
    }
}

/// Serves a stream on which a Keep asks for a connection, which it then is.
pub(crate) async fn connect(mut stream: UnixStream, keep: Arc<Keep>, network: Network) {
    let Some((port, _, address)) = request(&mut stream).await else { return };
    let place = Arc::clone(&network.places).try_acquire_owned();
    let connected = match &place {
        _ if !network.rules.may_connect(&address, port) => Err(NetworkAnswer::Forbidden),
        Err(_) => Err(NetworkAnswer::TooMany),
        Ok(_) => reach(&address, port).await,
    };
    let answer = connected.as_ref().err().copied().unwrap_or(NetworkAnswer::Granted);
    tracing::info!(keep = keep.id().short(), port, %answer, "a Keep asked for a connection");
    if stream.write_all(&[answer.encode()]).await.is_ok()
        && let Ok(peer) = connected
    {
        relay(peer, Tapped::new(stream, keep.tap().on(Channel::Network))).await;
    }
}

/// A request, if it comes whole and in time.
async fn request(stream: &mut UnixStream) -> Option<(u16, u32, String)> {
    let read = async {
        let mut header = [0; NETWORK_HEADER];
        stream.read_exact(&mut header).await.ok()?;
        let (port, ingress, length) = NetworkRequest::decode_header(header)?;
        let mut address = vec![0; length];
        stream.read_exact(&mut address).await.ok()?;
        Some((port, ingress, String::from_utf8(address).ok()?))
    };
    timeout(REQUEST, read).await.ok().flatten()
}

async fn bind(address: &str, port: u16) -> Result<TcpListener, NetworkAnswer> {
    let address = *resolve(address, port).await?.first().ok_or(NetworkAnswer::NoAddress)?;
    let listen = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // What still ends from an earlier Keep does not hinder the next.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listen().map_err(|error| why(&error))
}

async fn reach(address: &str, port: u16) -> Result<TcpStream, NetworkAnswer> {
    let attempt = async {
        let mut last = NetworkAnswer::NoAddress;
        for address in resolve(address, port).await? {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = why(&error),
            }
        }
        Err(last)
    };
    timeout(CONNECT, attempt).await.unwrap_or(Err(NetworkAnswer::TimedOut))
}

async fn resolve(address: &str, port: u16) -> Result<Vec<SocketAddr>, NetworkAnswer> {
    let found = lookup_host((address, port)).await.map_err(|_| NetworkAnswer::NoAddress)?;
    Ok(found.collect())
}

fn why(error: &io::Error) -> NetworkAnswer {
    match error.kind() {
        io::ErrorKind::AddrInUse => NetworkAnswer::InUse,
        io::ErrorKind::AddrNotAvailable => NetworkAnswer::NoAddress,
        io::ErrorKind::PermissionDenied => NetworkAnswer::Forbidden,
        io::ErrorKind::ConnectionRefused => NetworkAnswer::Refused,
        io::ErrorKind::TimedOut => NetworkAnswer::TimedOut,
        _ => NetworkAnswer::Failed,
    }
}

/// Passes bytes both ways until the Keep has ended the connection or one side broke. The end of what comes from outside is
/// passed on.
async fn relay<K: AsyncRead + AsyncWrite>(mut outside: TcpStream, keep: K) {
    // Records are written whole; waiting to fill packets would only slow them.
    let _ = outside.set_nodelay(true);
    let (from_outside, mut to_outside) = outside.split();
    let (from_keep, mut to_keep) = split(keep);
    let inward = async {
        copy_buf(&mut BufReader::with_capacity(BUFFER, from_outside), &mut to_keep).await?;
        to_keep.shutdown().await
    };
    let outward = async {
        let _ = copy_buf(&mut BufReader::with_capacity(BUFFER, from_keep), &mut to_outside).await;
        let _ = to_outside.shutdown().await;
    };
    tokio::pin!(inward, outward);
    let ended = tokio::select! {
        () = &mut outward => None,
        ended = &mut inward => Some(ended),
    };
    match ended {
        // A Keep ends both directions at once. The other side may take what was sent and end too, but not keep the place.
        None => drop(timeout(LINGER, inward).await),
        Some(Ok(())) => outward.await,
        Some(Err(_)) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_allowed_that_was_not_named() {
        let rules = NetworkRules {
            listen: vec!["8443".parse().unwrap(), "9000-9002".parse().unwrap()],
            connect: vec!["db.example:5432".parse().unwrap(), "[::1]:80".parse().unwrap()],
        };
        let ports = [8442, 8443, 8444, 8999, 9000, 9002, 9003, 0];
        let allowed = [false, true, false, false, true, true, false, false];
        assert_eq!(ports.map(|port| rules.may_listen(port)), allowed);
        assert!(rules.may_connect("DB.example", 5432) && rules.may_connect("::1", 80));
        assert!(!rules.may_connect("db.example", 80) && !rules.may_connect("b.example", 5432));
        assert!(!NetworkRules::default().may_listen(443));
    }

    #[tokio::test]
    async fn a_peer_that_stays_does_not_keep_its_place() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        let (mut keep, ours) = UnixStream::pair().unwrap();
        let relaying = tokio::spawn(relay(accepted, ours));
        client.write_all(b"hello").await.unwrap();
        let mut heard = [0; 5];
        keep.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"hello");
        keep.write_all(b"bye").await.unwrap();
        drop(keep);
        let mut said = Vec::new();
        client.read_to_end(&mut said).await.unwrap();
        assert_eq!(said, b"bye");
        // The client has not closed its half, and does not.
        timeout(LINGER * 3, relaying).await.expect("the place is free").unwrap();
        drop(client);
    }

    #[tokio::test]
    async fn the_end_of_what_a_peer_sends_is_passed_on_and_the_answer_still_comes() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        let (mut keep, ours) = UnixStream::pair().unwrap();
        let relaying = tokio::spawn(relay(accepted, ours));
        client.write_all(b"question").await.unwrap();
        client.shutdown().await.unwrap();
        let mut heard = Vec::new();
        keep.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"question");
        tokio::time::sleep(LINGER + Duration::from_millis(200)).await;
        keep.write_all(b"answer").await.unwrap();
        drop(keep);
        let mut said = Vec::new();
        client.read_to_end(&mut said).await.unwrap();
        assert_eq!(said, b"answer");
        relaying.await.unwrap();
    }

    #[test]
    fn rules_that_say_nothing_are_refused() {
        for wrong in ["", "0", "a", "1-", "-1", "9-8", "0-5", "65536", "1-2-3"] {
            assert_eq!(wrong.parse::<PortRange>(), Err(RuleError::Ports), "{wrong}");
        }
        for wrong in ["", "host", "host:", "host:0", ":80", "::1:80", "[::1:80", "[]:80", "host:65536"] {
            assert_eq!(wrong.parse::<Destination>(), Err(RuleError::Destination), "{wrong}");
        }
    }
}
