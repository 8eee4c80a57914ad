// SPDX-License-Identifier: Apache-2.0

//! The program: two processes around one machine, as around a process Keep, with the same sandbox.
//!
//! The first opens what only somebody outside can open, leaves the host's namespaces and starts the second in them, which
//! is handed those descriptors, puts up the rest and then serves the guest. With QEMU there is a third, QEMU's.

mod files;
mod handover;
mod inside;
mod outside;
mod seccomp;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::{env, fmt, panic};

use enarx_shim::process::sandbox::Layers;

use crate::fatal::Fatal;
use crate::qemu::{Accelerator, Qemu};

/// The argument with which the first process starts the second.
const INSIDE: &str = "inside";
/// What follows it.
const CONSOLE: &str = "console";
const SILENT: &str = "silent";

/// What the host asked for on the command line.
struct Options {
    image: PathBuf,
    qemu: Option<Qemu>,
    /// As guest of SEV-SNP.
    snp: bool,
    console: bool,
}

/// The program.
pub fn main() -> ExitCode {
    // A message may quote what was being worked on; where it happened cannot.
    panic::set_hook(Box::new(|panic| match panic.location() {
        Some(place) => say(format_args!("internal error at {}:{}", place.file(), place.line())),
        None => say(format_args!("internal error")),
    }));
    match run(env::args_os().skip(1).collect()) {
        Ok(code) => ExitCode::from(code),
        Err(fatal) => {
            say(format_args!("{fatal}"));
            ExitCode::from(fatal.code())
        }
    }
}

/// Writes a line to standard error. Where that is a file the sandbox does not let it grow, and nothing is said.
fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "enarx-vmm: {line}");
}

fn run(arguments: Vec<OsString>) -> Result<u8, Fatal> {
    let mut inside = arguments.iter().cloned();
    if inside.next().is_some_and(|first| first == INSIDE) {
        let console = inside.next().is_some_and(|word| word == CONSOLE);
        let layers = Layers::from_arguments(inside).ok_or(Fatal::Usage)?;
        return inside::run(layers, console);
    }
    outside::run(&Options::parse(arguments).ok_or(Fatal::Usage)?)
}

impl Options {
    fn parse(arguments: Vec<OsString>) -> Option<Self> {
        let (mut image, mut qemu, mut accelerator, mut snp, mut console) = (None, None, None, None, None);
        let mut words = arguments.into_iter();
        while let Some(word) = words.next() {
            let before = match word.to_str()? {
                "--image" => image.replace(PathBuf::from(words.next()?)).is_some(),
                "--qemu" => qemu.replace(PathBuf::from(words.next()?)).is_some(),
                "--qemu-accel" => accelerator.replace(Accelerator::named(words.next()?.to_str()?)?).is_some(),
                "--snp" => snp.replace(()).is_some(),
                "--console" => console.replace(()).is_some(),
                _ => return None,
            };
            if before {
                return None;
            }
        }
        let qemu = match (qemu, accelerator) {
            (None, None) => None,
            (None, Some(_)) => return None,
            (Some(program), accelerator) => {
                Some(Qemu { program, accelerator: accelerator.unwrap_or(Accelerator::Tcg) })
            }
        };
        // QEMU launches such guests in its own way.
        if qemu.is_some() && snp.is_some() {
            return None;
        }
        Some(Self { image: image?, qemu, snp: snp.is_some(), console: console.is_some() })
    }
}
