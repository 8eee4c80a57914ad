// SPDX-License-Identifier: Apache-2.0

//! The thread that makes a computing workload look up: it advances the engine's epoch.
//!
//! It counts only while the Keep's one working thread works, so that a Keep with nothing to do costs nothing.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::thread::{self, Thread};
use std::time::Duration;

use wasmtime::Engine;

/// How long a workload computes before others get their turn.
const PERIOD: Duration = Duration::from_millis(10);

/// The thread's handle.
pub(super) struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
}

#[derive(Default)]
struct Shared {
    engine: OnceLock<Engine>,
    /// Whether the working thread works.
    busy: AtomicBool,
    /// Whether the ticking thread waits to be told that it does.
    asleep: AtomicBool,
}

impl Ticker {
    /// Starts the thread, which does nothing before [`Ticker::tick`].
    pub(super) fn start() -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        // What a new thread does before its first line needs system calls that are about to be taken away.
        let (ready, started) = mpsc::sync_channel(1);
        let thread = {
            let shared = shared.clone();
            thread::Builder::new().stack_size(64 << 10).spawn(move || {
                let _ = ready.send(());
                shared.run();
            })?
        };
        started.recv().map_err(io::Error::other)?;
        Ok(Self { shared, thread: thread.thread().clone() })
    }

    /// Advances the epoch of this engine from now on. A Keep has one.
    pub(super) fn tick(&self, engine: &Engine) {
        let _ = self.shared.engine.set(engine.clone());
        self.working(true);
    }

    /// Says whether the working thread works.
    pub(super) fn working(&self, busy: bool) {
        self.shared.busy.store(busy, Ordering::SeqCst);
        if busy && self.shared.asleep.swap(false, Ordering::SeqCst) {
            self.thread.unpark();
        }
    }
}

impl Shared {
    fn run(&self) {
        loop {
            match self.engine.get() {
                Some(engine) if self.busy.load(Ordering::SeqCst) => {
                    thread::sleep(PERIOD);
                    engine.increment_epoch();
                }
                _ => {
                    self.asleep.store(true, Ordering::SeqCst);
                    // Looked at again: what changed before `asleep` was set woke nobody.
                    if self.engine.get().is_none() || !self.busy.load(Ordering::SeqCst) {
                        thread::park();
                    }
                }
            }
        }
    }
}
