// SPDX-License-Identifier: Apache-2.0

//! Chores that run what was built.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::build::{self, cargo, succeed};

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
/// One run of cargo, so that all tests and the programs they start share one build of each dependency.
pub(crate) fn tests(root: &Path) -> Result<()> {
    build::examples(root)?;
    succeed(cargo(root).args(["test", "--workspace", "--features", "enarx-shim/process", "--no-fail-fast"]))
}

pub(crate) fn bench(root: &Path) -> Result<()> {
    build::examples(root)?;
    build::programs(root)?;
    succeed(cargo(root).args(["bench", "--package", "enarx-verifier"]))?;
    succeed(cargo(root).args(["bench", "--package", "enarx-benches"]))
}
