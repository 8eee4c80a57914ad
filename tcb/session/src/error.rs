// SPDX-License-Identifier: Apache-2.0

//! Why a session ends early. The kinds are kept apart: bytes that are wrong, decisions, and calls out of turn.

use crate::tls::TlsError;
use crate::wire::{Refusal, WireError};

/// Why a session cannot go on. Except for [`SessionError::OutOfTurn`] it ends the session.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The protected stream under the session.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Bytes of the peer, inside the protected stream.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The evidence that the Keep sent is not evidence in any known format.
    #[error("the Keep sent malformed evidence: {0}")]
    Evidence(enarx_evidence::ParseError),
    /// A decision of this end.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// No randomness.
    #[error(transparent)]
    Entropy(#[from] crate::EntropyError),
    /// The caller asks for what the session is not ready for; nothing happened.
    #[error("`{call}` is not possible {state}")]
    OutOfTurn {
        /// The method.
        call: &'static str,
        /// Why not.
        state: &'static str,
    },
    /// The caller pushed far more than it took out by `next_event`.
    #[error("more than {limit} bytes were pushed that nobody took")]
    Overrun {
        /// The bytes a session holds.
        limit: usize,
    },
}
