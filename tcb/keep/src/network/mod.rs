// SPDX-License-Identifier: Apache-2.0

//! The sockets of a workload: asked of the host, with TLS that ends here.
//!
//! The host hands over streams of ciphertext and nothing else. A handshake is a task of its own with a time limit, so that a
//! client that takes its time keeps nobody waiting but itself; what the workload accepts is ready to be used.

mod desk;
mod pump;

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::future::{Future, poll_fn};
use core::pin::pin;

use enarx_package::{
    ClientAuth, Connect, Descriptor, EntryKind, FileKind, FileTree, GuestPath, Listen, Protocol,
};
use enarx_runtime::clock::{SECOND, Time};
use enarx_runtime::net::{Backlog, Socket, connection, listener};
use enarx_session::web::{Acceptor, Anchors, Clock, Connector};
use futures_util::future::{Either, select};

use crate::life::Shared;
use crate::platform::{Platform, Stream};
use crate::wire::{CONNECT_PORT, INGRESS_PORT, LISTEN_PORT, NetworkAnswer, NetworkRequest};
pub(crate) use desk::Desk;
use pump::Pump;

/// Connections at the same time, those included whose handshake is under way.
const MAX_CONNECTIONS: usize = 128;
/// Connections of one listener that are ready and that the workload has not accepted.
const BACKLOG: usize = 64;
/// How long a handshake may take.
const HANDSHAKE: u64 = 10 * SECOND;
/// How long the host may take for an answer; connecting is part of it.
const ANSWER: u64 = 20 * SECOND;
/// How long the owner may take to sign a certificate.
const SIGNING: u64 = 60 * SECOND;

/// What there is of the network in this Keep.
pub(crate) struct Network<P: Platform> {
    listeners: RefCell<BTreeMap<u32, Rc<Listening<P>>>>,
    connections: Cell<usize>,
}

struct Listening<P: Platform> {
    acceptor: Acceptor,
    backlog: Backlog,
    /// The host listens as long as this is open.
    _held: P::Stream,
}

/// The sockets of a workload, before anybody was asked for them.
pub(crate) struct Wanted {
    sockets: Vec<(usize, String, What)>,
    clock: Clock,
}

enum What {
    Listen(Listen, Option<Anchors>),
    Connect(Connect, Anchors),
}

impl<P: Platform> Default for Network<P> {
    fn default() -> Self {
        Self { listeners: RefCell::default(), connections: Cell::new(0) }
    }
}

impl Wanted {
    /// What the bundle asks for. Its trust anchors are read here.
    pub(crate) fn new(descriptors: &[Descriptor], files: &FileTree, time: &Time) -> Result<Self, String> {
        let mut sockets = Vec::new();
        for (number, Descriptor { name, kind }) in descriptors.iter().enumerate() {
            if kind.socket().is_some_and(|(protocol, _)| protocol != Protocol::Tls) {
                return Err(format!("`{name}`: a socket without TLS is not supported"));
            }
            let read = |path: &GuestPath| {
                anchors(files, path).map_err(|why| format!("`{name}`: the anchors in `{path}` are {why}"))
            };
            let what = match kind {
                FileKind::Stdio(_) => continue,
                FileKind::Listen(listen) => {
                    let anchors = listen.anchors.as_ref().map(read).transpose()?;
                    if listen.client_auth == ClientAuth::Required && anchors.is_none() {
                        return Err(format!("`{name}`: clients need certificates, and there are no anchors"));
                    }
                    What::Listen(listen.clone(), anchors)
                }
                FileKind::Connect(connect) => match connect.anchors.as_ref().map(read).transpose()? {
                    Some(anchors) => What::Connect(connect.clone(), anchors),
                    None => return Err(format!("`{name}`: there are no anchors to trust its peer by")),
                },
            };
            sockets.push((number, name.clone(), what));
        }
        let time = time.clone();
        let clock: Clock = Arc::new(move || time.wall() / SECOND);
        Ok(Self { sockets, clock })
    }

    fn listens(&self) -> bool {
        self.sockets.iter().any(|(_, _, what)| matches!(what, What::Listen(..)))
    }

    /// Asks for all of them. Either all are there, or the workload does not start and this says why.
    pub(crate) async fn open<P: Platform>(
        self,
        shared: &Rc<Shared<P>>,
        desk: &Desk,
    ) -> Result<Vec<(usize, Socket)>, String> {
        if self.listens() {
            desk.ask()?;
            shared.changed.notify();
            within(shared, SIGNING, desk.installed())
                .await
                .ok_or("its owner signed no certificate for it in time")??;
        }
        let mut open = Vec::new();
        for (number, name, what) in self.sockets {
            let socket = match what {
                What::Listen(listen, clients) => {
                    listen_on(shared, desk, number, &listen, clients.as_ref(), &self.clock).await
                }
                What::Connect(connect, anchors) => connect_to(shared, &connect, &anchors, &self.clock).await,
            };
            open.push((number, socket.map_err(|why| format!("`{name}`: {why}"))?));
        }
        Ok(open)
    }
}

