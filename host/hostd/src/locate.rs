// SPDX-License-Identifier: Apache-2.0

//! Finds what Keeps are made of.

use std::path::{Path, PathBuf};
use std::{env, fmt};

use crate::error::HostError;

/// The file name of the Keep program.
pub const KEEP_PROGRAM: &str = "enarx-keep";
/// The environment variable that names it.
pub const KEEP_PROGRAM_VARIABLE: &str = "ENARX_KEEP";

/// A file that Keeps are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The program that is a process Keep.
    KeepProgram,
    /// The unikernel.
    Image,
    /// The hypervisor.
    Hypervisor,
    /// QEMU for this machine's architecture.
    Qemu,
}

impl Wanted {
    fn file_name(self) -> &'static str {
        match self {
            Self::KeepProgram => KEEP_PROGRAM,
            Self::Image => "enarx-keep.elf",
            Self::Hypervisor => "enarx-vmm",
            Self::Qemu => "qemu-system-x86_64",
        }
    }

    fn variable(self) -> &'static str {
        match self {
            Self::KeepProgram => KEEP_PROGRAM_VARIABLE,
            Self::Image => "ENARX_IMAGE",
            Self::Hypervisor => "ENARX_VMM",
            Self::Qemu => "ENARX_QEMU",
        }
    }

    /// What to do when it is not there.
    pub(crate) fn hint(self) -> &'static str {
        match self {
            Self::KeepProgram => {
                "it belongs beside `enarx`: install both, or name another place with `--keep-program` \
                 or the environment variable `ENARX_KEEP`"
            }
            Self::Image => {
                "it belongs beside `enarx`: install both, or name another place with `--image` \
                 or the environment variable `ENARX_IMAGE`"
            }
            Self::Hypervisor => {
                "it belongs beside `enarx`: install both, or name another place with the environment variable \
                 `ENARX_VMM`"
            }
            Self::Qemu => "install QEMU 10 for x86-64, or name it with the environment variable `ENARX_QEMU`",
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Self::KeepProgram => "the Keep program",
            Self::Image => "the unikernel",
            Self::Hypervisor => "the hypervisor",
            Self::Qemu => "QEMU",
        };
        write!(f, "{what} `{}`", self.file_name())
    }
}

/// The Keep program: the one named here, else by `ENARX_KEEP`, else the one installed with this program.
pub fn keep_program(named: Option<&Path>) -> Result<PathBuf, HostError> {
    locate(Wanted::KeepProgram, named)
}

/// A file that Keeps are made of: the one named here, else by its environment variable, else the one installed with
/// this program; QEMU is looked for in `PATH`.
pub fn locate(wanted: Wanted, named: Option<&Path>) -> Result<PathBuf, HostError> {
    let variable = env::var_os(wanted.variable()).filter(|value| !value.is_empty()).map(PathBuf::from);
    let looked = match (named.map(Path::to_path_buf).or(variable), wanted) {
        (Some(path), _) => vec![path],
        (None, Wanted::Qemu) => {
            let path = env::var_os("PATH").unwrap_or_default();
            env::split_paths(&path).map(|folder| folder.join(wanted.file_name())).collect()
        }
        (None, _) => beside(env::current_exe().ok().as_deref(), wanted.file_name()),
    };
    match looked.iter().find(|path| path.is_file()) {
        Some(found) => Ok(found.clone()),
        None => Err(HostError::ProgramNotFound { wanted, looked }),
    }
}

/// Where an installed file is, seen from the program that runs: beside it, one folder up (programs that
/// Cargo builds for tests and examples), or in `libexec` of the same prefix.
fn beside(program: Option<&Path>, name: &str) -> Vec<PathBuf> {
    let Some(folder) = program.and_then(Path::parent) else { return vec![PathBuf::from(name)] };
    let mut places = vec![folder.join(name)];
    if let Some(above) = folder.parent() {
        places.push(above.join(name));
        places.push(above.join("libexec/enarx").join(name));
    }
    places
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
        let places = beside(Some(Path::new("/usr/bin/enarx")), KEEP_PROGRAM);
        assert_eq!(
            places,
            ["/usr/bin/enarx-keep", "/usr/enarx-keep", "/usr/libexec/enarx/enarx-keep"].map(PathBuf::from)
        );
    }
}
