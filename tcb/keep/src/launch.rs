// SPDX-License-Identifier: Apache-2.0

//! The launch configuration: what the host chose for a Keep.
//!
//! It is one line of text, `enarx-launch-1 backend=process require-sandbox=all`. The host writes it, so nothing in it
//! can be believed, only held against the host: the very bytes are in every offer and under every report, and a tenant
//! sees what its Keep was started with.

use alloc::string::String;

const VERSION: &str = "enarx-launch-1";

/// A launch configuration that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// The text as it came, which goes into offers and evidence.
    pub text: String,
    /// What kind of Keep this is to be.
    pub backend: Backend,
    /// Whether the Keep ends when a layer of its sandbox is missing.
    pub require_sandbox: bool,
}

/// What a Keep runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backend {
    /// A sandboxed process of the host's own operating system.
    Process,
}

/// A launch configuration that a Keep does not start with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// Another version, or another text altogether.
    #[error("a launch configuration starts with `{VERSION}`")]
    Version,
    /// A word that is not one of the settings, has a value that it cannot have, or is there twice.
    #[error("launch setting number {number} is not one that this Keep knows, or is there twice")]
    Setting {
        /// Which word after the version, from 1.
        number: usize,
    },
    /// A setting without which a Keep cannot start.
    #[error("launch setting `{name}` is missing")]
    Missing {
        /// Its name.
        name: &'static str,
    },
}

impl Launch {
    /// Reads a launch configuration. Nothing is skipped: what a Keep does not understand it does not start with.
    pub fn parse(text: &str) -> Result<Self, LaunchError> {
        let mut words = text.split(' ');
        if words.next() != Some(VERSION) {
            return Err(LaunchError::Version);
        }
        let mut backend = None;
        let mut require_sandbox = None;
        for (index, word) in words.enumerate() {
            let first = match word {
                "backend=process" => backend.replace(Backend::Process).is_none(),
                "require-sandbox=all" => require_sandbox.replace(true).is_none(),
                _ => false,
            };
            if !first {
                return Err(LaunchError::Setting { number: index + 1 });
            }
        }
        Ok(Self {
            text: text.into(),
            backend: backend.ok_or(LaunchError::Missing { name: "backend" })?,
            require_sandbox: require_sandbox.unwrap_or(false),
        })
    }
}
