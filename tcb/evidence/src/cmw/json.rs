// SPDX-License-Identifier: Apache-2.0

//! Wrappers in JSON.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{Error as _, SerializeMap as _, SerializeSeq as _};
use serde::{Deserializer, Serialize, Serializer};

use super::{COLLECTION_TYPE, Cmw, Collection, FORMAT, Indicator, Kind, Label, Record};
use crate::{Fault, ParseError};

pub(super) fn parse(bytes: &[u8]) -> Result<Cmw, ParseError> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let cmw = Node { depth: Cmw::MAX_DEPTH }.deserialize(&mut deserializer);
    cmw.and_then(|cmw| deserializer.end().map(|()| cmw)).map_err(|error| {
        let fault = if error.is_eof() { Fault::Truncated } else { Fault::Malformed };
        let before = bytes.split_inclusive(|byte| *byte == b'\n').take(error.line().saturating_sub(1));
        let offset = before.map(<[u8]>::len).fold(error.column().saturating_sub(1), usize::saturating_add);
        ParseError { format: FORMAT, field: "JSON", offset, fault }
    })
}

/// A wrapper with so many collections around it as are left.
struct Node {
    depth: u8,
}

impl<'de> DeserializeSeed<'de> for Node {
    type Value = Cmw;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cmw, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node {
    type Value = Cmw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record or a collection")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut fields: A) -> Result<Cmw, A::Error> {
        let kind = fields.next_element::<Cow<'de, str>>()?.filter(|kind| Kind::is_media_type(kind));
        let kind = kind.ok_or_else(|| A::Error::custom("no media type"))?;
        let value = fields.next_element::<Cow<'de, str>>()?;
        let value = value.ok_or_else(|| A::Error::custom("no value"))?;
        let value = Base64UrlUnpadded::decode_vec(&value).map_err(|_| A::Error::custom("not base64url"))?;
        let indicator = fields.next_element::<u32>()?;
        if indicator == Some(0) || fields.next_element::<IgnoredAny>()?.is_some() {
            return Err(A::Error::custom("an empty indicator, or something after it"));
        }
        let kind = Kind::MediaType(kind.into_owned());
        Ok(Cmw::Record(Record { kind, value, indicator: indicator.map(Indicator) }))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Cmw, A::Error> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| A::Error::custom("nested too deeply"))?;
        let (mut kind, mut items) = (None, Vec::new());
        while let Some(label) = entries.next_key::<String>()? {
            if label == COLLECTION_TYPE {
                let found = entries.next_value::<String>()?;
                if found.len() > Cmw::MAX_TEXT || kind.replace(found).is_some() {
                    return Err(A::Error::custom("a type of a collection twice, or a long one"));
                }
                continue;
            }
            let label = Label::Text(label);
            let twice = items.iter().any(|(known, _)| *known == label);
            let long = matches!(&label, Label::Text(text) if text.len() > Cmw::MAX_TEXT);
            if twice || long || items.len() >= Cmw::MAX_ITEMS {
                return Err(A::Error::custom("a label twice, a long one, or too many"));
            }
            items.push((label, entries.next_value_seed(Node { depth })?));
        }
        if items.is_empty() {
            return Err(A::Error::custom("an empty collection"));
        }
        Ok(Cmw::Collection(Collection { kind, items }))
    }
}

pub(super) fn encode(cmw: &Cmw) -> Option<String> {
    serde_json::to_string(&Written(cmw)).ok()
}

struct Written<'a>(&'a Cmw);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Cmw::Record(Record { kind: Kind::MediaType(kind), value, indicator }) => {
                let mut fields = serializer.serialize_seq(None)?;
                fields.serialize_element(kind)?;
                fields.serialize_element(&Base64UrlUnpadded::encode_string(value))?;
                if let Some(indicator) = indicator {
                    fields.serialize_element(&indicator.0)?;
                }
                fields.end()
            }
            Cmw::Collection(collection) => {
                let mut entries = serializer.serialize_map(None)?;
                if let Some(kind) = &collection.kind {
                    entries.serialize_entry(COLLECTION_TYPE, kind)?;
                }
                for (label, item) in &collection.items {
                    let Label::Text(label) = label else {
                        return Err(S::Error::custom("a number as label"));
                    };
                    entries.serialize_entry(label, &Written(item))?;
                }
                entries.end()
            }
            Cmw::Record(_) | Cmw::Tag(_) => Err(S::Error::custom("a content format")),
        }
    }
}
