// SPDX-License-Identifier: Apache-2.0

//! Why the simulator could not do what it was asked.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// An operational error of the simulator.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SimulatorError {
    /// The file system refused.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was tried, such as `read`.
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The state is there, but is not what the simulator wrote.
    #[error("the simulator's state in `{}` is damaged: {problem}", path.display())]
    Damaged {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The platform asks for something that its product cannot say.
    #[error("the simulated platform is impossible: {problem}")]
    Impossible {
        /// What is contradictory.
        problem: String,
    },
    /// The cryptographic library failed.
    #[error("cannot {action}: the cryptographic library failed")]
    Crypto {
        /// What was tried.
        action: &'static str,
    },
    /// A certificate could not be encoded.
    #[error("cannot encode a certificate")]
    Encoding(#[from] der::Error),
}

impl SimulatorError {
    /// What to do about it, if there is something.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Damaged { path, .. } => Some(format!(
                "remove `{}` to have it made anew; a new root has to be named again in policies that name it by digest",
                path.display()
            )),
            _ => None,
        }
    }

    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    pub(crate) fn damaged(path: &Path, problem: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), problem: problem.into() }
    }
}
