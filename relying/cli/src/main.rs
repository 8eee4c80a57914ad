// SPDX-License-Identifier: Apache-2.0

//! `enarx`: run secrets on machines you do not trust.
//!
//! A thin shell around `tcb/`: what is decided is decided in `enarx_verifier`, what is said to a Keep is said by
//! `enarx_session`. Here are files, sockets, the clock and the words for the user.

/// Writes a line to standard error. Whether somebody reads it does not change how the work ends.
macro_rules! tell {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr().lock(), "{}", $crate::terminal::visible(&format!($($text)*)));
    }};
}

/// The same for programs.
macro_rules! tell_json {
    ($value:expr) => {{
        use std::io::Write as _;
        let _ = std::io::stderr().lock().write_all($crate::terminal::json_line($value).as_bytes());
    }};
}

mod advisory;
mod args;
mod backend;
mod certify;
mod collateral;
mod connect;
mod doctor;
mod evidence;
mod failure;
mod host;
mod input;
mod keep;
mod layout;
mod lost;
mod measure;
mod outputs;
mod platform;
mod policy;
mod progress;
mod provision;
mod release;
mod run;
mod state;
mod stdio;
mod terminal;
mod trust;
mod usage;
mod verify;
mod wire;
mod workload;
mod write;

use std::process::ExitCode;

use clap::Parser;
use tokio::runtime::Runtime;

use crate::args::{Cli, Command, Format, HostCommand};
use crate::failure::{Failure, Outcome};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage::tell(&error),
    };
    let format = cli.output.format;
    match perform(cli) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            failure.print(format);
            ExitCode::from(failure.code())
        }
    }
}

/// Performs a command and gives the exit code.
fn perform(cli: Cli) -> Outcome<u8> {
    let output = cli.output;
    if output.format == Format::Ear && !matches!(cli.command, Command::Verify(_)) {
        return Err(Failure::usage("`--format ear` is for `enarx verify`"));
    }
    match cli.command {
        Command::Run(args) => wait(run::run(args, &output)),
        Command::Deploy(args) => wait(run::deploy(args, &output)),
        Command::Keep(command) => wait(keep::perform(command, &output)),
        Command::Host(HostCommand::Serve(args)) => wait(host::serve(args, &output)).map(|()| 0),
        Command::Ca(command) => certify::perform(&command, &output).map(|()| 0),
        Command::Policy(command) => policy::perform(command, &output),
        Command::Advisory(command) => advisory::perform(command, &output),
        Command::Verify(args) => verify::verify(&args, &output),
        Command::Explain(args) => verify::explain(&args, &output),
        Command::Evidence(command) => evidence::perform(command, &output).map(|()| 0),
        Command::Collateral(command) => wait(collateral::perform(command, &output)).map(|()| 0),
        Command::Measure(args) => measure::measure(&args, &output).map(|()| 0),
        Command::Platform(args) => platform::report(&args, &output).map(|()| 0),
        Command::Doctor(args) => wait(doctor::examine(args, &output)),
        Command::Init(args) => write::manifest(&args.folder, &output).map(|()| 0),
        Command::Completions { shell } => write::completions(shell).map(|()| 0),
        Command::Man { folder } => write::manual(&folder).map(|()| 0),
    }
}

/// Runs a command that talks to others; Ctrl-C ends it from wherever it is.
fn wait<T>(work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    let runtime = Runtime::new()
        .map_err(|error| Failure::unreachable(format!("could not start the runtime: {error}")))?;
    let outcome = runtime.block_on(work);
    // Reading from a terminal cannot be cancelled; it must not keep the program from ending.
    runtime.shutdown_background();
    outcome
}
