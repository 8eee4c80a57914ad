// SPDX-License-Identifier: Apache-2.0

//! The rules of ARCHITECTURE.md that a machine can check: who may depend on whom, where unsafe code may stand, and
//! that every source file says its licence and its purpose.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::bug_classes;
use crate::build::cargo;

const HEADER: &str = "// SPDX-License-Identifier: Apache-2.0\n";

/// The only files that may contain unsafe code. Examples are tenants' programs, in which Rust's way to a descriptor that is
/// open from the start is unsafe.
const UNSAFE_ROOMS: &[&str] =
    &["tcb/shim/src/", "tcb/shim/image/src/", "host/vmm/src/", "examples/programs/src/bin/"];

const KEYWORD: &str = "unsafe";

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &["common", "util", "utils", "shared", "types", "misc", "helpers"];

/// What the crates below one folder must never depend on, and why.
const FORBIDDEN: &[(&str, &[&str], &str)] = &[
    ("tcb/", &["host/", "relying/", "xtask", "tests", "benches"], "the trusted base depends on itself alone"),
    ("tcb/evidence", &["tcb/"], "evidence formats stand at the bottom"),
    ("tcb/measure", &["tcb/"], "what is launched is measured knowing nothing else"),
    ("tcb/package", &["tcb/"], "a package knows neither sessions nor engines"),
    ("tcb/runtime", &["tcb/"], "the runtime knows neither evidence nor sessions"),
    ("tcb/verifier", &["tcb/session", "tcb/runtime", "tcb/keep", "tcb/shim"], "the verifier only judges"),
    ("host/", &["relying/", "tcb/verifier"], "a host never decides about trust"),
];

/// Exceptions to [`FORBIDDEN`]: a folder and the one dependency it may have all the same.
const GRANTED: &[(&str, &str)] = &[];

pub(crate) fn check(root: &Path) -> Result<()> {
    let mut faults = Vec::new();
    direction(root, &mut faults)?;
    no_compiler_in_a_keep(root, &mut faults)?;
    one_version_of_each(root, &mut faults)?;
    bug_classes::check(root, &mut faults)?;
    for file in sources(root)? {
        source(root, &file, &mut faults)?;
    }
    for fault in &faults {
        eprintln!("error: {fault}");
    }
    if !faults.is_empty() {
        bail!("{} fault(s) found", faults.len());
    }
    eprintln!("lint: dependency direction, unsafe code, headers and names are as ARCHITECTURE.md says");
    Ok(())
}

