// SPDX-License-Identifier: Apache-2.0

//! The project's own chores, run as `cargo xtask <name>`.

mod bug_classes;
mod build;
mod fuzz;
mod image;
mod lint;
mod micro_vm;
mod names;
mod nested;
mod reproduce;
mod run;
mod tcb;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Builds, checks and measures Enarx.
#[derive(Parser)]
#[command(name = "cargo xtask", version)]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Build everything in release mode and run `examples/hello` in an attested Keep
    Hello,
    /// Build the programs in release mode, and the example workloads
    Build,
    /// Build the example workloads only
    Examples,
    /// Build the image of the micro-VM Keep and print where it is
    Image {
        /// An image that says on a serial port what went wrong; another image, with another measurement
        #[arg(long)]
        console: bool,
        /// Only let the lints see it
        #[arg(long, conflicts_with = "console")]
        lint: bool,
        /// Build it once more, from a copy of its sources in another folder with another home of cargo's, and compare
        #[arg(long, conflicts_with_all = ["console", "lint"])]
        reproducible: bool,
    },
    /// Build what the tests need and run all tests
    Test,
    /// Run the workload tests in virtual machines on an emulated KVM, after `test`, which makes what they need
    ///
    /// Needs QEMU 10, Debian's cloud kernel, busybox-static, cpio and xz.
    TestKvm,
    /// Check dependency direction, file headers, where unsafe code stands and the page of known verifier bugs
    Lint,
    /// Print how much code has to be trusted, and how much of it is unsafe
    Tcb,
    /// Check that the trusted crates build without an operating system and for WebAssembly
    Portable,
    /// Print the numbers that SPECIFICATION.md promises
    Bench,
    /// Print the numbers of the micro-VM Keep, beside a Linux guest and wasmtime
    ///
    /// Needs what `test-kvm` needs. Compares computing with the `wasmtime` that `bench` compares with.
    BenchVm,
    /// Run a program in a Linux with a working KVM, under QEMU, on any machine
    Nested {
        /// For how many seconds at most
        #[arg(long, default_value_t = 300)]
        seconds: u64,
        /// A file that the program needs, at the same place there; may be repeated
        #[arg(long = "with", value_name = "FILE")]
        files: Vec<PathBuf>,
        /// The program
        program: PathBuf,
        /// Its arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Make seeds for the fuzz targets and run each of them
    Fuzz {
        /// For how many seconds each
        #[arg(long, default_value_t = 10)]
        seconds: u32,
        /// Only these
        targets: Vec<String>,
    },
}

fn main() -> ExitCode {
    if let Some(code) = names::compile() {
        return code;
    }
    match perform(&Cli::parse().chore) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(chore: &Chore) -> Result<()> {
    let root = build::workspace_root()?;
    match chore {
        Chore::Hello => run::hello(&root),
        Chore::Build => build::examples(&root).and_then(|()| build::programs(&root)),
        Chore::Examples => build::examples(&root),
        Chore::Image { lint: true, .. } => image::lint(&root),
        Chore::Image { reproducible: true, .. } => reproduce::check(&root),
        Chore::Image { console, .. } => {
            image::build(&root, *console).map(|path| eprintln!("image: {}", path.display()))
        }
        Chore::Test => run::tests(&root),
        Chore::TestKvm => run::tests_on_kvm(&root),
        Chore::Lint => lint::check(&root),
        Chore::Tcb => tcb::print(&root),
        Chore::Portable => build::portable(&root),
        Chore::Bench => run::bench(&root),
        Chore::BenchVm => micro_vm::numbers(&root),
        Chore::Nested { seconds, files, program, arguments } => {
            nested::run(program, arguments, files, Duration::from_secs(*seconds))
        }
        Chore::Fuzz { seconds, targets } => fuzz::run(&root, *seconds, targets),
    }
}
