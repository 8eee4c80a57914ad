// SPDX-License-Identifier: Apache-2.0

//! Finds the program that is a Keep. The measurement that evidence reports is taken from this file.

use std::env;
use std::path::{Path, PathBuf};

use crate::error::HostError;

/// The file name of the Keep program.
pub const KEEP_PROGRAM: &str = "enarx-keep";
/// The environment variable that names it.
pub const KEEP_PROGRAM_VARIABLE: &str = "ENARX_KEEP";

/// The Keep program: the one named here, else by `ENARX_KEEP`, else the one installed with this program.
pub fn keep_program(named: Option<&Path>) -> Result<PathBuf, HostError> {
    let variable = env::var_os(KEEP_PROGRAM_VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
    let candidates = match named.map(Path::to_path_buf).or(variable) {
        Some(path) => vec![path],
        None => beside(env::current_exe().ok().as_deref()),
    };
    first_file(candidates)
}

/// Where an installed Keep program is, seen from the program that runs: beside it, one folder up (programs that
/// Cargo builds for tests and examples), or in `libexec` of the same prefix.
fn beside(program: Option<&Path>) -> Vec<PathBuf> {
    let Some(folder) = program.and_then(Path::parent) else { return vec![PathBuf::from(KEEP_PROGRAM)] };
    let mut places = vec![folder.join(KEEP_PROGRAM)];
    if let Some(above) = folder.parent() {
        places.push(above.join(KEEP_PROGRAM));
        places.push(above.join("libexec/enarx").join(KEEP_PROGRAM));
    }
    places
}

fn first_file(candidates: Vec<PathBuf>) -> Result<PathBuf, HostError> {
    match candidates.iter().find(|path| path.is_file()) {
        Some(found) => Ok(found.clone()),
        None => Err(HostError::ProgramNotFound { looked: candidates }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_says_where_it_was_looked_for() {
        let error = keep_program(Some(Path::new("/nowhere/enarx-keep"))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the Keep program `enarx-keep` was not found (looked at `/nowhere/enarx-keep`)"
        );
        assert!(error.hint().unwrap().contains("ENARX_KEEP"));
    }

    #[test]
    fn it_is_looked_for_beside_the_program_that_runs() {
        let places = beside(Some(Path::new("/usr/bin/enarx")));
        assert_eq!(
            places,
            ["/usr/bin/enarx-keep", "/usr/enarx-keep", "/usr/libexec/enarx/enarx-keep"].map(PathBuf::from)
        );
    }
}
