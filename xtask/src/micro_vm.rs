// SPDX-License-Identifier: Apache-2.0

//! The numbers of the micro-VM Keep: its start beside that of a Linux guest, both under QEMU on this machine; and on a
//! KVM that QEMU emulates the processor for, its exits, its memory, and how fast it computes.

#![allow(clippy::print_stdout, reason = "numbers are what it is for")]

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::build::{self, succeed};
use crate::nested;

/// How often each of the two is started, in turns.
const ROUNDS: usize = 9;
const POLICY: &str = "examples/policies/local-simulator.toml";
const WORKLOADS: &str = "examples/programs/target/wasm32-wasip1/release";

/// Prints all of them.
pub(crate) fn numbers(root: &Path) -> Result<()> {
    build::examples(root)?;
    build::programs(root)?;
    let folder = tempfile::tempdir()?;
    starts(root, folder.path())?;
    inside(root, folder.path())
}

/// From the start of a program to the first words of the workload, and to the first word of a Linux that has nothing else
/// to do.
fn starts(root: &Path, folder: &Path) -> Result<()> {
    let programs = build::release_dir(root);
    let mut keeps = Vec::new();
    let mut linuxes = Vec::new();
    let run = || {
        let mut command = Command::new(programs.join("enarx"));
        command.current_dir(root).args(["run", "--quiet", "--policy", POLICY, "--backend", "qemu"]);
        command.arg(root.join(WORKLOADS).join("args-env.wasm"));
        command.env("ENARX_STATE_DIR", folder.join("state")).env("ENARX_CACHE_DIR", folder.join("cache"));
        command
    };
    // The first makes keys and compiles.
    succeed(run().stdout(Stdio::null()))?;
    let linux = nested::Tiny::new()?;
    for _ in 0..ROUNDS {
        keeps.push(first_byte(&mut run())?);
        linuxes.push(first_byte(&mut linux.command())?);
    }
    let (keep, linux) = (median(keeps), median(linuxes));
    println!("from start to first output, median of {ROUNDS} in turns, both under QEMU by translation:");
    println!("  enarx run --backend qemu       {} ms, attested, the workload's own output", keep.as_millis());
    println!("  Linux whose init says a word   {} ms", linux.as_millis());
    println!("  ratio                          {:.1}", linux.as_secs_f64() / keep.as_secs_f64());
    Ok(())
}

fn first_byte(command: &mut Command) -> Result<Duration> {
    let start = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut output = child.stdout.take().context("no output")?;
    let read = output.read(&mut [0]);
    let took = start.elapsed();
    let _ = child.kill();
    child.wait()?;
    ensure!(read? == 1, "{command:?} said nothing");
    Ok(took)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// What `benches/micro_vm.sh` measures in the inner Linux.
fn inside(root: &Path, folder: &Path) -> Result<()> {
    let programs = build::release_dir(root);
    let script = root.join("benches/micro_vm.sh");
    let policy = root.join(POLICY);
    let workloads = root.join(WORKLOADS);
    let state = folder.join("state");
    let mut files: Vec<PathBuf> =
        ["enarx", "enarx-keep", "enarx-vmm", "enarx-keep.elf"].map(|name| programs.join(name)).into();
    files.extend(["args-env", "cat", "compute"].map(|name| workloads.join(name).with_extension("wasm")));
    files.extend([script.clone(), policy.clone()]);
    let mut folders = vec![state.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    let mut words = vec!["sh".to_owned()];
    let mut paths = vec![script, programs.clone(), state, policy, workloads];
    let wasmtime =
        std::env::var_os("WASMTIME").map_or_else(|| programs.join("bench-tools/bin/wasmtime"), PathBuf::from);
    if wasmtime.is_file() {
        files.push(wasmtime.clone());
        paths.push(wasmtime);
    } else {
        println!("no `{}` to compare with", wasmtime.display());
    }
    words.extend(paths.iter().map(|path| path.display().to_string()));
    nested::run(Path::new("/bin/busybox"), &words, &files, Duration::from_mins(10))
}
