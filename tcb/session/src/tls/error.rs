// SPDX-License-Identifier: Apache-2.0

//! What can happen to the protected stream, in the words of this crate: callers match on causes, not on rustls.

use alloc::string::{String, ToString};

use rustls::{CertificateError, Error};

/// Why the protected stream failed. The host can cause each of these at any time; none of them loses a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// Replayed, reordered, changed or dropped bytes, or a peer with other keys.
    #[error("a record of the session does not decrypt: it was changed, dropped, reordered or replayed")]
    Record,
    /// The Keep at the other end is not the known one.
    #[error("the other end is not the known Keep")]
    AnotherKeep,
    /// The peer does not hold the identity key that it shows.
    #[error("the other end does not hold the identity key that it shows")]
    HandshakeSignature,
    /// The transport ended, and the peer had not said that it would.
    #[error("the connection was cut off")]
    Truncated,
    /// The peer ended the session with an alert.
    #[error("the other end gave up: {description}")]
    Alert {
        /// The alert's name in RFC 8446 section 6.
        description: String,
    },
    /// The peer does not speak this protocol.
    #[error("the other end does not speak the protocol: {detail}")]
    Protocol {
        /// What is wrong.
        detail: String,
    },
    /// This end failed: no randomness, or a defect.
    #[error("TLS failed at this end: {detail}")]
    Internal {
        /// What is wrong.
        detail: String,
    },
}

/// What rustls says of the peer's bytes, in the words of this crate.
pub(super) fn theirs(error: Error) -> TlsError {
    match error {
        Error::DecryptError => TlsError::Record,
        Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure) => TlsError::AnotherKeep,
        Error::InvalidCertificate(CertificateError::BadSignature) => TlsError::HandshakeSignature,
        Error::AlertReceived(alert) => TlsError::Alert { description: alloc::format!("{alert:?}") },
        Error::FailedToGetRandomBytes | Error::EncryptError => internal(&error),
        error => TlsError::Protocol { detail: error.to_string() },
    }
}

/// What went wrong at this end.
pub(crate) fn internal(error: &impl ToString) -> TlsError {
    TlsError::Internal { detail: error.to_string() }
}
