// SPDX-License-Identifier: Apache-2.0

//! The one workload of a Keep: from what its owner delivered to how it ended.

use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use bytes::Bytes;
use enarx_package::{Bundle, DecodedBundle, Descriptor, EntryKind, FileKind, Stdio};
use enarx_runtime::clock::{Time, WallBase};
use enarx_runtime::engine;
use enarx_runtime::io::{Reader, Writer, pipe};
use enarx_runtime::run::{self, Limits, Outcome, Preopen, Process, Program, Stop};
use enarx_runtime::vfs::{Access, Quota, Vfs};
use enarx_session::Delivered;
use enarx_session::wire::{Exit, Frame, LimitExceeded, StdStream, Trap};
use wasmtime::Engine;

use crate::input::Input;
use crate::life::Shared;
use crate::log::Log;
use crate::network::{Desk, Wanted};
use crate::platform::Platform;

/// Bytes between the workload and whoever reads its output.
const PIPE: usize = 64 * 1024;
const NANOS_PER_MILLI: u64 = 1_000_000;

/// A workload that was started, and what is known of it.
pub(crate) struct Workload {
    pub(crate) input: Input,
    pub(crate) log: RefCell<Log>,
    pub(crate) files: Vfs,
    pub(crate) desk: Desk,
    stop: Stop,
    exit: RefCell<Option<Exit>>,
    started: u64,
    ended: Cell<u64>,
}

impl Workload {
    /// Unpacks what the owner delivered and starts it. What cannot be started has ended, and says why.
    pub(crate) fn start<P: Platform>(shared: &Rc<Shared<P>>, delivered: &Delivered) -> Rc<Self> {
        let clock = shared.platform.clock();
        let now = clock.monotonic();
        let base =
            WallBase { unix_nanos: delivered.time_base_ms().saturating_mul(NANOS_PER_MILLI), monotonic: now };
        let time = Time::new(clock, base);
        match prepare(&shared.platform, delivered, &time) {
            Ok(prepared) => Self::run(shared, prepared, delivered.attach(), now),
            Err(why) => Self::failed(time, now, why),
        }
    }

    fn run<P: Platform>(shared: &Rc<Shared<P>>, prepared: Prepared, attached: bool, now: u64) -> Rc<Self> {
        let Prepared { program, mut process, sockets, stdin, stdout, stderr, log_bytes } = prepared;
        let workload = Rc::new(Self {
            input: Input::new(stdin),
            log: RefCell::new(Log::new(log_bytes, attached)),
            files: process.files.clone(),
            desk: Desk::default(),
            stop: Stop::new(),
            exit: RefCell::new(None),
            started: now,
            ended: Cell::new(now),
        });
        for (stream, reader) in [(StdStream::Out, stdout), (StdStream::Err, stderr)] {
            shared.spawner.spawn(read_output(shared.clone(), workload.clone(), stream, reader));
        }
        let (task, state) = (shared.clone(), workload.clone());
        shared.spawner.spawn(async move { state.input.run(&task.changed).await });
        let (task, state) = (shared.clone(), workload.clone());
        shared.spawner.spawn(async move {
            let exit = match sockets.open(&task, &state.desk).await {
                Err(why) => {
                    // Nobody else is going to end the output.
                    drop(process);
                    Exit::NotStarted(why)
                }
                Ok(sockets) => {
                    process.sockets = sockets;
                    match run::run(&program, process, &state.stop).await {
                        Ok(outcome) => exit_of(outcome),
                        Err(error) => Exit::NotStarted(error.to_string()),
                    }
                }
            };
            state.ended.set(task.platform.clock().monotonic());
            *state.exit.borrow_mut() = Some(exit);
            task.changed.notify();
        });
        shared.platform.provisioned();
        workload
    }

