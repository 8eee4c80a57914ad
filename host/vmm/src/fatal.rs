// SPDX-License-Identifier: Apache-2.0

//! Why a Keep's machine could not start or go on. The exit codes stand in `docs/host-stream.md`.

use std::io;

use enarx_keep::launch::LaunchError;
use enarx_measure::ImageError;

/// Why a Keep's machine could not start or go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fatal {
    /// Not started by a host, or with arguments that there are not.
    #[error("`enarx-vmm --image FILE` is started by a host (`enarx run`, `enarx host serve`), not by hand")]
    Usage,
    /// What came on the host stream is not what may come.
    #[error("the host broke the protocol of the host stream")]
    Protocol,
    /// A launch configuration that no machine starts with.
    #[error("the host's launch configuration is refused: {0}")]
    Launch(#[from] LaunchError),
    /// A launch configuration for something else than what was started.
    #[error("the host's launch configuration is for another back end than this program was started for")]
    Backend,
    /// The host's process or its end of the stream is gone.
    #[error("the host is gone")]
    HostGone,
    /// A layer is missing and all are required.
    #[error("a layer of the sandbox is missing and the launch configuration requires all")]
    Sandbox,
    /// The image is none.
    #[error("{0}")]
    Image(#[from] ImageError),
    /// The image, KVM or QEMU cannot be opened or started.
    #[error("cannot {what}: {source}")]
    Start {
        /// What was being done.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// What QEMU said.
    #[error("qemu could not start: {0}")]
    Qemu(String),
    /// The machine stopped without the guest having ended it.
    #[error("the virtual machine ended: {0}")]
    Guest(String),
}

impl Fatal {
    /// The exit code.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Usage => 64,
            Self::Protocol | Self::Launch(_) | Self::Backend | Self::HostGone => 70,
            Self::Sandbox => 71,
            Self::Image(_) | Self::Start { .. } | Self::Qemu(_) => 72,
            Self::Guest(_) => 73,
        }
    }

    /// For errors of the system while something is started.
    pub(crate) fn start<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Start { what, source: source.into() }
    }
}
