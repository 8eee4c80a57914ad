// SPDX-License-Identifier: Apache-2.0

//! Runs the fuzz targets for a bounded time.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result, bail};

use crate::build::{cargo, succeed};

/// More than a genuine input of any kind has.
const MAX_LEN: &str = "-max_len=65536";
/// An input that takes longer in seconds, or more memory in MiB, is a finding: no parser needs either.
const LIMITS: [&str; 2] = ["-timeout=10", "-rss_limit_mb=1024"];

/// Makes seeds, builds every target on the stable toolchain and runs each for some seconds, as many at a time as there are
/// processors. Fails if an input is found that makes a target panic, hang or take much memory.
pub(crate) fn run(root: &Path, seconds: u32, only: &[String]) -> Result<()> {
    let version = cargo(root).args(["fuzz", "--version"]).stdout(Stdio::null()).status();
    if !version.is_ok_and(|status| status.success()) {
        bail!("cargo-fuzz is not installed: `cargo install cargo-fuzz --locked`");
    }
    let seeds = ["run", "--quiet", "--package", "enarx-simulator", "--example", "seeds", "--", "fuzz/corpus"];
    succeed(cargo(root).args(seeds))?;
    // Sanitizers need another toolchain, and look for what safe code does not do.
    succeed(fuzz(root, "build").args(["--sanitizer", "none"]))?;
    let listed = fuzz(root, "list").output().context("could not list the fuzz targets")?;
    let listed = String::from_utf8(listed.stdout).context("`cargo fuzz list` did not print UTF-8")?;
    let targets: Vec<&str> =
        listed.lines().filter(|target| only.is_empty() || only.iter().any(|only| only == target)).collect();
    if targets.is_empty() {
        bail!("no such fuzz target");
    }
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(target) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(error) = run_one(root, target, seconds) {
                        failed.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{error:#}"));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    if failed.is_empty() {
        eprintln!("fuzz: {} targets, {seconds} s each, nothing found", targets.len());
        return Ok(());
    }
    bail!("{}", failed.join("\n"));
}

fn fuzz(root: &Path, command: &str) -> Command {
    let mut cargo = cargo(root);
    cargo.args(["fuzz", command]);
    cargo
}

/// Runs one target, and prints what it did in one line.
fn run_one(root: &Path, target: &str, seconds: u32) -> Result<()> {
    let mut command = fuzz(root, "run");
    command.args(["--sanitizer", "none", target, "--", MAX_LEN, "-print_final_stats=1"]).args(LIMITS);
    let output = command.arg(format!("-max_total_time={seconds}")).output();
    let output = output.with_context(|| format!("could not run fuzz target `{target}`"))?;
    let log = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("fuzz target `{target}` found something:\n{log}");
    }
    let stat = |name: &str| log.lines().find_map(|line| line.strip_prefix("stat::")?.strip_prefix(name));
    let executed = stat("number_of_executed_units:").unwrap_or("?").trim();
    let memory = stat("peak_rss_mb:").unwrap_or("?").trim();
    eprintln!("fuzz: {target}: {executed} inputs in {seconds} s, {memory} MiB");
    Ok(())
}
