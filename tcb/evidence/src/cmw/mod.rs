// SPDX-License-Identifier: Apache-2.0

//! Conceptual message wrappers (CMW, RFC 9999): evidence, endorsements or results with a word about what they are, so
//! that protocols can carry them without knowing them.
//!
//! A wrapper is a record (type, value, and optionally which conceptual messages the value has), in CBOR also a tag,
//! or a collection of wrappers under labels. All of them exist in CBOR, and records and collections in JSON. A
//! wrapper of the other encoding is carried as a record of its media type, `application/cmw+cbor` or
//! `application/cmw+json`, like any other message. Signed wrappers are not read here.

mod cbor;
mod json;

use alloc::string::String;
use alloc::vec::Vec;

use crate::{Bundle, Fault, ParseError};

pub(super) const FORMAT: &str = "conceptual message wrapper";

/// The label under which a collection has its own type.
const COLLECTION_TYPE: &str = "__cmwc_t";

/// A wrapper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cmw {
    /// One message (RFC 9999, section 3.1).
    Record(Record),
    /// One message as a CBOR tag that is derived from its content format (RFC 9999, section 3.2; RFC 9277,
    /// section 4.3). There is none in JSON.
    Tag(Tag),
    /// Several wrappers (RFC 9999, section 3.3).
    Collection(Collection),
}

/// A message with its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What the value is.
    pub kind: Kind,
    /// The message as its type prescribes.
    pub value: Vec<u8>,
    /// Which conceptual messages are inside, where the type does not say it.
    pub indicator: Option<Indicator>,
}

/// A message with its content format as a CBOR tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// The number in the registry "CoAP Content-Formats", at most [`Tag::MAX_FORMAT`].
    pub format: u16,
    /// The message as its format prescribes.
    pub value: Vec<u8>,
}

/// The type of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A media type, with parameters if it has any.
    MediaType(String),
    /// A number in the registry "CoAP Content-Formats". There are none in JSON.
    ContentFormat(u16),
}

/// Which conceptual messages (RFC 9334, section 8) a value has: a set of bits, never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Indicator(pub u32);

/// Wrappers under labels, each label once. Their order is kept, and means nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collection {
    /// What the collection is: a URI, or an object identifier in dots.
    pub kind: Option<String>,
    /// The wrappers; never empty.
    pub items: Vec<(Label, Cmw)>,
}

/// The label of a wrapper in a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Label {
    /// A number. There are none in JSON.
    Int(i64),
    /// A text, but not `__cmwc_t`.
    Text(String),
}

impl Indicator {
    /// Reference values.
    pub const REFERENCE_VALUES: Self = Self(1 << 0);
    /// Endorsements.
    pub const ENDORSEMENTS: Self = Self(1 << 1);
    /// Evidence.
    pub const EVIDENCE: Self = Self(1 << 2);
    /// Attestation results.
    pub const ATTESTATION_RESULTS: Self = Self(1 << 3);

    /// Both sets together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl Tag {
    /// Higher content formats have no tag.
    pub const MAX_FORMAT: u16 = 65024;
    const FIRST: u64 = 1_668_546_817;

    /// The tag of a content format (RFC 9277, section 4.3).
    pub fn number(format: u16) -> Option<u64> {
        let format = Some(format).filter(|format| *format <= Self::MAX_FORMAT).map(u64::from)?;
        Some(Self::FIRST.saturating_add(format / 255 * 256).saturating_add(format % 255))
    }

    /// The content format of a tag.
    pub fn format(number: u64) -> Option<u16> {
        let past = number.checked_sub(Self::FIRST)?;
        // The last number of every 256 belongs to no format.
        let format =
            (past / 256).checked_mul(255)?.checked_add(Some(past % 256).filter(|rest| *rest < 255)?)?;
        u16::try_from(format).ok().filter(|format| *format <= Self::MAX_FORMAT)
    }
}

impl Cmw {
    /// Limit of a wrapper in bytes.
    pub const MAX_BYTES: usize = 1 << 20;
    /// Limit of the number of wrappers in one collection.
    pub const MAX_ITEMS: usize = 64;
    /// Limit of collections inside of collections.
    pub const MAX_DEPTH: u8 = 4;
    /// Limit of types and labels in bytes.
    pub const MAX_TEXT: usize = 256;
    /// The media type of a [`Bundle`], which is not registered.
    pub const BUNDLE: &str = "application/vnd.enarx.bundle+cbor";

    /// Reads a wrapper in either encoding, which its first byte tells (RFC 9999, section 3.4).
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        if bytes.len() > Self::MAX_BYTES {
            let fault = Fault::TooLarge { limit: Self::MAX_BYTES };
            return Err(ParseError { format: FORMAT, field: "wrapper", offset: 0, fault });
        }
        match bytes.first() {
            Some(b'[' | b'{') => json::parse(bytes),
            _ => cbor::parse(bytes),
        }
    }

    /// The wrapper in CBOR; the inverse of [`Cmw::parse`], which keeps the order of labels.
    pub fn to_cbor(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// The wrapper in JSON. `None` if it has a tag, a content format or a number as label, which JSON has not.
    pub fn to_json(&self) -> Option<String> {
        json::encode(self)
    }

    /// Evidence and endorsements as a record.
    pub fn of_bundle(bundle: &Bundle) -> Self {
        Self::Record(Record {
            kind: Kind::MediaType(Self::BUNDLE.into()),
            value: bundle.encode(),
            indicator: Some(Indicator::EVIDENCE.and(Indicator::ENDORSEMENTS)),
        })
    }

    /// Evidence and endorsements, if that is what is in here.
    pub fn bundle(&self) -> Option<Result<Bundle, ParseError>> {
        match self {
            Self::Record(Record { kind: Kind::MediaType(kind), value, .. }) if kind == Self::BUNDLE => {
                Some(Bundle::decode(value))
            }
            _ => None,
        }
    }
}

impl Kind {
    /// Whether a text can be a media type, as far as it matters to tell it from other texts (RFC 9110,
    /// section 8.3.1): two names with a slash, then parameters.
    fn is_media_type(text: &str) -> bool {
        let (kind, rest) = text.split_once('/').unwrap_or_default();
        let subtype = rest.split(';').next().unwrap_or_default().trim_end();
        let token = |name: &str| {
            !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
        };
        token(kind)
            && !kind.starts_with('#')
            && token(subtype)
            && text.len() <= Cmw::MAX_TEXT
            && text.bytes().all(|byte| (0x20..0x7f).contains(&byte))
    }
}
