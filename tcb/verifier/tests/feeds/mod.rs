// SPDX-License-Identifier: Apache-2.0

//! Signed feeds of advisories for one test program.

#![allow(dead_code, reason = "each test uses its own part")]

use std::fmt::Write as _;

use ed25519_dalek::{Signer as _, SigningKey};
use enarx_verifier::advisory::{Draft, Feed, FeedError, IssuerKey};

/// A feed without advisories.
pub(crate) const HEAD: &str = r#"feed = "example"
version = 3
issued = "2026-11-23"
expires = "2099-05-23"
issuer = "The example group"
"#;

/// The issuer with a number.
pub(crate) fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

pub(crate) fn issuer(number: u8) -> IssuerKey {
    IssuerKey(key(number).verifying_key().to_bytes())
}

/// A body that issuer 1 signed.
pub(crate) fn signed(body: &str) -> Feed {
    let draft = Draft::parse(body).unwrap_or_else(|error| panic!("{error}\n{body}"));
    sign(draft, 1).unwrap()
}

pub(crate) fn sign(draft: Draft, number: u8) -> Result<Feed, FeedError> {
    let signature = key(number).sign(&draft.message()).to_bytes();
    draft.signed(issuer(number), signature)
}

/// A body with one advisory about each of these.
pub(crate) fn about(affects: &[&str]) -> String {
    let mut body = HEAD.to_owned();
    for (number, affects) in affects.iter().enumerate() {
        write!(
            body,
            "[[advisory]]\nid = \"EXAMPLE-{number}\"\nsince = \"2026-11-20\"\nbecause = \"it is broken\"\n\
             references = [\"https://example.com/{number}\"]\n[[advisory.affects]]\n{affects}\n"
        )
        .unwrap();
    }
    body
}
