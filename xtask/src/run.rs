// SPDX-License-Identifier: Apache-2.0

//! Chores that run what was built.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::build::{self, Profile, cargo, succeed};

/// The README's first command: the whole path on one machine.
pub(crate) fn hello(root: &Path) -> Result<()> {
    build::examples(root)?;
    build::programs(root, Profile::Release)?;
    let enarx = build::target_dir(root).join(Profile::Release.folder()).join("enarx");
    let mut command = Command::new(enarx);
    command.current_dir(root);
    command.args(["run", "--policy", "examples/policies/local-simulator.toml", "examples/hello"]);
    eprintln!("\n$ enarx run --policy examples/policies/local-simulator.toml examples/hello\n");
    succeed(&mut command)
}

/// The README's second command: builds what the whole-system tests start, then runs every test.
pub(crate) fn tests(root: &Path) -> Result<()> {
    build::examples(root)?;
    build::programs(root, Profile::Dev)?;
    succeed(cargo(root).args(["test", "--workspace", "--exclude", "xtask", "--no-fail-fast"]))?;
    succeed(cargo(root).args(["test", "--package", "enarx-shim", "--features", "process"]))
}

pub(crate) fn bench(root: &Path) -> Result<()> {
    build::examples(root)?;
    build::programs(root, Profile::Release)?;
    succeed(cargo(root).args(["bench", "--package", "enarx-verifier"]))?;
    succeed(cargo(root).args(["bench", "--package", "enarx-benches"]))
}