    fn failed(time: Time, now: u64, why: String) -> Rc<Self> {
        let mut log = Log::new(0, false);
        log.close_stream();
        log.close_stream();
        Rc::new(Self {
            input: Input::new(Writer::closed()),
            log: RefCell::new(log),
            files: Vfs::new(Quota { bytes: 0, entries: 0 }, time),
            desk: Desk::default(),
            stop: Stop::new(),
            exit: RefCell::new(Some(Exit::NotStarted(why))),
            started: now,
            ended: Cell::new(now),
        })
    }

    /// Asks the workload to end, now.
    pub(crate) fn stop(&self) {
        self.stop.request();
    }

    /// How it ended, once it has and everything that it wrote is in the log.
    pub(crate) fn exit(&self) -> Option<Exit> {
        self.exit.borrow().clone().filter(|_| self.log.borrow().is_closed())
    }

    pub(crate) fn run_time_ms(&self, now: u64) -> u64 {
        let until = if self.exit.borrow().is_some() { self.ended.get() } else { now };
        until.saturating_sub(self.started) / NANOS_PER_MILLI
    }
}

/// Moves output into the log, as fast as the log has room.
async fn read_output<P: Platform>(
    shared: Rc<Shared<P>>,
    workload: Rc<Workload>,
    stream: StdStream,
    reader: Reader,
) {
    loop {
        core::future::poll_fn(|context| {
            shared.changed.wait(context);
            if workload.log.borrow().has_room() {
                core::task::Poll::Ready(())
            } else {
                core::task::Poll::Pending
            }
        })
        .await;
        let Some(bytes) = reader.read(PIPE).await else { break };
        workload.log.borrow_mut().append(stream, bytes.to_vec());
        shared.changed.notify();
    }
    workload.log.borrow_mut().close_stream();
    shared.changed.notify();
}

struct Prepared {
    program: Program,
    process: Process,
    sockets: Wanted,
    stdin: Writer,
    stdout: Reader,
    stderr: Reader,
    log_bytes: u64,
}

fn prepare(platform: &impl Platform, delivered: &Delivered, time: &Time) -> Result<Prepared, String> {
    let payload = delivered.payload();
    let bundle: DecodedBundle = Bundle::decode(payload.as_bytes()).map_err(|error| error.to_string())?;
    let code = payload.slice(bundle.code.clone()).ok_or("the bundle has no code")?;
    let engine = new_engine(platform, bundle.limits.stack_bytes)?;
    let program = platform.load(&engine, bundle.program, code).map_err(|error| error.to_string())?;
    platform.tick(&engine);
    let log_bytes = bundle.limits.output_log_bytes;
    let (stdin, input) = pipe(PIPE);
    let (output, stdout) = pipe(PIPE);
    let (errors, stderr) = pipe(PIPE);
    let streams = Streams::new(&bundle.stdio, input, &output, &errors)?;
    let sockets = Wanted::new(&bundle.stdio, &bundle.files, time)?;
    let files = files(&bundle, time)?;
    let process = Process {
        args: bundle.args,
        env: bundle.env.iter().map(|(name, value)| (name.clone(), value.expose().into())).collect(),
        stdin: streams.stdin,
        stdout: streams.stdout,
        stderr: streams.stderr,
        files,
        sockets: Vec::new(),
        preopens: vec![Preopen { path: "/".into(), name: "/".into() }],
        time: time.clone(),
        limits: limits(&bundle.limits),
    };
    Ok(Prepared { program, process, sockets, stdin, stdout, stderr, log_bytes })
}

fn new_engine(platform: &impl Platform, stack_bytes: u64) -> Result<Engine, String> {
    let mut config = engine::config(platform.engine()).map_err(|error| error.to_string())?;
    engine::limit_stack(&mut config, usize::try_from(stack_bytes).unwrap_or(usize::MAX));
    platform.configure(&mut config);
    Engine::new(&config).map_err(|error| error.to_string())
}

/// The workload's ends of its standard streams.
struct Streams {
    stdin: Reader,
    stdout: Writer,
    stderr: Writer,
}

