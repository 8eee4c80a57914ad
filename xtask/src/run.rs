// SPDX-License-Identifier: Apache-2.0

//! Chores that run what was built.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::build::{self, cargo, succeed};
use crate::image;

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

pub(crate) fn bench(root: &Path) -> Result<()> {
    build::examples(root)?;
    build::programs(root)?;
    succeed(cargo(root).args(["bench", "--package", "enarx-verifier"]))?;
    let manifest = ["--manifest-path", "tests/differential/Cargo.toml", "--features", "backends"];
    succeed(cargo(root).arg("bench").args(manifest).arg("--target-dir").arg(build::target_dir(root)))?;
    succeed(cargo(root).args(["bench", "--package", "enarx-benches"]))
}