fn anchors(files: &FileTree, path: &GuestPath) -> Result<Anchors, String> {
    let entry = files.entries().iter().find(|entry| entry.path == *path);
    match entry.map(|entry| &entry.kind) {
        Some(EntryKind::File(contents)) => Anchors::from_pem(contents).map_err(|error| error.to_string()),
        Some(_) => Err("in no plain file".to_string()),
        None => Err("not there".to_string()),
    }
}

async fn listen_on<P: Platform>(
    shared: &Rc<Shared<P>>,
    desk: &Desk,
    number: usize,
    listen: &Listen,
    clients: Option<&Anchors>,
    clock: &Clock,
) -> Result<Socket, String> {
    let identity = desk.identity().ok_or("there is no certificate")?;
    let acceptor = Acceptor::new(&identity, clients, clock.clone()).map_err(|error| error.to_string())?;
    let place = format!("{} port {}", listen.addr, listen.port);
    let ingress = u32::try_from(number).ok().and_then(|number| INGRESS_PORT.checked_add(number));
    let ingress = ingress.ok_or("there are too many descriptors")?;
    let request = NetworkRequest { port: listen.port, ingress, address: listen.addr.clone() };
    let held = ask(shared, LISTEN_PORT, &request)
        .await
        .map_err(|answer| format!("the host does not listen on {place}: {answer}"))?;
    let (socket, backlog) = listener(BACKLOG);
    let listening = Rc::new(Listening { acceptor, backlog, _held: held });
    shared.network.listeners.borrow_mut().insert(ingress, listening);
    Ok(Socket::Listener(socket))
}

async fn connect_to<P: Platform>(
    shared: &Rc<Shared<P>>,
    connect: &Connect,
    anchors: &Anchors,
    clock: &Clock,
) -> Result<Socket, String> {
    let place = format!("{} port {}", connect.host, connect.port);
    let request = NetworkRequest { port: connect.port, ingress: 0, address: connect.host.clone() };
    let stream = ask(shared, CONNECT_PORT, &request)
        .await
        .map_err(|answer| format!("the host does not connect to {place}: {answer}"))?;
    let connector = Connector::new(anchors, clock.clone()).map_err(|error| error.to_string())?;
    let tls = connector.connect(connect.expected_name()).map_err(|error| error.to_string())?;
    let mut pump = Pump::new(stream, tls);
    match within(shared, HANDSHAKE, pump.handshake()).await {
        Some(Ok(())) => {}
        Some(Err(why)) => return Err(format!("no TLS with {place}: {why}")),
        None => return Err(format!("no TLS with {place}: the handshake took too long")),
    }
    let (ours, served) = connection();
    shared.spawner.spawn(async move { pump.run(&served).await });
    Ok(Socket::Connection(ours))
}

/// Asks the host for a stream, which is open for use when it says yes.
async fn ask<P: Platform>(
    shared: &Rc<Shared<P>>,
    port: u32,
    request: &NetworkRequest,
) -> Result<P::Stream, NetworkAnswer> {
    let mut stream = shared.platform.connect(port).map_err(|_| NetworkAnswer::Failed)?;
    let bytes = request.encode().ok_or(NetworkAnswer::Failed)?;
    let answer = async {
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let count = poll_fn(|context| stream.poll_write(context, rest)).await.ok()?;
            rest = rest.get(count..).filter(|_| count > 0)?;
        }
        let mut answer = [0; 1];
        let count = poll_fn(|context| stream.poll_read(context, &mut answer)).await.ok()?;
        (count == 1).then_some(answer[0])
    };
    let answer = within(shared, ANSWER, answer).await.ok_or(NetworkAnswer::TimedOut)?;
    match answer.and_then(NetworkAnswer::decode) {
        Some(NetworkAnswer::Granted) => Ok(stream),
        Some(answer) => Err(answer),
        None => Err(NetworkAnswer::Failed),
    }
}

/// A stream that the host opened for a listener of the workload's. What nobody waits for is closed.
pub(crate) fn arrived<P: Platform>(shared: &Rc<Shared<P>>, port: u32, stream: P::Stream) {
    let network = &shared.network;
    let Some(listening) = network.listeners.borrow().get(&port).cloned() else { return };
    if listening.backlog.is_closed() {
        // The workload closed the socket; with the stream behind it the host stops to listen.
        network.listeners.borrow_mut().remove(&port);
        return;
    }
    if network.connections.get() >= MAX_CONNECTIONS {
        return;
    }
    let Ok(tls) = listening.acceptor.accept() else { return };
    network.connections.set(network.connections.get() + 1);
    let task = shared.clone();
    shared.spawner.spawn(async move {
        let mut pump = Pump::new(stream, tls);
        if let Some(Ok(())) = within(&task, HANDSHAKE, pump.handshake()).await {
            let (ours, served) = connection();
            if listening.backlog.push(ours) {
                pump.run(&served).await;
            }
        }
        task.network.connections.set(task.network.connections.get().saturating_sub(1));
    });
}

/// What the future gives, if it gives it in time.
async fn within<P: Platform, T>(
    shared: &Rc<Shared<P>>,
    nanos: u64,
    future: impl Future<Output = T>,
) -> Option<T> {
    match select(pin!(future), pin!(shared.sleep(nanos))).await {
        Either::Left((value, _)) => Some(value),
        Either::Right(_) => None,
    }
}
