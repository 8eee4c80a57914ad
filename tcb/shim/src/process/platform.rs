// SPDX-License-Identifier: Apache-2.0

//! What a Keep stands on in a process: the host stream, the clock, the ticker and the reactor, put together.

use std::cell::Cell;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use enarx_keep::launch::Launch;
use enarx_keep::platform::{LoadError, Platform, Proof, StreamError};
use enarx_keep::wire::{ToHost, ToKeep};
use enarx_package::ProgramKind;
use enarx_runtime::clock::Clock;
use enarx_runtime::engine::EngineSpec;
use enarx_runtime::run::Program;
use enarx_session::OwnerBytes;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use wasmtime::Engine;

use super::clock::ProcessClock;
use super::host::{HostStream, Incoming, NoPacket};
use super::reactor::{Direction, Reactor};
use super::stream::ProcessStream;
use super::ticker::Ticker;

/// A Keep's platform in a process.
pub(super) struct ProcessPlatform {
    host: HostStream,
    launch: Launch,
    engine: EngineSpec,
    clock: Arc<ProcessClock>,
    ticker: Ticker,
    reactor: Rc<Reactor>,
    woken: Arc<Woken>,
    broken: Rc<Cell<bool>>,
}

/// Whether the executor has something to do.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl ProcessPlatform {
    pub(super) fn new(host: HostStream, launch: Launch, ticker: Ticker) -> Self {
        Self {
            host,
            launch,
            engine: EngineSpec::of_this_machine(),
            clock: Arc::new(ProcessClock::new()),
            ticker,
            reactor: Rc::default(),
            woken: Arc::default(),
            broken: Rc::default(),
        }
    }

    /// Becomes true when the host breaks the protocol.
    pub(super) fn broken(&self) -> Rc<Cell<bool>> {
        self.broken.clone()
    }
}

impl Platform for ProcessPlatform {
    type Stream = ProcessStream;

    fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    fn launch(&self) -> &[u8] {
        self.launch.text.as_bytes()
    }

    fn engine(&self) -> &EngineSpec {
        &self.engine
    }

    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<Result<(u32, Self::Stream), StreamError>> {
        let refuse = || {
            self.broken.set(true);
            Poll::Ready(Err(StreamError))
        };
        match self.host.receive() {
            Ok(Incoming { bytes, stream: Some(stream) }) => match ToKeep::decode(&bytes) {
                Ok(ToKeep::Open { port }) => {
                    Poll::Ready(Ok((port, ProcessStream::new(stream, &self.reactor))))
                }
                _ => refuse(),
            },
            Ok(Incoming { stream: None, .. }) | Err(NoPacket::Broken) => refuse(),
            Err(NoPacket::Gone) => Poll::Ready(Err(StreamError)),
            Err(NoPacket::Yet) => {
                self.reactor.wait(&self.host.descriptor(), Direction::Read, context.waker());
                Poll::Pending
            }
        }
    }

    fn connect(&self, port: u32) -> Result<Self::Stream, StreamError> {
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
            .map_err(|_| StreamError)?;
        let packet = ToHost::Connect { port }.encode();
        self.host.send(&packet, Some(theirs.as_fd())).map_err(|_| StreamError)?;
        Ok(ProcessStream::new(ours, &self.reactor))
    }

    fn provisioned(&self) {
        // A host that does not listen may end a Keep that is in use, as it may anyway.
        let _ = self.host.send(&ToHost::Provisioned.encode(), None);
    }

    fn attest(&self, _report_data: &[u8; 64]) -> Proof {
        Proof::OfHost
    }

    fn load(&self, engine: &Engine, kind: ProgramKind, code: OwnerBytes<'_>) -> Result<Program, LoadError> {
        crate::code::load(engine, kind, code)
    }

    fn tick(&self, engine: &Engine) {
        self.ticker.tick(engine);
    }

    fn waker(&self) -> Waker {
        self.woken.clone().into()
    }

    /// Nobody but this thread uses the waker: the ticker only advances the epoch. So it cannot be used meanwhile.
    fn park(&self, deadline: Option<u64>) {
        let limit = deadline.map(|deadline| deadline.saturating_sub(self.clock.monotonic()));
        let limit = if self.woken.0.swap(false, Ordering::SeqCst) { Some(0) } else { limit };
        if limit != Some(0) {
            self.ticker.working(false);
        }
        self.reactor.park(limit.map(Duration::from_nanos));
        self.ticker.working(true);
    }
}
