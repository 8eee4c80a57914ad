// SPDX-License-Identifier: Apache-2.0

//! The head of a signed feed: who signed, and the signature over what follows. There is one way to write it.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use ed25519_dalek::{Signature, VerifyingKey};

use super::{FeedError, IssuerKey, MAX_FEED_BYTES};

/// The first line of a feed, and with a zero byte what goes before the body when it is signed: so that no signature for
/// another purpose is one of a feed.
const LABEL: &str = "enarx advisory feed 1";
const KEY_PREFIX: &str = "ed25519:";

/// The parts of a signed feed.
pub(super) struct Envelope<'a> {
    pub(super) issuer: IssuerKey,
    pub(super) signature: [u8; 64],
    pub(super) body: &'a str,
}

/// What is signed.
pub(super) fn message(body: &str) -> Vec<u8> {
    [LABEL.as_bytes(), &[0], body.as_bytes()].concat()
}

impl<'a> Envelope<'a> {
    /// Takes a feed apart, without looking at the signature or the body.
    pub(super) fn decode(bytes: &'a [u8]) -> Result<Self, FeedError> {
        let head = |what| FeedError::Head { what };
        if bytes.len() > MAX_FEED_BYTES {
            return Err(FeedError::TooLong { bytes: bytes.len() });
        }
        let text = core::str::from_utf8(bytes).map_err(|_| head("it is not UTF-8"))?;
        let (label, rest) = text.split_once('\n').ok_or(head("it has no head"))?;
        if label != LABEL {
            return Err(head("its first line is not `enarx advisory feed 1`"));
        }
        let (issuer, rest) = rest.split_once('\n').ok_or(head("it has no issuer"))?;
        let issuer = issuer.strip_prefix("issuer ").and_then(|key| key.parse().ok());
        let issuer =
            issuer.ok_or(head("its second line is not `issuer ed25519:` and 64 hexadecimal digits"))?;
        let (signature, rest) = rest.split_once('\n').ok_or(head("it has no signature"))?;
        let signature = signature.strip_prefix("signature ").and_then(digits);
        let signature =
            signature.ok_or(head("its third line is not `signature` and 128 hexadecimal digits"))?;
        let body = rest.strip_prefix('\n').ok_or(head("no empty line follows its signature"))?;
        Ok(Self { issuer, signature, body })
    }

    /// The text that [`Self::decode`] reads.
    pub(super) fn encode(&self) -> String {
        let Self { issuer, signature, body } = self;
        format!("{LABEL}\nissuer {issuer}\nsignature {}\n\n{body}", hex::encode(signature))
    }

    /// Checks the signature. Strictly, so that nobody can make a second one from it.
    pub(super) fn verify(&self) -> Result<(), FeedError> {
        let signature = Signature::from_bytes(&self.signature);
        let key = VerifyingKey::from_bytes(&self.issuer.0);
        let verified = key.is_ok_and(|key| key.verify_strict(&message(self.body), &signature).is_ok());
        if verified { Ok(()) } else { Err(FeedError::Signature { issuer: self.issuer }) }
    }
}

impl fmt::Display for IssuerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{KEY_PREFIX}{}", hex::encode(self.0))
    }
}

impl FromStr for IssuerKey {
    type Err = FeedError;

    fn from_str(text: &str) -> Result<Self, FeedError> {
        text.strip_prefix(KEY_PREFIX).and_then(digits).map(Self).ok_or(FeedError::Key)
    }
}

/// Hexadecimal digits in lower case, and no others.
fn digits<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    hex::decode_to_slice(text, &mut bytes).ok().map(|()| bytes)
}
