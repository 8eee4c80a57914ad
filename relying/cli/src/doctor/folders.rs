// SPDX-License-Identifier: Apache-2.0

//! The folders of state and cache: there, writable, and closed to others where keys are.

use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use enarx_collateral::Cache;
use rustix::fs::{Access, access};
use rustix::process::geteuid;

use super::Line;
use crate::failure::chain;
use crate::state::{State, cache_folder};

/// The permissions of everybody but the owner.
const OTHERS: u32 = 0o077;

/// The state folder, its keys, and the records of Keeps.
pub(super) fn state() -> Vec<Line> {
    const ID: &str = "state-folder";
    let folder = match State::place() {
        Ok(folder) => folder,
        Err(failure) => return vec![Line::failed(ID, &failure)],
    };
    let mut lines = vec![folder_line(ID, &folder, true)];
    if !folder.is_dir() {
        return lines;
    }
    lines.extend(State::KEYS.iter().filter_map(|name| key(&folder.join(name))));
    if let Ok(state) = State::open() {
        lines.push(match state.keeps() {
            Ok(keeps) => {
                Line::ok("keep-records", format!("{} Keeps were left running from here", keeps.len()))
            }
            Err(failure) => Line::failed("keep-records", &failure),
        });
    }
    lines
}

/// The cache folder, and that of collateral in it.
pub(super) fn cache() -> Vec<Line> {
    const ID: &str = "cache-folder";
    let folder = match cache_folder() {
        Ok(folder) => folder,
        Err(failure) => return vec![Line::failed(ID, &failure)],
    };
    let collateral = folder.join(crate::collateral::FOLDER);
    let mut lines = vec![folder_line(ID, &folder, false)];
    if collateral.is_dir() {
        lines.push(match Cache::open(&collateral, Cache::DEFAULT_BYTES) {
            Ok(_) => Line::ok("collateral-cache", collateral.display().to_string()),
            Err(error) => {
                let fix = format!("remove {}; what was in it is fetched again", collateral.display());
                Line::fail("collateral-cache", chain(&error), fix)
            }
        });
    }
    lines
}

/// A folder that this user writes to, and that holds secrets or does not.
fn folder_line(id: &'static str, folder: &Path, secret: bool) -> Line {
    let shown = folder.display();
    let metadata = match fs::metadata(folder) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return not_there(id, folder),
        Err(error) => return Line::fail(id, format!("{shown}: {error}"), "make it readable for this user"),
    };
    if !metadata.is_dir() {
        return Line::fail(id, format!("{shown} is not a folder"), "move it away");
    }
    if access(folder, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK).is_err() {
        let fix = format!("make it writable for this user: `chmod u+rwx {shown}`, or `chown` it");
        return Line::fail(id, format!("{shown} is not writable"), fix);
    }
    if let (true, Some(problem)) = (secret, exposed(&metadata)) {
        return Line::fail(id, format!("{shown} {problem}"), format!("`chmod 700 {shown}`, as its owner"));
    }
    Line::ok(id, shown.to_string())
}

/// A folder that will be made on first use, if that is possible.
fn not_there(id: &'static str, folder: &Path) -> Line {
    let shown = folder.display();
    let above = folder.ancestors().find(|above| above.is_dir());
    let writable = above.is_some_and(|above| access(above, Access::WRITE_OK | Access::EXEC_OK).is_ok());
    if writable {
        return Line::ok(id, format!("{shown} is not there yet; it is made on first use"));
    }
    let above = above.unwrap_or(folder).display().to_string();
    Line::fail(
        id,
        format!("{shown} cannot be made: {above} is not writable"),
        "name another folder: `enarx help` says how",
    )
}

/// A key that is there; one that is not is made on first use.
fn key(path: &Path) -> Option<Line> {
    const ID: &str = "key";
    let shown = path.display();
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(error) => {
            return Some(Line::fail(ID, format!("{shown}: {error}"), "make it readable for this user"));
        }
    };
    if let Some(problem) = exposed(&metadata) {
        let fix = format!("`chmod 600 {shown}`; who could read it meanwhile has it");
        return Some(Line::fail(ID, format!("{shown} {problem}"), fix));
    }
    Some(match fs::read(path) {
        Ok(bytes) if !bytes.is_empty() => Line::ok(ID, shown.to_string()),
        Ok(_) => Line::fail(ID, format!("{shown} is empty"), "restore it from a backup"),
        Err(error) => Line::fail(ID, format!("{shown}: {error}"), "make it readable for this user"),
    })
}

/// Why others could get at it.
fn exposed(metadata: &Metadata) -> Option<String> {
    let (owner, user) = (metadata.uid(), geteuid().as_raw());
    if owner != user {
        return Some(format!("belongs to user {owner}, not to user {user}"));
    }
    let mode = metadata.mode() & 0o777;
    (mode & OTHERS != 0).then(|| format!("is open to others (mode {mode:03o})"))
}
