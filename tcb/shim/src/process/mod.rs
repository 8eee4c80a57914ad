// SPDX-License-Identifier: Apache-2.0

//! A Keep as a sandboxed process of Linux.
//!
//! Two processes of this program stand behind one Keep. The first leaves the host's namespaces and starts the second
//! inside of them; the second puts up the rest of the `sandbox`, and only then lets the host and tenants speak
//! to it. All that the second can do from then on is to talk on streams that the host hands in.

mod clock;
pub mod host;
mod inside;
pub mod outside;
mod platform;
mod reactor;
pub mod sandbox;
mod stream;
mod ticker;

use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::{env, panic};

use sandbox::Layers;

/// The argument with which the first process starts the second.
const INSIDE: &str = "inside";

/// Why a Keep could not live. The exit codes stand in `docs/host-stream.md`.
#[derive(Debug, thiserror::Error)]
enum Fatal {
    #[error("`enarx-keep` is started by a host (`enarx run`, `enarx host serve`), not by hand")]
    Usage,
    #[error("the host broke the protocol of the host stream")]
    Protocol,
    #[error("the host's launch configuration is refused: {0}")]
    Launch(#[from] enarx_keep::launch::LaunchError),
    #[error("the host is gone")]
    HostGone,
    #[error("a layer of the sandbox is missing and the launch configuration requires all")]
    Sandbox,
    #[error("cannot start: {0}")]
    Start(io::Error),
    #[error("cannot make the keys of the Keep: {0}")]
    Keys(#[from] enarx_session::SessionError),
}

impl Fatal {
    fn code(&self) -> u8 {
        match self {
            Self::Usage => 64,
            Self::Protocol | Self::Launch(_) | Self::HostGone => 70,
            Self::Sandbox => 71,
            Self::Start(_) | Self::Keys(_) => 72,
        }
    }
}

/// Says a word on standard error, which may be anything of the host's: closed, full, or a file, which a Keep may not make
/// longer.
fn say(word: &dyn Display) {
    let _ = writeln!(io::stderr(), "enarx-keep: {word}");
}

/// The program.
pub fn main() -> ExitCode {
    // A message may quote what was being worked on; where it happened cannot.
    panic::set_hook(Box::new(|panic| match panic.location() {
        Some(place) => say(&format_args!("internal error at {}:{}", place.file(), place.line())),
        None => say(&"internal error"),
    }));
    let mut arguments = env::args_os().skip(1);
    let outcome = match arguments.next() {
        None => outside::run(),
        Some(argument) if argument == INSIDE => match Layers::from_arguments(arguments) {
            Some(layers) => inside::run(layers),
            None => Err(Fatal::Usage),
        },
        Some(_) => Err(Fatal::Usage),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(fatal) => {
            say(&fatal);
            ExitCode::from(fatal.code())
        }
    }
}
