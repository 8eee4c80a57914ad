// SPDX-License-Identifier: Apache-2.0

//! The token: platform token and realm token in one collection.

use alloc::vec::Vec;

use minicbor::data::Tag;

use super::{PlatformClaims, RealmClaims};
use crate::cbor::{Label, Reader};
use crate::cose::{Sign1, written};
use crate::{Fault, ParseError};

const FORMAT: &str = "CCA token";

const PLATFORM: i64 = 44234;
const REALM: i64 = 44241;

/// CoAP content format of `application/eat+cwt`.
const EAT_CWT: u64 = 263;

/// Limit of one of the two tokens in bytes.
const MAX_TOKEN: usize = 32 * 1024;

/// How the two tokens are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wrapping {
    /// CBOR tag 399: a map of byte strings (RMM 1.0; token draft, version 00).
    Collection,
    /// CBOR tag 907: a CMW collection, each token with its content format (RMM 2.0; token draft, version 02).
    Cmw,
}

impl Wrapping {
    const fn tag(self) -> u64 {
        match self {
            Self::Collection => 399,
            Self::Cmw => 907,
        }
    }
}

/// A token, parsed but not believed: each part as it was signed, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token<'a> {
    /// How the parts were put together.
    pub wrapping: Wrapping,
    /// The platform token, signed by the platform's key.
    pub platform: Sign1<'a>,
    /// The realm token, signed by the realm's attestation key.
    pub realm: Sign1<'a>,
    /// What the platform token says.
    pub platform_claims: PlatformClaims,
    /// What the realm token says.
    pub realm_claims: RealmClaims,
}

impl<'a> Token<'a> {
    /// Reads one token and nothing after it. A collection with anything beside the two tokens, such as claims
    /// about devices, is refused: nothing signs them.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        let mut reader = Reader::new(FORMAT, bytes);
        let wrapping = match reader.tag("tag")? {
            399 => Wrapping::Collection,
            907 => Wrapping::Cmw,
            found => return Err(reader.error("tag", 0, Fault::Unsupported { found })),
        };
        let mut entries = reader.map("collection", 2)?;
        let mut part = |label, field| {
            let at = reader.offset();
            match reader.label(&mut entries, field)? {
                Some(Label::Int(found)) if found == label => token(&mut reader, wrapping, field),
                Some(_) => Err(reader.error(field, at, Fault::Malformed)),
                None => Err(reader.missing(field)),
            }
        };
        let platform = part(PLATFORM, "cca-platform-token")?;
        let realm = part(REALM, "cca-realm-delegated-token")?;
        reader.finish()?;
        let (platform, realm) = (Sign1::parse(platform)?, Sign1::parse(realm)?);
        Ok(Self {
            wrapping,
            platform,
            realm,
            platform_claims: PlatformClaims::parse(platform.payload)?,
            realm_claims: RealmClaims::parse(realm.payload)?,
        })
    }

    /// The token as bytes; the inverse of [`Token::parse`]. The signed bytes are written, not the claims.
    pub fn encode(&self) -> Vec<u8> {
        Self::wrap(self.wrapping, &self.platform.encode(), &self.realm.encode())
    }

    /// Puts a platform token and a realm token together, each a `COSE_Sign1`.
    pub fn wrap(wrapping: Wrapping, platform: &[u8], realm: &[u8]) -> Vec<u8> {
        written(|encoder| {
            encoder.tag(Tag::new(wrapping.tag()))?.map(2)?;
            for (label, token) in [(PLATFORM, platform), (REALM, realm)] {
                encoder.i64(label)?;
                if wrapping == Wrapping::Cmw {
                    encoder.array(2)?.u64(EAT_CWT)?;
                }
                encoder.bytes(token)?;
            }
            Ok(())
        })
    }
}

fn token<'a>(
    reader: &mut Reader<'a>,
    wrapping: Wrapping,
    field: &'static str,
) -> Result<&'a [u8], ParseError> {
    if wrapping == Wrapping::Cmw {
        let at = reader.offset();
        if reader.array(field, 2)? != 2 {
            return Err(reader.error(field, at, Fault::Malformed));
        }
        let at = reader.offset();
        let found = reader.unsigned(field)?;
        if found != EAT_CWT {
            return Err(reader.error(field, at, Fault::Unsupported { found }));
        }
    }
    reader.bytes(field, MAX_TOKEN)
}
