// SPDX-License-Identifier: Apache-2.0

//! The image of the micro-VM Keep is the same bytes wherever it is built: whoever doubts a measurement builds it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::build::target_dir;
use crate::image;

/// What of the project the image is built from.
const SOURCES: &[&str] = &["tcb", "Cargo.toml", "Cargo.lock", "rust-toolchain.toml"];

/// Builds the image here and elsewhere, and fails if the two differ.
pub(crate) fn check(root: &Path) -> Result<()> {
    let first = image::build(root, false)?;
    // A path of another length, and another name for where other people's crates are.
    let elsewhere = target_dir(root).join("reproduce/from/a/folder/of/another/name");
    if elsewhere.exists() {
        fs::remove_dir_all(&elsewhere).with_context(|| format!("could not empty {}", elsewhere.display()))?;
    }
    let (sources, home) = (elsewhere.join("sources"), elsewhere.join("cargo"));
    for name in SOURCES {
        copy(&root.join(name), &sources.join(name))?;
    }
    borrow(&image::cargo_home()?, &home)?;
    let second = image::build_elsewhere(&sources, &home, &elsewhere.join("target"))?;
    let (first, second) = (read(&first)?, read(&second)?);
    if first == second {
        eprintln!("image: the same {} bytes from two folders", first.len());
        return Ok(());
    }
    let differing = first.iter().zip(&second).filter(|(first, second)| first != second).count();
    let at = first.iter().zip(&second).position(|(first, second)| first != second);
    bail!(
        "the image depends on where it is built: {} and {} bytes, of which {differing} differ, the first at {:#x}",
        first.len(),
        second.len(),
        at.unwrap_or(first.len().min(second.len())),
    )
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("could not read {}", path.display()))
}

/// Copies a file, or a folder without what was built in it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let failed = || format!("could not copy {}", from.display());
    if from.is_file() {
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).with_context(failed)?;
        }
        fs::copy(from, to).with_context(failed)?;
        return Ok(());
    }
    for entry in fs::read_dir(from).with_context(failed)? {
        let name = entry.with_context(failed)?.file_name();
        if name != "target" {
            copy(&from.join(&name), &to.join(&name))?;
        }
    }
    Ok(())
}

/// Another name for everything in a folder.
fn borrow(from: &Path, to: &Path) -> Result<()> {
    let failed = || format!("could not link {}", from.display());
    fs::create_dir_all(to).with_context(failed)?;
    for entry in fs::read_dir(from).with_context(failed)? {
        let entry = entry.with_context(failed)?;
        symlink(entry.path(), to.join(entry.file_name())).with_context(failed)?;
    }
    Ok(())
}
