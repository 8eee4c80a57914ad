// SPDX-License-Identifier: Apache-2.0

//! What is built, for which target, with which features.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::image;

/// Crates that must build without an operating system: all that a Keep on bare hardware consists of.
const BARE_METAL: &[&str] = &[
    "enarx-evidence",
    "enarx-verifier",
    "enarx-package",
    "enarx-measure",
    "enarx-session",
    "enarx-runtime",
    "enarx-keep",
];

/// Crates that a relying party may embed in a web page or another Keep.
const WEBASSEMBLY: &[&str] = &["enarx-evidence", "enarx-verifier", "enarx-package", "enarx-measure"];

/// The example workloads: folder and target.
const EXAMPLES: &[(&str, &str)] = &[
    ("examples/hello", "wasm32-wasip1"),
    ("examples/programs", "wasm32-wasip1"),
    ("examples/component", "wasm32-wasip2"),
    ("examples/verifier", "wasm32-wasip1"),
];

pub(crate) fn workspace_root() -> Result<PathBuf> {
    let manifest = env::var_os("CARGO_MANIFEST_DIR").context("run this as `cargo xtask`")?;
    Ok(Path::new(&manifest).parent().context("xtask has no parent folder")?.to_owned())
}

/// A `cargo` command that runs in `folder`.
pub(crate) fn cargo(folder: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(folder);
    command
}

pub(crate) fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("could not start {command:?}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}

/// The folder of all builds.
pub(crate) fn target_dir(root: &Path) -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}

/// The folder of the release build.
pub(crate) fn release_dir(root: &Path) -> PathBuf {
    target_dir(root).join("release")
}

/// Builds `enarx`, `enarx-keep`, `enarx-vmm` and the unikernel in release mode.
///
/// Several runs of cargo on purpose: in one run cargo would merge the features of all, and the Keep would contain the
/// compiler that only the tenant's side may have.
pub(crate) fn programs(root: &Path) -> Result<()> {
    for arguments in [
        ["--package", "enarx-shim", "--no-default-features", "--features", "process", "--bin", "enarx-keep"]
            .as_slice(),
        ["--package", "enarx-vmm", "--bin", "enarx-vmm"].as_slice(),
        ["--package", "enarx", "--bin", "enarx"].as_slice(),
    ] {
        succeed(cargo(root).args(["build", "--release"]).args(arguments))?;
    }
    image::install(root, &release_dir(root))
}

/// Builds the example workloads with their own manifests, as a user of Enarx would.
pub(crate) fn examples(root: &Path) -> Result<()> {
    for (folder, target) in EXAMPLES {
        let mut command = cargo(&root.join(folder));
        command.args(["build", "--release", "--target", target]);
        // Each example keeps its output beside its source, where its Enarx.toml expects it.
        command.env_remove("CARGO_TARGET_DIR");
        succeed(&mut command)?;
    }
    Ok(())
}

pub(crate) fn portable(root: &Path) -> Result<()> {
    for (target, packages) in [("x86_64-unknown-none", BARE_METAL), ("wasm32-unknown-unknown", WEBASSEMBLY)] {
        let mut command = cargo(root);
        command.args(["build", "--target", target]);
        for package in packages {
            command.args(["--package", package]);
        }
        succeed(&mut command)?;
    }
    Ok(())
}
