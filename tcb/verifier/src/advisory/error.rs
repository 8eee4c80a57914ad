// SPDX-License-Identifier: Apache-2.0

//! Why a feed cannot be used.

use thiserror::Error;

use super::{IssuerKey, MAX_FEED_BYTES};
use crate::policy::PolicyError;

/// A feed of advisories that does not count.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FeedError {
    /// It is longer than [`MAX_FEED_BYTES`].
    #[error("the feed has {bytes} bytes, more than {MAX_FEED_BYTES}")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// The head is not as it is written.
    #[error("this is not a signed feed of advisories: {what}")]
    Head {
        /// What is wrong with it.
        what: &'static str,
    },
    /// The head names an issuer whom the relying party did not.
    #[error("the feed is signed by {found}, which is not an issuer that you named")]
    IssuerNotNamed {
        /// The key that the feed names.
        found: IssuerKey,
    },
    /// The signature does not verify.
    #[error("the signature of the feed is not that of {issuer}")]
    Signature {
        /// Whose signature it should be.
        issuer: IssuerKey,
    },
    /// What is signed cannot be read. The place is counted from the first line after the head.
    #[error(transparent)]
    Body(#[from] PolicyError),
    /// The text of a key is not `ed25519:` and 64 hexadecimal digits.
    #[error("the key of an issuer is `ed25519:` and 64 hexadecimal digits in lower case")]
    Key,
}
