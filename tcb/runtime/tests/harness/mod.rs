// SPDX-License-Identifier: Apache-2.0

//! What the tests of whole programs share: an executor, a clock, and programs that call WASI functions one by one.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "support of tests"
)]

pub mod script;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use enarx_runtime::clock::{Clock, Time, Timers, WallBase};
use enarx_runtime::engine::{CpuFeatures, EngineSpec, Target, config, limit_stack};
use enarx_runtime::io::{Available, Reader, pipe};
use enarx_runtime::net::Socket;
use enarx_runtime::run::{Limits, Outcome, Preopen, Process, Program, Status, Stop, run};
use enarx_runtime::vfs::{Quota, Vfs};
use script::Script;
use wasmtime::{Engine, Module};

/// 2026-01-02T03:04:05Z, the time base of all tests.
pub const WALL: u64 = 1_767_323_045_000_000_000;

/// The machine's monotonic clock.
pub struct TestClock {
    start: Instant,
    timers: Timers,
}

impl Clock for TestClock {
    fn monotonic(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap()
    }

    fn timers(&self) -> &Timers {
        &self.timers
    }
}

pub fn clock() -> Arc<TestClock> {
    Arc::new(TestClock { start: Instant::now(), timers: Timers::new() })
}

pub fn time(clock: &Arc<TestClock>) -> Time {
    Time::new(Arc::clone(clock) as Arc<dyn Clock>, WallBase { unix_nanos: WALL, monotonic: 0 })
}

struct Unpark {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// Runs a future to its end as the Keep's executor does: on this thread, firing timers. Gives up after a minute.
pub fn block_on<F: Future>(clock: &TestClock, future: F) -> F::Output {
    let unpark = Arc::new(Unpark { thread: thread::current(), woken: AtomicBool::new(true) });
    let waker = Waker::from(Arc::clone(&unpark));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    let give_up = Instant::now() + Duration::from_mins(1);
    loop {
        assert!(Instant::now() < give_up, "the test takes too long");
        if unpark.woken.swap(false, Ordering::AcqRel) {
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return output;
            }
        } else {
            let next = clock.timers().next().map_or(Duration::from_millis(100), |deadline| {
                Duration::from_nanos(deadline.saturating_sub(clock.monotonic()))
            });
            thread::park_timeout(next.min(Duration::from_millis(100)));
        }
        clock.timers().fire(clock.monotonic());
    }
}

/// An engine for this machine without detected CPU features, so that tests do the same everywhere.
pub fn engine() -> Engine {
    engine_with_stack(1 << 20)
}

pub fn engine_with_stack(bytes: usize) -> Engine {
    let target = Target::of_this_build();
    let spec = EngineSpec::new(target, CpuFeatures::BASELINE).unwrap_or_else(EngineSpec::pulley);
    let mut config = config(&spec).unwrap();
    limit_stack(&mut config, bytes);
    Engine::new(&config).unwrap()
}

pub fn module(engine: &Engine, wat: &str) -> Program {
    Program::Module(Module::new(engine, wat).unwrap())
}

/// Advances the epoch every millisecond until dropped.
pub struct Ticker {
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Ticker {
    pub fn start(engine: &Engine) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, engine) = (Arc::clone(&stop), engine.clone());
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Acquire) {
                thread::sleep(Duration::from_millis(1));
                engine.increment_epoch();
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.thread.take().unwrap().join().unwrap();
    }
}

/// What a script is run with.
pub struct Setup {
    pub clock: Arc<TestClock>,
    pub files: Vfs,
    pub args: Vec<String>,
    pub env: Vec<(String, String)>,
    pub stdin: Reader,
    pub sockets: Vec<(usize, Socket)>,
    pub preopens: Vec<Preopen>,
}

impl Default for Setup {
    fn default() -> Self {
        let clock = clock();
        let files = Vfs::new(Quota { bytes: 1 << 20, entries: 100 }, time(&clock));
        Self {
            files,
            clock,
            args: Vec::new(),
            env: Vec::new(),
            stdin: Reader::null(),
            sockets: Vec::new(),
            preopens: vec![Preopen { path: "/".into(), name: "/".into() }],
        }
    }
}

/// What came of a script.
pub struct Ran {
    /// What each call returned.
    pub results: Vec<u32>,
    /// The program's memory at its end.
    pub memory: Vec<u8>,
    /// The file system.
    pub files: Vfs,
}

impl Ran {
    pub fn u32(&self, at: u32) -> u32 {
        script::u32_at(&self.memory, at)
    }

    pub fn u64(&self, at: u32) -> u64 {
        script::u64_at(&self.memory, at)
    }

    pub fn bytes(&self, at: u32, len: usize) -> &[u8] {
        &self.memory[at as usize..][..len]
    }
}

impl Setup {
    /// The process, and the other ends of its output and error.
    pub fn process(self, limits: Limits) -> (Process, Reader, Reader) {
        let (stdout, output) = pipe(2 * script::MEMORY);
        let (stderr, errors) = pipe(2 * script::MEMORY);
        let time = time(&self.clock);
        let Self { files, args, env, stdin, sockets, preopens, .. } = self;
        let process = Process { args, env, stdin, stdout, stderr, sockets, files, preopens, time, limits };
        (process, output, errors)
    }

    /// Runs a script, which must come to its end.
    pub fn run(self, script: &Script) -> Ran {
        let (clock, files) = (Arc::clone(&self.clock), self.files.clone());
        let engine = engine();
        let program = module(&engine, &script.wat());
        let (process, output, _errors) = self.process(Limits::default());
        let outcome = block_on(&clock, run(&program, process, &Stop::new())).unwrap();
        assert_eq!(outcome.status, Status::Exited(0));
        let memory = drain(&output);
        Ran { results: script::results(&memory, script.calls()), memory, files }
    }

    /// Runs a module, whatever its end.
    pub fn outcome(self, engine: &Engine, wat: &str, limits: Limits) -> Outcome {
        let clock = Arc::clone(&self.clock);
        let program = module(engine, wat);
        let (process, _output, _errors) = self.process(limits);
        block_on(&clock, run(&program, process, &Stop::new())).unwrap()
    }
}

pub fn preopen(path: &str, name: &str) -> Preopen {
    Preopen { path: path.into(), name: name.into() }
}

/// The memory that a script wrote at its end.
pub fn drain(output: &Reader) -> Vec<u8> {
    let mut memory = Vec::new();
    while let Available::Bytes(bytes) = output.try_read(usize::MAX) {
        memory.extend_from_slice(&bytes);
    }
    assert!(memory.len() >= script::MEMORY);
    memory.split_off(memory.len() - script::MEMORY)
}
