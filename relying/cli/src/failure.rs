// SPDX-License-Identifier: Apache-2.0

//! How a command can fail, what its exit code is, and how it is told.

use std::fmt::{self, Display};

use enarx_verifier::Refusals;
use serde_json::json;

use crate::args::Format;

/// The policies that were compared differ.
pub(crate) const DIFFERENT: u8 = 1;
/// Wrong usage, or an input that cannot be read.
pub(crate) const USAGE: u8 = 2;
/// Evidence is refused: it is not genuine, or not acceptable to the trust policy.
pub(crate) const REFUSED: u8 = 3;
/// The host or the Keep could not be reached or started, or was lost.
pub(crate) const UNREACHABLE: u8 = 4;
/// The workload ran, and not all that it wrote could be saved on this machine.
pub(crate) const UNSAVED: u8 = 5;
/// Interrupted by Ctrl-C: 128 + SIGINT, as shells count.
pub(crate) const INTERRUPTED: u8 = 130;
/// The workload trapped: 128 + SIGABRT, as `wasmtime run` counts.
pub(crate) const TRAPPED: u8 = 134;
/// Nobody reads the workload's output any more: 128 + SIGPIPE.
pub(crate) const UNREAD: u8 = 141;
/// The workload was stopped by a limit or its owner: 128 + SIGKILL.
pub(crate) const STOPPED: u8 = 137;

/// Why a command ended without doing what it was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    message: String,
    hint: Option<String>,
    refusals: Option<Refusals>,
    cause: Cause,
}

/// What kind of thing went wrong, where others go on from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Nobody else has to know.
    Other,
    /// The connection to the Keep ended, for a reason that its host may know.
    ConnectionLost,
    /// Nobody answers at the host's address, or not as a host does.
    HostUnreachable,
    /// The host has no such Keep, or not any more.
    KeepGone,
    /// The Keep is there and says no.
    KeepRefused,
}

pub(crate) type Outcome<T> = Result<T, Failure>;

impl Failure {
    pub(crate) fn with_code(code: u8, message: impl Display) -> Self {
        Self { code, message: message.to_string(), hint: None, refusals: None, cause: Cause::Other }
    }

    pub(crate) fn usage(message: impl Display) -> Self {
        Self::with_code(USAGE, message)
    }

    pub(crate) fn unreachable(message: impl Display) -> Self {
        Self::with_code(UNREACHABLE, message)
    }

    pub(crate) fn unsaved(message: impl Display) -> Self {
        Self::with_code(UNSAVED, message)
    }

    pub(crate) fn interrupted() -> Self {
        Self::with_code(INTERRUPTED, "interrupted; the Keep was ended and nothing is left behind")
    }

    pub(crate) fn unread() -> Self {
        Self::with_code(UNREAD, "nobody reads the workload's output any more; the Keep was ended")
    }

    pub(crate) fn refused(refusals: Refusals) -> Self {
        Self::evidence_refused("the Keep is refused by the trust policy; nothing was sent to it", refusals)
    }

    /// Evidence is refused, for these reasons.
    pub(crate) fn evidence_refused(message: impl Display, refusals: Refusals) -> Self {
        let mut failure = Self::with_code(REFUSED, message);
        // One hint is enough to go on; the others are printed with their refusals.
        failure.hint =
            refusals.iter().find_map(|refusal| Some(refusal.hint.to_owned()).filter(|hint| !hint.is_empty()));
        failure.refusals = Some(refusals);
        failure
    }

    /// Says what kind of thing went wrong.
    pub(crate) fn because(mut self, cause: Cause) -> Self {
        self.cause = cause;
        self
    }

    pub(crate) fn cause(&self) -> Cause {
        self.cause
    }

    /// What went wrong, without what to do about it.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Says it in other words.
    pub(crate) fn saying(mut self, message: impl Display) -> Self {
        self.message = message.to_string();
        self
    }

    /// Adds what to do about it.
    pub(crate) fn hint(mut self, hint: impl Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    /// What to do about it.
    pub(crate) fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    pub(crate) fn code(&self) -> u8 {
        self.code
    }

    /// Why evidence was refused, if that is what went wrong.
    pub(crate) fn refusals(&self) -> Option<&Refusals> {
        self.refusals.as_ref()
    }

    /// Prints the failure on standard error.
    pub(crate) fn print(&self, format: Format) {
        match format {
            Format::Json => tell_json!(&self.to_json()),
            Format::Text | Format::Ear => tell!("{self}"),
        }
    }

    fn to_json(&self) -> serde_json::Value {
        let refusals: Vec<_> = self.refusals.iter().flat_map(|refusals| refusals.iter()).collect();
        json!({
            "event": "error",
            "exit_code": self.code,
            "message": self.message,
            "hint": self.hint,
            "refusals": refusals,
        })
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        if let Some(refusals) = &self.refusals {
            for refusal in refusals {
                write!(f, "\n  {refusal}")?;
            }
        }
        match &self.hint {
            Some(hint) => write!(f, "\n\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

/// Turns an operational error into a [`Failure`] together with its chain of causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Many libraries repeat the cause in their own message.
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
