// SPDX-License-Identifier: Apache-2.0

//! What a Keep stands on in a bare machine: the device, the clock and the timer, put together.

use alloc::rc::Rc;
use alloc::sync::Arc;
use alloc::task::Wake;
use core::cell::RefCell;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};

use enarx_keep::launch::Launch;
use enarx_keep::platform::{LoadError, Platform, Proof, Stream, StreamError};
use enarx_keep::wire::PROVISIONED_PORT;
use enarx_package::ProgramKind;
use enarx_runtime::clock::Clock;
use enarx_runtime::engine::EngineSpec;
use enarx_runtime::run::Program;
use enarx_session::OwnerBytes;
use enarx_shim::machine::mux::{Id, Mux};
use wasmtime::{Config, Engine};

use crate::clock::TscClock;
use crate::device::Socket;
use crate::processor::Processor;
use crate::{engine, snp, timer};

/// How long to sleep when nobody says what the device does: 500 µs.
const ASK_AGAIN: u64 = 500_000;
/// How often to look at the device before going to sleep where nobody says what it does.
const LOOKS: u32 = 200;

/// A Keep's platform.
pub(crate) struct Machine {
    launch: Launch,
    engine: EngineSpec,
    clock: Arc<TscClock>,
    mux: Rc<RefCell<Mux<Socket>>>,
    woken: Arc<Woken>,
    asks: bool,
}

/// Whether the executor has something to do.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Machine {
    /// `asks` says that the device does not interrupt and has to be asked.
    pub(crate) fn new(
        launch: Launch,
        processor: &Processor,
        clock: TscClock,
        socket: Socket,
        asks: bool,
    ) -> Self {
        Self {
            launch,
            engine: processor.engine,
            clock: Arc::new(clock),
            mux: Rc::new(RefCell::new(Mux::new(socket))),
            woken: Arc::default(),
            asks,
        }
    }

    fn has_something_to_do(&self) -> bool {
        let heard = self.mux.borrow_mut().poll();
        let woken = self.woken.0.swap(false, Ordering::Relaxed);
        heard || woken
    }
}

impl Platform for Machine {
    type Stream = MachineStream;

    fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    fn launch(&self) -> &[u8] {
        self.launch.text.as_bytes()
    }

    fn engine(&self) -> &EngineSpec {
        &self.engine
    }

    fn configure(&self, config: &mut Config) {
        engine::configure(config);
    }

    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<Result<(u32, Self::Stream), StreamError>> {
        let accepted = self.mux.borrow_mut().poll_accept(context);
        accepted.map_ok(|(port, id)| (port, MachineStream { mux: self.mux.clone(), id }))
    }

    fn connect(&self, port: u32) -> Result<Self::Stream, StreamError> {
        let id = self.mux.borrow_mut().connect(port)?;
        Ok(MachineStream { mux: self.mux.clone(), id })
    }

    fn provisioned(&self) {
        // That the connection is asked for says it all. A host that does not listen may end a Keep that is in use, as it
        // may anyway.
        drop(self.connect(PROVISIONED_PORT));
    }

    fn attest(&self, report_data: &[u8; 64]) -> Proof {
        if snp::is_active() { snp::attest(report_data) } else { Proof::OfHost }
    }

    fn load(&self, engine: &Engine, kind: ProgramKind, code: OwnerBytes<'_>) -> Result<Program, LoadError> {
        enarx_shim::code::load(engine, kind, code)
    }

    fn tick(&self, engine: &Engine) {
        timer::tick(engine);
    }

    fn waker(&self) -> Waker {
        self.woken.clone().into()
    }

    fn park(&self, deadline: Option<u64>) {
        for _ in 0..if self.asks { LOOKS } else { 1 } {
            if self.has_something_to_do() {
                return;
            }
            core::hint::spin_loop();
        }
        loop {
            let left = deadline.map_or(u64::MAX, |deadline| deadline.saturating_sub(self.clock.monotonic()));
            if left == 0 {
                return;
            }
            let mut ready = false;
            timer::sleep(if self.asks { left.min(ASK_AGAIN) } else { left }, || {
                ready = self.has_something_to_do();
                ready
            });
            if ready {
                return;
            }
        }
    }
}

/// A stream to the host.
pub(crate) struct MachineStream {
    mux: Rc<RefCell<Mux<Socket>>>,
    id: Id,
}

impl Stream for MachineStream {
    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<Result<usize, StreamError>> {
        self.mux.borrow_mut().poll_read(self.id, context, buffer)
    }

    fn poll_write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize, StreamError>> {
        self.mux.borrow_mut().poll_write(self.id, context, bytes)
    }
}

impl Drop for MachineStream {
    fn drop(&mut self) {
        self.mux.borrow_mut().release(self.id);
    }
}
