// SPDX-License-Identifier: Apache-2.0

//! Runs one workload to its end, whatever that end is.
//!
//! The workload shares its thread with everything else in the Keep: it gives way whenever the engine's epoch advances,
//! so somebody has to call `Engine::increment_epoch` regularly. Each time, and whenever it waits, a request to
//! stop and the limit on run time are looked at; so they end a program that only computes and one that only waits.
//! However a workload ends, it ends alone.

mod limits;
mod outcome;
mod select;
mod state;
mod stop;

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::future::{Future, pending};

use wasmtime::component::Component;
use wasmtime::{Engine, Module, Store};

use crate::clock::Time;
use crate::io::{Reader, Writer};
use crate::net::Socket;
use crate::vfs::Vfs;
use crate::{preview1, preview2};

pub use limits::{Exceeded, Limit, Limits};
pub use outcome::{Frame, MAX_NAME_LEN, Status, TrapKind, Trapped};
pub use state::Exit;
pub(crate) use state::{Start, State};
pub use stop::Stop;

use select::First;

/// A program that was compiled for the engine and loaded.
pub enum Program {
    /// A core module with `wasi_snapshot_preview1` and an export `_start`.
    Module(Module),
    /// A component of the world `wasi:cli/command`, version 0.2.
    Component(Component),
}

/// Everything that is given to a workload. What is not in here it cannot reach.
pub struct Process {
    /// Arguments; by convention the first is the program's name.
    pub args: Vec<String>,
    /// Environment variables.
    pub env: Vec<(String, String)>,
    /// Standard input.
    pub stdin: Reader,
    /// Standard output.
    pub stdout: Writer,
    /// Standard error.
    pub stderr: Writer,
    /// The sockets that are open from the start, by the number of their descriptor. Components have no descriptors.
    pub sockets: Vec<(usize, Socket)>,
    /// The file system. Clones share it, so whoever keeps one sees the files at the end.
    pub files: Vfs,
    /// The directories that are open from the start.
    pub preopens: Vec<Preopen>,
    /// Clocks.
    pub time: Time,
    /// What it may use.
    pub limits: Limits,
}

/// A directory that is open from the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preopen {
    /// Where it is in the file system.
    pub path: String,
    /// The name by which the workload finds it.
    pub name: String,
}

/// How a workload ended, and what may explain it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub status: Status,
    /// The last growth of memory or a table that a limit refused. WebAssembly tells the program (by -1) and lets it go on,
    /// so this explains an end that is not a success, and is absent where there is nothing to explain.
    pub refused: Option<Exceeded>,
}

/// Why a program could not be run at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// It needs what this Keep does not have.
    #[error("the program imports what a Keep does not provide: {}", quoted(names))]
    MissingImports {
        /// All of them, as `module::name` or the name of an interface.
        names: Vec<String>,
    },
    /// It has no entry.
    #[error("the program has no export `{expected}` to run")]
    NoEntry {
        /// The name of the export.
        expected: &'static str,
    },
    /// A preopened directory is not in the file system.
    #[error("the directory `{path}` to be opened for the program does not exist")]
    NoDirectory {
        /// Its path.
        path: String,
    },
    /// The engine could not start it.
    #[error("the program could not be started: {message}")]
    Start {
        /// What the engine said.
        message: String,
    },
}

impl Program {
    /// Whether everything that it imports is there and of the type that it expects, without running any of it: for
    /// a tenant, who learns it before the program is sent. The error is the engine's and names the first that is not.
    pub fn check_imports(&self) -> wasmtime::Result<()> {
        match self {
            Self::Module(module) => preview1::check_imports(module),
            Self::Component(component) => preview2::check_imports(component),
        }
    }

    /// The engine that it was loaded into.
    pub fn engine(&self) -> &Engine {
        match self {
            Self::Module(module) => module.engine(),
            Self::Component(component) => component.engine(),
        }
    }
}

/// Runs `program` until it ends or is ended.
///
/// Dropping the future ends it as well, without an outcome.
pub async fn run(program: &Program, process: Process, stop: &Stop) -> Result<Outcome, RunError> {
    let out_of_time = out_of_time(process.time.clone(), process.limits.run_time);
    let mut store = Store::new(program.engine(), State::new(process)?);
    store.limiter(|state| &mut state.accountant);
    store.set_epoch_deadline(1);
    store.epoch_deadline_async_yield_and_update(1);

    let end = select::first(execute(&mut store, program), stop.requested(), out_of_time).await;
    let accountant = &store.data().accountant;
    let status = match end {
        First::Done(status) => status?,
        First::Stopped => Status::Stopped,
        First::OutOfTime => {
            let value = accountant.limits().run_time.unwrap_or_default();
            let exceeded = Exceeded { limit: Limit::RunTime, value, asked: None };
            Status::LimitExceeded { exceeded, backtrace: Vec::new() }
        }
    };
    let explains = matches!(status, Status::Trapped(_) | Status::Exited(1..));
    Ok(Outcome { status, refused: accountant.refused.filter(|_| explains) })
}

fn out_of_time(time: Time, run_time: Option<u64>) -> impl Future<Output = ()> {
    let deadline = run_time.map(|run_time| time.monotonic().saturating_add(run_time));
    async move {
        match deadline {
            Some(deadline) => time.sleep_until(deadline).await,
            None => pending().await,
        }
    }
}

async fn execute(store: &mut Store<State>, program: &Program) -> Result<Status, RunError> {
    let result = match program {
        Program::Module(module) => preview1::run(store, module).await,
        Program::Component(component) => preview2::run(store, component).await,
    };
    match result {
        Ok(()) => Ok(Status::Exited(0)),
        Err(error) => ended(&store.data().accountant, error),
    }
}

/// Tells how an error of the engine ended the program.
fn ended(accountant: &limits::Accountant, error: wasmtime::Error) -> Result<Status, RunError> {
    if let Some(status) = Status::of_error(&error, accountant.limits()) {
        return Ok(status);
    }
    let error = match error.downcast::<RunError>() {
        Ok(error) => return Err(error),
        Err(error) => error,
    };
    let message = error.root_cause().to_string();
    // What a program starts with is not refused by -1: it does not start.
    match accountant.limits().exceeded_by(&message).or(accountant.refused) {
        Some(exceeded) => Ok(Status::LimitExceeded { exceeded, backtrace: Vec::new() }),
        None => Err(RunError::Start { message }),
    }
}

fn quoted(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| ["`", name, "`"].concat()).collect();
    quoted.join(", ")
}
