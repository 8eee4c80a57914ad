// SPDX-License-Identifier: Apache-2.0

//! The compiler under the image, with names of crates that do not depend on where they are.
//!
//! Cargo tells crates of one name apart by `-C metadata`, a hash that for folders outside of the workspace covers their
//! absolute path, and rustc puts it into symbols and type identities, which decide about the order of code. Of our own
//! crates there is one each, so their folder in the project does as well.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Where the project is, for the compiler of the image: cargo runs this program in rustc's place.
pub(crate) const ROOT: &str = "ENARX_IMAGE_ROOT";

/// Runs the compiler, if that is what this program was started for.
pub(crate) fn compile() -> Option<ExitCode> {
    let root = PathBuf::from(env::var_os(ROOT)?);
    let mut arguments = env::args_os().skip(1);
    let mut rustc = Command::new(arguments.next()?);
    let folder = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let own = folder.as_deref().and_then(|folder| folder.strip_prefix(&root).ok());
    rustc.args(arguments.map(|argument| named(argument, own)));
    match rustc.status() {
        Ok(status) if status.success() => Some(ExitCode::SUCCESS),
        Ok(_) => Some(ExitCode::FAILURE),
        Err(error) => {
            eprintln!("error: could not start {rustc:?}: {error}");
            Some(ExitCode::FAILURE)
        }
    }
}

/// An argument, or in place of what tells the crate in this folder apart the folder.
fn named(argument: OsString, folder: Option<&Path>) -> OsString {
    match (argument.to_str(), folder) {
        (Some(text), Some(folder)) if text.starts_with("metadata=") => {
            format!("metadata={}", folder.display()).into()
        }
        _ => argument,
    }
}
