// SPDX-License-Identifier: Apache-2.0

//! The thread of the device: the host stream, the guest's queues and the connections between them.

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, RawFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use enarx_keep::wire::{ToHost, ToKeep};
use enarx_shim::process::host::{HostStream, Incoming, NoPacket};
use vmm_sys_util::epoll::{ControlOperation, Epoll, EpollEvent, EventSet};

use crate::fatal::Fatal;
use crate::guest::{Guest, Line, SharedGuest};
use crate::vsock::{Broken, Host, Progress, Ring, Vsock};

/// How long a Keep that has ended may take to get its last bytes to its host.
const LINGER: Duration = Duration::from_secs(5);
/// Events taken at a time.
const EVENTS: usize = 32;

const HOST: u64 = 0;
/// Somebody wants the queues to be looked at.
const EVENT: u64 = 1;
/// The transport's own descriptor.
pub(crate) const TRANSPORT: u64 = 2;
/// Connections come after these.
const FIRST_STREAM: u64 = 16;

/// What else there is to listen to.
pub(crate) trait Transport {
    /// Its descriptor has something. Returns what kicks arrive at that there was not before.
    fn ready(&mut self) -> Vec<RawFd>;
}

/// Everything that the device's thread has.
pub(crate) struct Server {
    guest: SharedGuest,
    vsock: Vsock,
    link: Link,
}

/// The host, and what is waited for.
struct Link {
    stream: HostStream,
    epoll: Epoll,
}

impl Host for Link {
    fn connect(&mut self, port: u32) -> Option<UnixStream> {
        let (ours, theirs) = UnixStream::pair().ok()?;
        self.stream.send(&ToHost::Connect { port }.encode(), Some(theirs.as_fd())).ok()?;
        Some(ours)
    }

    fn provisioned(&mut self) {
        // A host that does not listen may end a Keep that is in use, as it may anyway.
        let _ = self.stream.send(&ToHost::Provisioned.encode(), None);
    }

    fn watch(&mut self, stream: &UnixStream, id: u64) -> io::Result<()> {
        let events = EventSet::IN | EventSet::OUT | EventSet::READ_HANG_UP | EventSet::EDGE_TRIGGERED;
        self.add(stream.as_raw_fd(), events, FIRST_STREAM.saturating_add(id))
    }
}

impl Link {
    fn add(&self, descriptor: RawFd, events: EventSet, token: u64) -> io::Result<()> {
        self.epoll.ctl(ControlOperation::Add, descriptor, EpollEvent::new(events, token))
    }
}

impl Server {
    /// A device for `guest`.
    pub(crate) fn new(stream: HostStream, guest: SharedGuest) -> Result<Self, Fatal> {
        let failed = "wait for events";
        let link = Link { stream, epoll: Epoll::new().map_err(Fatal::start(failed))? };
        let server = Self { guest, vsock: Vsock::new(), link };
        let host = server.link.stream.descriptor().as_fd().as_raw_fd();
        server.listen(host, HOST)?;
        server.listen_to_event(server.guest.event().as_raw_fd())?;
        Ok(server)
    }

    /// Listens to a descriptor of the host's or the transport's.
    pub(crate) fn listen(&self, descriptor: RawFd, token: u64) -> Result<(), Fatal> {
        self.link.add(descriptor, EventSet::IN, token).map_err(Fatal::start("wait for events"))
    }

    /// Listens to an event, which need not be read: each time that it happens counts.
    pub(crate) fn listen_to_event(&self, descriptor: RawFd) -> Result<(), Fatal> {
        let events = EventSet::IN | EventSet::EDGE_TRIGGERED;
        self.link.add(descriptor, events, EVENT).map_err(Fatal::start("wait for events"))
    }

