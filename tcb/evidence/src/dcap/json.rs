// SPDX-License-Identifier: Apache-2.0

//! JSON as Intel's service serves it: hexadecimal numbers, dates and lists with limits.
//!
//! Every document has a version and no member that its version does not define: a member that is not understood
//! might change what the others mean.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use ::der::DateTime;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::status::TcbStatus;
use crate::{Fault, ParseError};

/// Limit of a document in bytes. Intel's are below 11 KB.
pub(super) const MAX_DOCUMENT: usize = 64 * 1024;
/// Limit of the identifier of an advisory, such as `INTEL-SA-00837`, in bytes.
const MAX_ADVISORY: usize = 32;
/// Limit of the number of advisories of one level. Intel's have 30 at most.
const MAX_ADVISORIES: usize = 256;

/// Reads a whole document.
pub(super) fn from_slice<'a, T: Deserialize<'a>>(
    format: &'static str,
    bytes: &'a [u8],
) -> Result<T, ParseError> {
    if bytes.len() > MAX_DOCUMENT {
        let fault = Fault::TooLarge { limit: MAX_DOCUMENT };
        return Err(ParseError { format, field: "JSON", offset: 0, fault });
    }
    serde_json::from_slice(bytes).map_err(|error| ParseError {
        format,
        field: "JSON",
        offset: offset(bytes, error.line(), error.column()),
        fault: if error.is_eof() { Fault::Truncated } else { Fault::Malformed },
    })
}

/// The offset of a column of a line, both counted from 1.
fn offset(bytes: &[u8], line: usize, column: usize) -> usize {
    let before = bytes.split_inclusive(|byte| *byte == b'\n').take(line.saturating_sub(1));
    before.map(<[u8]>::len).fold(column.saturating_sub(1), usize::saturating_add)
}

/// A fixed number of bytes as hexadecimal digits, upper or lower case; written in upper case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hex<const N: usize>(pub(super) [u8; N]);

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&str>::deserialize(deserializer)?;
        decode(text).map(Self).ok_or_else(|| D::Error::custom("not hexadecimal, or not of this length"))
    }
}

impl<const N: usize> Serialize for Hex<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<const N: usize> fmt::Display for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        let [high, low] = pair.map(|digit| char::from(digit).to_digit(16));
        *byte = u8::try_from(high?.checked_mul(16)?.checked_add(low?)?).ok()?;
    }
    Some(bytes)
}

/// A moment as RFC 3339 has it, in UTC and whole seconds: `2025-06-19T10:16:03Z`, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Date(pub(super) u64);

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let date = <&str>::deserialize(deserializer)?.parse::<DateTime>();
        date.map(|date| Self(date.unix_duration().as_secs())).map_err(|_| D::Error::custom("not a date"))
    }
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let date = DateTime::from_unix_duration(Duration::from_secs(self.0));
        serializer.collect_str(&date.map_err(|_| S::Error::custom("after the year 9999"))?)
    }
}

impl<'de> Deserialize<'de> for TcbStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let status = Self::from_name(<&str>::deserialize(deserializer)?);
        status.filter(|status| status.is_published()).ok_or_else(|| D::Error::custom("not a status"))
    }
}

impl Serialize for TcbStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// The identifiers of security advisories.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub(super) struct Advisories(pub(super) Vec<String>);

impl Advisories {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'de> Deserialize<'de> for Advisories {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        list::<_, &str, MAX_ADVISORIES>(deserializer)?
            .into_iter()
            .map(|id| {
                let plain = id.bytes().all(|byte| byte.is_ascii_graphic());
                let named = plain && (1..=MAX_ADVISORY).contains(&id.len());
                named.then(|| String::from(id)).ok_or_else(|| D::Error::custom("not an advisory"))
            })
            .collect::<Result<Vec<_>, _>>()
            .map(Self)
    }
}

/// An array of at most `MAX` items.
pub(super) fn list<'de, D, T, const MAX: usize>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_seq(List::<T, MAX>(core::marker::PhantomData))
}

struct List<T, const MAX: usize>(core::marker::PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for List<T, MAX> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {MAX} items")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
        let mut found = Vec::new();
        while let Some(item) = items.next_element()? {
            if found.len() >= MAX {
                return Err(A::Error::custom("too many items"));
            }
            found.push(item);
        }
        Ok(found)
    }
}
