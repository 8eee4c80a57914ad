// SPDX-License-Identifier: Apache-2.0

//! The image of the micro-VM Keep: one static ELF file, the same bytes wherever it is built.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result};

use crate::build::{cargo, succeed, target_dir};
use crate::names;

/// An ABI with vector registers and libraries that need nothing else; `docs/micro-vm-keep.md` says why not
/// `x86_64-unknown-none`.
const TARGET: &str = "x86_64-unknown-linux-musl";
const RUSTFLAGS: &str = "CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_RUSTFLAGS";
const FOLDER: &str = "tcb/shim/image";

/// Builds the image and says where it is.
pub(crate) fn build(root: &Path, console: bool) -> Result<PathBuf> {
    // Apart from other builds for this target, whose flags are others.
    let folder = target_dir(root).join("image");
    succeed(command(root, &folder, &cargo_home()?, "build")?.args(console.then_some("--features=console")))?;
    Ok(built(&folder))
}

/// Builds the image of other sources, with another home of cargo's, in `folder`.
pub(crate) fn build_elsewhere(sources: &Path, home: &Path, folder: &Path) -> Result<PathBuf> {
    succeed(command(sources, folder, home, "build")?.env("CARGO_HOME", home))?;
    Ok(built(folder))
}

fn built(folder: &Path) -> PathBuf {
    folder.join(TARGET).join("release").join("keep-image")
}

/// Lets the lints see the image, which the workspace does not contain.
pub(crate) fn lint(root: &Path) -> Result<()> {
    let folder = target_dir(root).join("image-lint");
    succeed(command(root, &folder, &cargo_home()?, "clippy")?.args(["--", "--deny", "warnings"]))
}

/// A command of cargo's for the image.
fn command(root: &Path, folder: &Path, home: &Path, verb: &str) -> Result<Command> {
    let mut command = cargo(&root.join(FOLDER));
    command
        .args([verb, "--release", "--locked", "--target", TARGET])
        .arg("--target-dir")
        .arg(folder)
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("RUSTC_WRAPPER", env::current_exe().context("this program has no path")?)
        .env(names::ROOT, root)
        .env(RUSTFLAGS, flags(root, folder, home, &absent_std(root, folder)?));
    Ok(command)
}

/// Builds the image and puts it where `enarx` looks for it when it is in `folder`.
pub(crate) fn install(root: &Path, folder: &Path) -> Result<()> {
    let image = build(root, false)?;
    fs::create_dir_all(folder).with_context(|| format!("could not make {}", folder.display()))?;
    let place = folder.join("enarx-keep.elf");
    fs::copy(&image, &place).with_context(|| format!("could not write {}", place.display()))?;
    Ok(())
}

/// Compiles what stands for `std`: crates that name it get nothing, and crates that use it do not compile.
fn absent_std(root: &Path, folder: &Path) -> Result<PathBuf> {
    let source = root.join(FOLDER).join("absent/std/lib.rs");
    let rlib = folder.join("libstd.rlib");
    fs::create_dir_all(folder).with_context(|| format!("could not make {}", folder.display()))?;
    let mut command = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    command
        .args(["--crate-name", "std", "--crate-type", "rlib", "--edition", "2024", "--target", TARGET])
        .args(["-C", "panic=abort", "-C", "opt-level=3"])
        .arg(format!("--remap-path-prefix={}=/enarx", root.display()))
        .arg("-o")
        .arg(&rlib)
        .arg(&source)
        .current_dir(root);
    succeed(&mut command)?;
    Ok(rlib)
}

/// Where cargo keeps the sources of other people's crates.
pub(crate) fn cargo_home() -> Result<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| env::home_dir().map(|home| home.join(".cargo")));
    home.context("there is no home directory, and CARGO_HOME is not set")
}

fn flags(root: &Path, folder: &Path, home: &Path, std: &Path) -> String {
    let script = root.join(FOLDER).join("image.ld");
    let flags = [
        "--cfg getrandom_backend=\"custom\"".to_owned(),
        // The linker that comes with Rust, and nothing of the machine that builds.
        "-C linker=rust-lld -C linker-flavor=ld.lld -C link-self-contained=no".to_owned(),
        "-C relocation-model=static -C relro-level=off -C force-frame-pointers=no".to_owned(),
        format!("--extern std={} -L dependency={}", std.display(), folder.display()),
        // Neither where it is built nor where the sources are.
        format!("--remap-path-prefix={}=/enarx", root.display()),
        format!("--remap-path-prefix={}=/cargo", home.display()),
        format!("-C link-arg=-T{} -C link-arg=--build-id=none", script.display()),
    ];
    flags.join(" ")
}
