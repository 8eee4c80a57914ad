// SPDX-License-Identifier: Apache-2.0

//! Advisories: somebody whom the relying party trusts says which platforms and Keeps are no longer to be trusted.
//!
//! Advisories come in a *feed*: a file of TOML that people can read, below a head with the key of its *issuer* and a
//! signature over every byte that follows.
//!
//! ```text
//! enarx advisory feed 1
//! issuer ed25519:<64 hexadecimal digits>
//! signature <128 hexadecimal digits>
//!
//! feed = "example-bulletins"             # its name; each new version has the same
//! version = 3                            # grows with each new version
//! issued = "2026-11-23"
//! expires = "2027-05-23"                 # absent: never
//! issuer = "The example group"           # for people: what counts is the key
//!
//! [[advisory]]
//! id = "EXAMPLE-2026-1"                  # unique in the feed
//! since = "2026-11-20"
//! because = "what is wrong"
//! references = ["https://..."]           # where to read more
//!
//! [[advisory.affects]]                   # one of them suffices; of its keys, each has to apply
//! vendor = "amd"                         # these are the words of a rule of a policy, `tee`, `products`, `steppings`,
//! products = ["milan"]                   # `chip_ids`, `fmspcs` and so on; only `keeps` can stand without a vendor
//! tcb_below = { microcode = 219 }        # AMD: one level of any TCB version of the report is lower
//! tcb_date_before = "2024-03-13"         # Intel: of platform, TDX module or quoting enclave
//! tdx_modules = ["sha384:..."]           # Intel: MRSEAM
//! components = ["sha256:..."]            # Arm CCA: measurement of a component of the platform
//! keeps = ["sha384:..."]                 # measurements of Keeps
//! ```
//!
//! A feed can only deny: nothing in it makes acceptable what the policy refuses. What evidence does not tell counts as
//! affected, so that a host gains nothing by hiding its chip or by sending a report of an old version.
//!
//! The signature is Ed25519 (RFC 8032) over the label `enarx advisory feed 1`, a zero byte and the body. There is
//! one way to write the head, and nothing else says who signed and when: everybody who has the issuer's key makes the
//! same bytes, so that a group can warn others without saying which of its members was hit.

mod affects;
mod describe;
mod envelope;
mod error;
mod model;

use alloc::string::String;
use alloc::vec::Vec;

use sha2::{Digest as _, Sha256};

pub use error::FeedError;
pub use model::{Advisory, Affects, Contents, Day, TcbLevels};

use crate::UnixTime;
use crate::policy::feed;
use envelope::Envelope;

/// Longest feed that is read.
pub const MAX_FEED_BYTES: usize = 1 << 20;

/// The key of an issuer: Ed25519, 32 bytes. Its text is `ed25519:` and 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IssuerKey(pub [u8; 32]);

/// A commented feed to start from.
pub fn template() -> &'static str {
    include_str!("template.toml")
}

/// A feed that nobody has signed. It does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    body: String,
    contents: Contents,
}

impl Draft {
    /// Reads a feed without its head.
    pub fn parse(body: &str) -> Result<Self, FeedError> {
        if body.len() > MAX_FEED_BYTES {
            return Err(FeedError::TooLong { bytes: body.len() });
        }
        Ok(Self { contents: feed::read(body)?, body: body.into() })
    }

    /// What it says.
    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    /// The bytes that an issuer signs.
    pub fn message(&self) -> Vec<u8> {
        envelope::message(&self.body)
    }

    /// The feed with the issuer's signature (64 bytes) of [`Self::message`], which has to verify.
    pub fn signed(self, issuer: IssuerKey, signature: [u8; 64]) -> Result<Feed, FeedError> {
        let text = Envelope { issuer, signature, body: &self.body }.encode();
        Feed::parse(text.as_bytes(), &[issuer])
    }
}

/// A feed that was signed by an issuer whom the relying party named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    text: String,
    issuer: IssuerKey,
    digest: [u8; 32],
    contents: Contents,
    accept_expired: bool,
}

impl Feed {
    /// Reads a feed that has to be signed by one of `issuers`. Nothing of it is looked at before.
    pub fn parse(bytes: &[u8], issuers: &[IssuerKey]) -> Result<Self, FeedError> {
        let envelope = Envelope::decode(bytes)?;
        if !issuers.contains(&envelope.issuer) {
            return Err(FeedError::IssuerNotNamed { found: envelope.issuer });
        }
        envelope.verify()?;
        let Envelope { issuer, body, .. } = envelope;
        let contents = feed::read(body)?;
        let digest = Sha256::digest(body).into();
        Ok(Self { text: envelope.encode(), issuer, digest, contents, accept_expired: false })
    }

    /// The same feed, which refuses nothing for the reason alone that it is past its `expires`. What it denies stays
    /// denied; what its issuer found out since is not known.
    #[must_use]
    pub fn accepting_expired(self) -> Self {
        Self { accept_expired: true, ..self }
    }

    /// The whole file.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whose signature it has.
    pub fn issuer(&self) -> IssuerKey {
        self.issuer
    }

    /// SHA-256 of what is signed, without the label: two feeds of one issuer with the same name and version have to
    /// have the same.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// What it says.
    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    /// Whether it is past its `expires`.
    pub fn expired(&self, now: UnixTime) -> bool {
        self.contents.expires.is_some_and(|day| now >= day.end())
    }

    pub(crate) fn accepts_expired(&self) -> bool {
        self.accept_expired
    }
}
