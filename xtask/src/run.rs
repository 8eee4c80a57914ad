// SPDX-License-Identifier: Apache-2.0

//! Chores that run what was built.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::build::{self, cargo, succeed};
use crate::{image, nested};

/// The tests of `enarx run`, for every kind of Keep.
const WORKLOADS: &str = "a_workload_runs_unchanged_in_an_attested_keep";

/// The README's first command: the whole path on one machine.
pub(crate) fn hello(root: &Path) -> Result<()> {
    build::examples(root)?;
    build::programs(root)?;
    let enarx = build::release_dir(root).join("enarx");
    let mut command = Command::new(enarx);
    command.current_dir(root);
    command.args(["run", "--policy", "examples/policies/local-simulator.toml", "examples/hello"]);
    eprintln!("\n$ enarx run --policy examples/policies/local-simulator.toml examples/hello\n");
    succeed(&mut command)
}

/// The README's second command: builds the example workloads, then everything else in one go, and runs every test.
///
/// `cargo test` builds the programs only of packages that have integration tests of their own, so they are built first,
/// with the same choice of packages and features: all tests and the programs they start share one build of each dependency.
pub(crate) fn tests(root: &Path) -> Result<()> {
    const CHOICE: [&str; 3] = ["--workspace", "--features", "enarx-shim/process"];
    build::examples(root)?;
    image::install(root, &build::target_dir(root).join("debug"))?;
    succeed(cargo(root).arg("build").args(CHOICE).args(["--bins", "--tests"]))?;
    succeed(cargo(root).arg("test").args(CHOICE).arg("--no-fail-fast"))
}

/// Every workload test in virtual machines of our own hypervisor, on a KVM that QEMU emulates the processor for.
pub(crate) fn tests_on_kvm(root: &Path) -> Result<()> {
    let choice = ["--workspace", "--features", "enarx-shim/process", "--test", WORKLOADS];
    let mut command = cargo(root);
    command.arg("test").args(choice).args(["--no-run", "--message-format", "json"]);
    let output = command.stderr(Stdio::inherit()).output().context("could not run `cargo test`")?;
    ensure!(output.status.success(), "the tests could not be built");
    let text = String::from_utf8(output.stdout).context("`cargo test` did not print UTF-8")?;
    let mut tests =
        text.lines().filter_map(|line| line.split_once("\"executable\":\"")).filter_map(|(_, rest)| {
            let path = PathBuf::from(rest.split('"').next()?);
            path.file_name()?.to_string_lossy().starts_with(WORKLOADS).then_some(path)
        });
    let test = tests.next_back().context("`cargo test` named no program")?;
    let programs = test.ancestors().nth(2).context("a test without a folder")?;
    let mut files: Vec<_> =
        ["enarx", "enarx-keep", "enarx-vmm", "enarx-keep.elf"].map(|name| programs.join(name)).into();
    files.extend(["/bin/cp", "examples/policies/local-simulator.toml"].map(|name| root.join(name)));
    files.push(root.join("examples/component/target/wasm32-wasip2/release/component.wasm"));
    for folder in [
        programs.join("test-simulator"),
        root.join("examples/hello"),
        root.join("examples/hello/target/wasm32-wasip1/release"),
        root.join("examples/programs/target/wasm32-wasip1/release"),
    ] {
        let entries = fs::read_dir(&folder).with_context(|| format!("no folder {}", folder.display()))?;
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        files.extend(entries.into_iter().map(|entry| entry.path()).filter(|path| path.is_file()));
    }
    let arguments = ["vm::", "--ignored", "--test-threads=1"].map(str::to_owned);
    nested::run(&test, &arguments, &files, Duration::from_mins(20))
}

pub(crate) fn bench(root: &Path) -> Result<()> {
    build::examples(root)?;
    build::programs(root)?;
    succeed(cargo(root).args(["bench", "--package", "enarx-verifier"]))?;
    let manifest = ["--manifest-path", "tests/differential/Cargo.toml", "--features", "backends"];
    succeed(cargo(root).arg("bench").args(manifest).arg("--target-dir").arg(build::target_dir(root)))?;
    succeed(cargo(root).args(["bench", "--package", "enarx-benches"]))
}
