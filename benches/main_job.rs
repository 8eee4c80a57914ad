// SPDX-License-Identifier: Apache-2.0

//! The main job: `enarx run` on the hello workload with a warm cache, step by step, against `wasmtime run` of the same
//! version on the same module, precompiled. Both are whole processes, started in turn.

#![allow(clippy::print_stdout, reason = "numbers are what a benchmark is for")]

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use enarx_benches::{milliseconds, quartiles};
use serde_json::Value;

/// The engine's version, which the `wasmtime` that is compared with must have.
const WASMTIME: &str = "48.0.8";
const ROUNDS: usize = 40;

fn main() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the workspace")?;
    let programs = programs()?;
    let scratch = tempfile::tempdir()?;
    let hello = root.join("examples/hello");
    let enarx = |arguments: &[&str]| {
        let mut command = Command::new(programs.join("enarx"));
        command.current_dir(root).args(["run", "--policy", "examples/policies/local-simulator.toml"]);
        command.args(arguments).arg(&hello);
        command.env("ENARX_STATE_DIR", scratch.path().join("state"));
        command.env("ENARX_CACHE_DIR", scratch.path().join("cache"));
        command
    };
    let wasmtime = Wasmtime::prepare(&programs, scratch.path(), &hello)?;

    // The first run makes the simulator's keys and fills the cache.
    time(&mut enarx(&["--quiet"]))?;
    let (mut ours, mut theirs, mut steps) =
        (Vec::new(), Vec::new(), BTreeMap::<String, Vec<Duration>>::new());
    for _ in 0..ROUNDS {
        ours.push(time(&mut enarx(&["--quiet"]))?);
        if let Some(wasmtime) = &wasmtime {
            theirs.push(time(&mut wasmtime.run())?);
        }
        for (step, took) in breakdown(&mut enarx(&["--format", "json"]))? {
            steps.entry(step).or_default().push(took);
        }
    }
    report(ours, theirs, steps);
    Ok(())
}

fn report(ours: Vec<Duration>, theirs: Vec<Duration>, steps: BTreeMap<String, Vec<Duration>>) {
    let (low, middle, high) = quartiles(ours);
    println!("main job, hello workload, warm cache, {ROUNDS} rounds: median (quartiles)");
    println!("  enarx run      {} ({} to {})", milliseconds(middle), milliseconds(low), milliseconds(high));
    if theirs.is_empty() {
        println!("  wasmtime run   not measured: no wasmtime {WASMTIME}; see SPECIFICATION.md");
    } else {
        let (low, base, high) = quartiles(theirs);
        println!("  wasmtime run   {} ({} to {})", milliseconds(base), milliseconds(low), milliseconds(high));
        println!("  difference     {}", milliseconds(middle.saturating_sub(base)));
    }
    println!("of which, by step (median):");
    for (step, took) in steps {
        println!("  {step:<14} {}", milliseconds(quartiles(took).1));
    }
}

/// `wasmtime run` on a module that it has compiled before.
struct Wasmtime {
    program: PathBuf,
    module: PathBuf,
}

impl Wasmtime {
    fn prepare(programs: &Path, scratch: &Path, hello: &Path) -> Result<Option<Self>> {
        let program =
            env::var_os("WASMTIME").map_or_else(|| programs.join("bench-tools/bin/wasmtime"), PathBuf::from);
        if !program.exists() {
            return Ok(None);
        }
        let version = Command::new(&program).arg("--version").output()?;
        let version = String::from_utf8_lossy(&version.stdout).into_owned();
        ensure!(version.contains(WASMTIME), "{} is {version}, not {WASMTIME}", program.display());
        let module = scratch.join("hello.cwasm");
        let source = hello.join("target/wasm32-wasip1/release/hello.wasm");
        let status = Command::new(&program).arg("compile").arg(&source).arg("-o").arg(&module).status()?;
        ensure!(status.success(), "wasmtime could not compile {}", source.display());
        Ok(Some(Self { program, module }))
    }

    fn run(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["run", "--allow-precompiled"]).arg(&self.module);
        command
    }
}

/// Time from start to exit.
fn time(command: &mut Command) -> Result<Duration> {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let started = Instant::now();
    let status = command.status().with_context(|| format!("could not start {command:?}"))?;
    let took = started.elapsed();
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(took)
}

/// What `enarx run --format json` says about its own steps.
fn breakdown(command: &mut Command) -> Result<Vec<(String, Duration)>> {
    let output = command.stdin(Stdio::null()).output()?;
    ensure!(output.status.success(), "{command:?} ended with {}", output.status);
    let text = String::from_utf8(output.stderr)?;
    let mut steps = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let event: Value = serde_json::from_str(line)?;
        if event.get("event").and_then(Value::as_str) == Some("step") {
            let name = event.get("step").and_then(Value::as_str).unwrap_or_default();
            let took = event.get("microseconds").and_then(Value::as_u64).unwrap_or_default();
            steps.push((format!("{number}. {name}"), Duration::from_micros(took)));
        }
    }
    Ok(steps)
}

/// The folder of the release build that this benchmark is part of.
fn programs() -> Result<PathBuf> {
    let own = env::current_exe()?;
    Ok(own.ancestors().nth(2).context("target/release/deps/<benchmark>")?.to_owned())
}