    /// Serves until the machine has ended or the host is gone.
    pub(crate) fn run(mut self, mut transport: Option<&mut dyn Transport>) -> Result<u8, Fatal> {
        let mut deadline = None;
        loop {
            let guest = self.guest.clone();
            let mut guest = guest.lock();
            let more = self.move_packets(&mut guest);
            if guest.end.is_some() && !more {
                let deadline = *deadline.get_or_insert_with(|| Instant::now() + LINGER);
                if !self.vsock.has_backlog() || Instant::now() >= deadline {
                    return guest.end.take().unwrap_or(Err(Fatal::HostGone));
                }
            }
            let timeout = if more {
                0
            } else if deadline.is_some() {
                100
            } else {
                -1
            };
            drop(guest);
            self.wait(timeout, &mut transport)?;
        }
    }

    fn wait(&mut self, timeout: i32, transport: &mut Option<&mut dyn Transport>) -> Result<(), Fatal> {
        let mut events = [EpollEvent::default(); EVENTS];
        let count = match self.link.epoll.wait(timeout, &mut events) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(error) => return Err(Fatal::start("wait for events")(error)),
        };
        for event in events.iter().take(count) {
            match event.data() {
                HOST => self.hear_host()?,
                EVENT => {}
                TRANSPORT => self.hear_transport(transport)?,
                token => {
                    let set = event.event_set();
                    let gone = set.intersects(EventSet::HANG_UP | EventSet::ERROR);
                    let readable = gone || set.intersects(EventSet::IN | EventSet::READ_HANG_UP);
                    self.vsock.ready(token.saturating_sub(FIRST_STREAM), readable, gone);
                }
            }
        }
        Ok(())
    }

    /// The transport may take the queues away, so what is in them comes first.
    fn hear_transport(&mut self, transport: &mut Option<&mut dyn Transport>) -> Result<(), Fatal> {
        let guest = self.guest.clone();
        let mut guest = guest.lock();
        while self.move_packets(&mut guest) {}
        drop(guest);
        let kicks = transport.as_mut().map(|transport| transport.ready()).unwrap_or_default();
        kicks.into_iter().try_for_each(|kick| self.listen_to_event(kick))
    }

    /// One packet of the host's.
    fn hear_host(&mut self) -> Result<(), Fatal> {
        match self.link.stream.receive() {
            Ok(Incoming { bytes, stream: Some(stream) }) => match ToKeep::decode(&bytes) {
                Ok(ToKeep::Open { port }) => {
                    self.vsock.open(port, UnixStream::from(stream), &mut self.link);
                    Ok(())
                }
                _ => Err(Fatal::Protocol),
            },
            Ok(Incoming { stream: None, .. }) | Err(NoPacket::Broken) => Err(Fatal::Protocol),
            Err(NoPacket::Gone) => Err(Fatal::HostGone),
            Err(NoPacket::Yet) => Ok(()),
        }
    }

    /// Moves what can be moved between the guest's queues and the connections; `true` if there is more to do at once.
    fn move_packets(&mut self, guest: &mut Guest) -> bool {
        if std::mem::take(&mut guest.was_reset) {
            self.vsock.reset();
        }
        let Guest { memory: Some(memory), receive, transmit, .. } = guest else { return false };
        let sent = on(transmit, |ring| ring.transmit(memory, &mut self.vsock, &mut self.link));
        let waits = !self.vsock.listens();
        let received = on(receive, |ring| ring.receive(memory, &mut self.vsock));
        sent || received || (waits && self.vsock.listens())
    }
}

/// Serves one queue, tells the guest, and says whether there is more to do at once.
fn on(line: &mut Line, serve: impl FnOnce(&mut Ring) -> Result<Progress, Broken>) -> bool {
    match line.ring.as_mut().map(serve) {
        Some(Ok(progress)) => {
            if let Some(interrupt) = line.interrupt.as_ref().filter(|_| progress.notify) {
                interrupt();
            }
            progress.more
        }
        Some(Err(Broken)) => {
            line.ring = None;
            false
        }
        None => false,
    }
}
