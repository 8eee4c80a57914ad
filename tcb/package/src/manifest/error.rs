// SPDX-License-Identifier: Apache-2.0

//! What can be wrong with a manifest, and how to put it right.

use alloc::format;
use alloc::string::{String, ToString as _};

use super::MAX_MANIFEST_BYTES;
use crate::limits::LimitError;
use crate::path::{GuestPath, PathError};

/// A mistake in `Enarx.toml` and where it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct ManifestError {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The mistake.
    #[source]
    pub problem: Problem,
}

/// A mistake in a manifest, or in something that was to be added to one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// More than [`MAX_MANIFEST_BYTES`].
    #[error("the manifest has {bytes} bytes, more than {MAX_MANIFEST_BYTES}")]
    TooLarge {
        /// How many there are.
        bytes: usize,
    },
    /// Not TOML.
    #[error("{message}")]
    Syntax {
        /// What the TOML parser says.
        message: String,
    },
    /// A key that means nothing here.
    #[error("unknown key `{key}` in {place}")]
    UnknownKey {
        /// The key.
        key: String,
        /// The table it is in.
        place: &'static str,
        /// The key that was probably meant.
        suggestion: Option<&'static str>,
    },
    /// A key that has to be there.
    #[error("{place} needs the key `{key}`")]
    MissingKey {
        /// The key.
        key: &'static str,
        /// The table it should be in.
        place: &'static str,
    },
    /// A value of another type.
    #[error("`{key}` is {found}, and must be {expected}")]
    WrongType {
        /// The key.
        key: String,
        /// The type it must have.
        expected: &'static str,
        /// The type it has.
        found: &'static str,
    },
    /// One of a few words was expected.
    #[error("`{value}` is not a value of `{key}`")]
    UnknownValue {
        /// The key.
        key: &'static str,
        /// The value.
        value: String,
        /// What it can be.
        known: &'static [&'static str],
        /// The one that was probably meant.
        suggestion: Option<&'static str>,
    },
    /// A key that has no meaning together with another.
    #[error("`{key}` has no meaning in a file of kind `{kind}`")]
    NotForKind {
        /// The key.
        key: String,
        /// The kind of the entry.
        kind: String,
    },
    /// Not a port.
    #[error("`{key}` is {value}, and must be from 0 to 65535")]
    Port {
        /// The key.
        key: &'static str,
        /// What was written.
        value: String,
    },
    /// A short text that breaks a rule.
    #[error("`{text}`: {why}")]
    Text {
        /// The text.
        text: String,
        /// The rule.
        why: &'static str,
    },
    /// A value that breaks a rule.
    #[error("{why}")]
    Value {
        /// The rule.
        why: &'static str,
    },
    /// A variable with two values.
    #[error("the variable `{name}` is given twice")]
    VariableTwice {
        /// Its name.
        name: String,
    },
    /// A secret without one source.
    #[error("the secret `{name}` needs one source, `env` or `file`")]
    SecretSource {
        /// Its name.
        name: String,
    },
    /// Not a path inside a Keep.
    #[error("`{path}`: {why}")]
    Path {
        /// What was written.
        path: String,
        /// The rule it breaks.
        why: PathError,
    },
    /// Two data entries in one place.
    #[error("the data at `{guest}` overlaps the data at `{other}`")]
    DataOverlaps {
        /// The later one.
        guest: GuestPath,
        /// The earlier one.
        other: GuestPath,
    },
    /// More than a maximum.
    #[error("more than {maximum} {what}")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How much there may be.
        maximum: usize,
    },
    /// A limit that cannot be had.
    #[error(transparent)]
    Limit(LimitError),
}

impl ManifestError {
    /// How to put it right, where that is known.
    pub fn hint(&self) -> Option<String> {
        self.problem.hint()
    }
}

impl Problem {
    /// How to put it right, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownKey { suggestion: Some(known), .. }
            | Self::UnknownValue { suggestion: Some(known), .. } => Some(format!("did you mean `{known}`?")),
            Self::UnknownValue { known, .. } => Some(format!("known values: `{}`", known.join("`, `"))),
            Self::WrongType { key, expected: "a string", found } if *found != "a table" => {
                Some(format!("put the value of `{key}` in double quotes"))
            }
            Self::Path { path, why: PathError::NotAbsolute } => {
                Some(format!("did you mean `/{}`?", path.trim_start_matches("./")))
            }
            Self::VariableTwice { .. } => {
                Some("a variable stands in `[env]` or in `[secrets]`, not in both".to_string())
            }
            Self::SecretSource { name } => Some(format!("write `{name} = {{ env = \"{name}\" }}`")),
            _ => None,
        }
    }
}
