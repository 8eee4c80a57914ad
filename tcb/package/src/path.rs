// SPDX-License-Identifier: Apache-2.0

//! Paths inside a Keep.
//!
//! A [`GuestPath`] has exactly one spelling for each place: absolute, `/` between components, no `.`, no `..`, no
//! empty component. Two different values are two different places, which the digest and the check for overlapping
//! data rely on.

use alloc::string::{String, ToString as _};
use core::fmt;

/// Longest path, as `PATH_MAX` on Linux.
pub const MAX_PATH_BYTES: usize = 4096;
/// Longest component, as `NAME_MAX` on Linux.
pub const MAX_NAME_BYTES: usize = 255;
/// Deepest path, so that work per path is bounded.
pub const MAX_DEPTH: usize = 64;

/// An absolute, normalised path inside a Keep.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GuestPath(String);

/// Why a text is not a [`GuestPath`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// Does not begin with `/`.
    #[error("a path inside the Keep begins with `/`")]
    NotAbsolute,
    /// Has a second spelling: an empty component, `.`, `..` or a `/` at the end.
    #[error("a path inside the Keep has no empty, `.` or `..` component and no `/` at its end")]
    NotNormalised,
    /// Has a character that no file name may have.
    #[error("a path inside the Keep has no control characters")]
    Control,
    /// Is longer than [`MAX_PATH_BYTES`].
    #[error("a path inside the Keep has at most {MAX_PATH_BYTES} bytes")]
    TooLong,
    /// Has a component longer than [`MAX_NAME_BYTES`].
    #[error("a component of a path inside the Keep has at most {MAX_NAME_BYTES} bytes")]
    NameTooLong,
    /// Is deeper than [`MAX_DEPTH`].
    #[error("a path inside the Keep has at most {MAX_DEPTH} components")]
    TooDeep,
}

impl GuestPath {
    /// Checks a path; nothing is rewritten.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        if text.len() > MAX_PATH_BYTES {
            return Err(PathError::TooLong);
        }
        let relative = text.strip_prefix('/').ok_or(PathError::NotAbsolute)?;
        if text.chars().any(char::is_control) {
            return Err(PathError::Control);
        }
        if relative.is_empty() {
            return Ok(Self(text.to_string()));
        }
        for (index, name) in relative.split('/').enumerate() {
            if index >= MAX_DEPTH {
                return Err(PathError::TooDeep);
            }
            if matches!(name, "" | "." | "..") {
                return Err(PathError::NotNormalised);
            }
            if name.len() > MAX_NAME_BYTES {
                return Err(PathError::NameTooLong);
            }
        }
        Ok(Self(text.to_string()))
    }

    /// The path of `relative` (components separated by `/`) below this one.
    pub fn join(&self, relative: &str) -> Result<Self, PathError> {
        let mut text = String::with_capacity(self.0.len() + 1 + relative.len());
        text.push_str(self.0.trim_end_matches('/'));
        text.push('/');
        text.push_str(relative);
        Self::parse(&text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is `/`.
    pub fn is_root(&self) -> bool {
        self.0 == "/"
    }

    /// The directory this path is in; `None` for `/`.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        let (parent, _) = self.0.rsplit_once('/')?;
        Some(Self(if parent.is_empty() { "/".to_string() } else { parent.to_string() }))
    }

    /// The components, outermost first; none for `/`.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|name| !name.is_empty())
    }

    /// Whether `other` is this path or below it.
    pub fn contains(&self, other: &Self) -> bool {
        self.is_root()
            || other.0.strip_prefix(&self.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl fmt::Display for GuestPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::str::FromStr for GuestPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        Self::parse(text)
    }
}