/// Compares the normal (not test) dependencies of every crate with [`FORBIDDEN`].
fn direction(root: &Path, faults: &mut Vec<String>) -> Result<()> {
    let output = cargo(root)
        .args(["tree", "--workspace", "--edges", "normal,build", "--all-features", "--depth", "1"])
        .args(["--prefix", "depth", "--format", "|{p}"])
        .output()
        .context("could not run `cargo tree`")?;
    let text = String::from_utf8(output.stdout).context("`cargo tree` did not print UTF-8")?;
    if !output.status.success() {
        bail!("`cargo tree` failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    for (from, to) in edges(root, &text) {
        for (folder, forbidden, why) in FORBIDDEN {
            let applies = from.starts_with(folder);
            let granted = GRANTED.contains(&(from.as_str(), to.as_str()));
            if applies && !granted && from != to && forbidden.iter().any(|folder| to.starts_with(folder)) {
                faults.push(format!("`{from}` depends on `{to}`: {why}"));
            }
        }
        if to.starts_with("relying/") && !from.starts_with("relying/") && from != "tests" && from != "benches"
        {
            faults.push(format!("`{from}` depends on `{to}`: nothing stands above the relying party"));
        }
    }
    Ok(())
}

/// A Keep executes code and makes none: the compiler is on the tenant's side only.
fn no_compiler_in_a_keep(root: &Path, faults: &mut Vec<String>) -> Result<()> {
    let output = cargo(root)
        .args([
            "tree",
            "--package",
            "enarx-shim",
            "--features",
            "process",
            "--edges",
            "normal",
            "--prefix",
            "none",
        ])
        .output()
        .context("could not run `cargo tree`")?;
    let text = String::from_utf8(output.stdout).context("`cargo tree` did not print UTF-8")?;
    for line in
        text.lines().filter(|line| line.starts_with("cranelift-codegen ") || line.starts_with("winch"))
    {
        faults.push(format!("the Keep contains a compiler: `{line}`"));
    }
    Ok(())
}

/// The unikernel has a lock file of its own: of a crate that everybody tests it must not contain another version of the
/// same series.
fn one_version_of_each(root: &Path, faults: &mut Vec<String>) -> Result<()> {
    let everybody = locked(&root.join("Cargo.lock"))?;
    let series: BTreeSet<_> =
        everybody.iter().map(|(name, version)| (name.clone(), series(version))).collect();
    for (name, version) in locked(&root.join("tcb/shim/image/Cargo.lock"))? {
        if series.contains(&(name.clone(), self::series(&version)))
            && !everybody.contains(&(name.clone(), version.clone()))
        {
            faults.push(format!("the unikernel has `{name}` {version}, which the workspace has not locked"));
        }
    }
    Ok(())
}

/// The part of a version that tells compatible versions from others.
fn series(version: &str) -> String {
    let depth = if version.starts_with("0.") { 2 } else { 1 };
    version.split('.').take(depth).collect::<Vec<_>>().join(".")
}

/// The packages of a lock file, with their versions.
fn locked(path: &Path) -> Result<BTreeSet<(String, String)>> {
    let text = fs::read_to_string(path).with_context(|| format!("could not read {}", path.display()))?;
    let value = |line: &str, key: &str| {
        line.strip_prefix(key).map(|value| value.trim_matches([' ', '=', '"']).to_owned())
    };
    let lines: Vec<_> = text.lines().collect();
    let pairs = lines.iter().zip(lines.iter().skip(1));
    Ok(pairs.filter_map(|(name, version)| Some((value(name, "name")?, value(version, "version")?))).collect())
}

/// Pairs of workspace folders (dependent, dependency) out of what `cargo tree` printed.
fn edges(root: &Path, text: &str) -> Vec<(String, String)> {
    let mut edges = Vec::new();
    let mut from = None;
    for line in text.lines() {
        let Some((depth, package)) = line.split_once('|') else { continue };
        let folder = package
            .split_once('(')
            .and_then(|(_, rest)| rest.split_once(')'))
            .and_then(|(path, _)| Path::new(path).strip_prefix(root).ok())
            .map(|path| path.to_string_lossy().into_owned());
        match (depth, folder) {
            ("0", folder) => from = folder,
            (_, Some(to)) => edges.extend(from.clone().map(|from| (from, to))),
            (_, None) => {}
        }
    }
    edges
}

fn source(root: &Path, file: &Path, faults: &mut Vec<String>) -> Result<()> {
    let text = fs::read_to_string(file).with_context(|| format!("could not read {}", file.display()))?;
    let name = file.strip_prefix(root).unwrap_or(file).to_string_lossy().into_owned();
    if !text.starts_with(HEADER) {
        faults.push(format!("`{name}` does not start with `{}`", HEADER.trim_end()));
    }
    if !text.contains("//!") {
        faults.push(format!("`{name}` does not say in `//!` what it is for"));
    }
    let room = UNSAFE_ROOMS.iter().any(|room| name.starts_with(room));
    for (number, line) in text.lines().enumerate() {
        if !room && has_unsafe(line) {
            faults.push(format!("`{name}:{}` has unsafe code outside its rooms", number + 1));
        }
    }
    let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    if EMPTY_NAMES.contains(&stem.as_str()) {
        faults.push(format!("`{name}` has a name that says nothing about what is inside"));
    }
    Ok(())
}

/// Whether a line of code (not of comment, not of a text in quotes) uses the keyword.
pub(crate) fn has_unsafe(line: &str) -> bool {
    let code: String = line.split('"').step_by(2).collect();
    let code = code.split("//").next().unwrap_or_default();
    // A lint's name contains the word too, but as part of a longer one.
    code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == KEYWORD)
}

/// Every Rust file of the project, without what was built.
pub(crate) fn sources(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = BTreeSet::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("could not list {}", folder.display()))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = entry.file_type()?;
            if kind.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(entry.path());
            } else if kind.is_file() && entry.path().extension().is_some_and(|extension| extension == "rs") {
                found.insert(entry.path());
            }
        }
    }
    Ok(found.into_iter().collect())
}