impl Streams {
    /// What the manifest connects the three standard descriptors to; the first can only be read, the others only written.
    fn new(
        descriptors: &[Descriptor],
        input: Reader,
        output: &Writer,
        errors: &Writer,
    ) -> Result<Self, String> {
        let unsupported =
            |number: usize| alloc::format!("descriptor {number} cannot be what the manifest says");
        let kind = |number: usize| match descriptors.get(number).map(|descriptor| &descriptor.kind) {
            Some(FileKind::Stdio(stdio)) => Some(*stdio),
            // A socket takes the place of what would be here.
            None | Some(FileKind::Listen(_) | FileKind::Connect(_)) => None,
        };
        let writer = |number: usize| match kind(number) {
            None => Ok(Writer::closed()),
            Some(Stdio::Null) => Ok(Writer::null()),
            Some(Stdio::Stdout) => Ok(output.clone()),
            Some(Stdio::Stderr) => Ok(errors.clone()),
            Some(_) => Err(unsupported(number)),
        };
        let stdin = match kind(0) {
            None | Some(Stdio::Null) => Reader::null(),
            Some(Stdio::Stdin) => input,
            Some(_) => return Err(unsupported(0)),
        };
        if let Some(number) = (3..descriptors.len()).find(|number| kind(*number).is_some()) {
            return Err(unsupported(number));
        }
        Ok(Self { stdin, stdout: writer(1)?, stderr: writer(2)? })
    }
}

fn files(bundle: &DecodedBundle, time: &Time) -> Result<Vfs, String> {
    let quota = Quota { bytes: bundle.limits.files_bytes, entries: bundle.limits.file_count };
    let files = Vfs::new(quota, time.clone());
    for entry in &bundle.files {
        let path = entry.path.as_str();
        match &entry.kind {
            EntryKind::Directory => files.seed_directory(path, Access::ReadWrite),
            EntryKind::File(contents) => {
                files.seed_file(path, Bytes::copy_from_slice(contents), Access::ReadWrite)
            }
            EntryKind::Symlink(target) => files.seed_symlink(path, target, Access::ReadWrite),
        }
        .map_err(|error| alloc::format!("`{path}`: {error}"))?;
    }
    files.seal();
    Ok(files)
}

fn limits(limits: &enarx_package::Limits) -> Limits {
    let count = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    Limits {
        memory_bytes: limits.memory_bytes,
        memories: count(limits.memories),
        table_elements: limits.table_elements,
        instances: count(limits.instances),
        stack_bytes: limits.stack_bytes,
        run_time: Some(limits.run_time_ms).filter(|ms| *ms > 0).map(|ms| ms.saturating_mul(NANOS_PER_MILLI)),
        ..Limits::default()
    }
}

/// How a workload ended, in the words of the session.
fn exit_of(outcome: Outcome) -> Exit {
    let frames = |backtrace: Vec<run::Frame>| {
        let frame = |frame: run::Frame| Frame {
            module: frame.module,
            function: frame.function,
            index: frame.index,
            offset: frame.offset,
        };
        backtrace.into_iter().map(frame).collect()
    };
    match outcome.status {
        run::Status::Exited(status) => Exit::Exited(status),
        run::Status::Trapped(trapped) => {
            let mut message = trapped.message;
            if let Some(refused) = outcome.refused {
                message = alloc::format!("{message} (before that, a limit was met: it {refused})");
            }
            Exit::Trapped(Trap {
                kind: trapped.kind.name().into(),
                message,
                backtrace: frames(trapped.backtrace),
            })
        }
        run::Status::LimitExceeded { exceeded, .. } => Exit::LimitExceeded(LimitExceeded {
            limit: exceeded.limit.name().into(),
            detail: exceeded.to_string(),
        }),
        run::Status::Stopped => Exit::Stopped,
    }
}
