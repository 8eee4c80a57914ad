// SPDX-License-Identifier: Apache-2.0

//! What it costs to start a loaded program: its file system, its resource table, WASI, the instance, and a `_start` that
//! returns at once; against the instance and the call alone, as the engine makes them.

#![allow(clippy::print_stdout, reason = "numbers are what a benchmark is for")]

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use enarx_benches::quartiles;
use enarx_runtime::clock::{Clock, Time, Timers, WallBase};
use enarx_runtime::engine::{EngineSpec, config};
use enarx_runtime::io::{Reader, pipe};
use enarx_runtime::run::{Limits, Preopen, Process, Program, Status, Stop, run};
use enarx_runtime::vfs::{Quota, Vfs};
use wasmtime::{Engine, Instance, Module, Store};
use wasmtime::{Result, ensure, format_err};

const ROUNDS: usize = 2000;
const PROGRAM: &str = r#"(module (memory (export "memory") 1) (func (export "_start")))"#;

/// A clock for programs that never wait.
struct Machine {
    start: Instant,
    timers: Timers,
}

impl Clock for Machine {
    fn monotonic(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn timers(&self) -> &Timers {
        &self.timers
    }
}

fn main() -> Result<()> {
    let engine = Engine::new(&config(&EngineSpec::of_this_machine())?)?;
    let module = Module::new(&engine, wat::parse_str(PROGRAM)?)?;
    let program = Program::Module(module.clone());
    let clock: Arc<dyn Clock> = Arc::new(Machine { start: Instant::now(), timers: Timers::new() });
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(time(|| start(&program, &clock))?);
        bare.push(time(|| instance(&engine, &module))?);
    }
    let ((_, ours, _), (_, bare, _)) = (quartiles(ours), quartiles(bare));
    let microseconds = |duration: Duration| format!("{:.1} us", duration.as_secs_f64() * 1e6);
    println!("starting a loaded module, {ROUNDS} rounds, median");
    println!("  with WASI, files and limits  {}", microseconds(ours));
    println!("  the engine alone             {}", microseconds(bare));
    println!("  difference                   {}", microseconds(ours.saturating_sub(bare)));
    Ok(())
}

fn start(program: &Program, clock: &Arc<dyn Clock>) -> Result<()> {
    let time = Time::new(Arc::clone(clock), WallBase { unix_nanos: 0, monotonic: 0 });
    let ((stdout, _output), (stderr, _errors)) = (pipe(1 << 16), pipe(1 << 16));
    let process = Process {
        args: vec!["hello".to_owned()],
        env: Vec::new(),
        stdin: Reader::null(),
        stdout,
        stderr,
        files: Vfs::new(Quota { bytes: 1 << 20, entries: 100 }, time.clone()),
        sockets: Vec::new(),
        preopens: vec![Preopen { path: "/".to_owned(), name: "/".to_owned() }],
        time,
        limits: Limits::default(),
    };
    let outcome = at_once(run(program, process, &Stop::new()))??;
    ensure!(outcome.status == Status::Exited(0), "the program ended with {:?}", outcome.status);
    Ok(())
}

fn instance(engine: &Engine, module: &Module) -> Result<()> {
    let mut store = Store::new(engine, ());
    store.set_epoch_deadline(1);
    let instance = at_once(Instance::new_async(&mut store, module, &[]))??;
    let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
    at_once(start.call_async(&mut store, ()))??;
    Ok(())
}

/// The output of a future that has nothing to wait for.
fn at_once<F: Future>(future: F) -> Result<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Ok(output),
        Poll::Pending => Err(format_err!("the program waits for something")),
    }
}

fn time(work: impl FnOnce() -> Result<()>) -> Result<Duration> {
    let started = Instant::now();
    work()?;
    Ok(started.elapsed())
}
