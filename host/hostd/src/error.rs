// SPDX-License-Identifier: Apache-2.0

//! Why a host could not do what it was asked.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::api::{KeepExit, KeepId};
use crate::locate::Wanted;

/// An operational failure of the host. None of these is a decision about trust.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// Something that Keeps are made of is not where it was looked for.
    #[error("{wanted} was not found (looked at {})", list(looked))]
    ProgramNotFound {
        /// What.
        wanted: Wanted,
        /// The places, in order.
        looked: Vec<PathBuf>,
    },
    /// The Keep program cannot be used.
    #[error("cannot use `{}` as the Keep program: {source}", path.display())]
    ProgramUnusable {
        /// The program.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The simulated vendor cannot be opened.
    #[error("cannot open the simulated platform's keys in `{}`: {source}", dir.display())]
    Simulator {
        /// Where its keys are.
        dir: PathBuf,
        /// Why.
        source: enarx_simulator::SimulatorError,
    },
    /// The system gave no resources for a Keep.
    #[error("cannot start a Keep: {source}")]
    Start {
        /// Why.
        source: io::Error,
    },
    /// A Keep ended before it was ready.
    #[error("the Keep ended before it was ready ({exit}){}", reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default())]
    EndedEarly {
        /// How.
        exit: KeepExit,
        /// What it said about it.
        reason: Option<String>,
    },
    /// A Keep took too long to be ready.
    #[error("the Keep was not ready within {} s", after.as_secs())]
    StartTimeout {
        /// The limit.
        after: Duration,
    },
    /// A Keep lacks layers of its sandbox, and all are required.
    #[error("the sandbox of the Keep lacks {missing}, and all layers are required")]
    SandboxIncomplete {
        /// The layers and why they are absent.
        missing: String,
    },
    /// A Keep said something that is no message of the host stream.
    #[error("the Keep broke the host stream protocol: {what}")]
    Protocol {
        /// What it said.
        what: String,
    },
    /// As many Keeps as the host allows.
    #[error("the host runs as many Keeps as it allows ({limit})")]
    TooManyKeeps {
        /// The limit.
        limit: usize,
    },
    /// As many Keeps as the host allows for one client.
    #[error("the host runs as many Keeps for this client as it allows ({limit})")]
    TooManyKeepsForClient {
        /// The limit.
        limit: usize,
    },
    /// As many control streams as the host allows for one Keep.
    #[error("the Keep has as many control streams as the host allows ({limit})")]
    TooManyStreams {
        /// The limit.
        limit: usize,
    },
    /// No Keep of that name.
    #[error("there is no Keep `{id}` here")]
    UnknownKeep {
        /// The name.
        id: KeepId,
    },
    /// The Keep is there but no longer runs.
    #[error("the Keep `{id}` has ended")]
    KeepEnded {
        /// Its name.
        id: KeepId,
    },
    /// The host ends.
    #[error("the host is shutting down")]
    ShuttingDown,
}

impl HostError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::ProgramNotFound { wanted, .. } => Some(wanted.hint()),
            Self::ProgramUnusable { .. } => {
                Some("name another program with the environment variable `ENARX_KEEP`")
            }
            Self::Simulator { .. } => {
                Some("the directory must be writable and belong to you; remove it to make new keys")
            }
            Self::EndedEarly { .. } | Self::StartTimeout { .. } | Self::Protocol { .. } => Some(
                "is the Keep program of the host the `enarx-keep` of this version? \
                 `--keep-program` or `ENARX_KEEP` names another",
            ),
            Self::SandboxIncomplete { .. } => Some(
                "allow unprivileged user namespaces and Landlock on this system, \
                 or start the host without requiring all layers",
            ),
            Self::TooManyKeeps { .. } | Self::TooManyKeepsForClient { .. } => {
                Some("stop a Keep that is no longer needed, or try again later")
            }
            Self::TooManyStreams { .. } => Some("close a stream to the Keep, or try again later"),
            Self::UnknownKeep { .. } => {
                Some("Keeps end with their host, and are forgotten a while after they ended")
            }
            _ => None,
        }
    }

    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::ProgramNotFound { .. } | Self::ProgramUnusable { .. } | Self::Simulator { .. } => {
                "host-not-ready"
            }
            Self::Start { .. }
            | Self::EndedEarly { .. }
            | Self::StartTimeout { .. }
            | Self::Protocol { .. } => "keep-not-started",
            Self::SandboxIncomplete { .. } => "sandbox-incomplete",
            Self::TooManyKeeps { .. } => "too-many-keeps",
            Self::TooManyKeepsForClient { .. } => "too-many-keeps-for-client",
            Self::TooManyStreams { .. } => "too-many-streams",
            Self::UnknownKeep { .. } => "unknown-keep",
            Self::KeepEnded { .. } => "keep-ended",
            Self::ShuttingDown => "shutting-down",
        }
    }
}

fn list(paths: &[PathBuf]) -> String {
    let paths: Vec<_> = paths.iter().map(|path| format!("`{}`", path.display())).collect();
    paths.join(", ")
}
