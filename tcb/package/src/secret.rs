// SPDX-License-Identifier: Apache-2.0

//! Values that must not outlive their use or reach a log.

use alloc::string::String;
use core::fmt;

use zeroize::Zeroizing;

/// Text that is erased when dropped and never printed.
///
/// There is no comparison: nothing here needs one, and a comparison of secrets that takes a different time for
/// different values is a mistake waiting to be made.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the value; the caller keeps no copy.
    pub fn new(value: String) -> Self {
        Self(Zeroizing::new(value))
    }

    /// Takes what was read from a file: UTF-8, less one line ending at the end, which editors and `echo` add and
    /// nobody means as a part of a password.
    ///
    /// Returns `None` for what is not UTF-8.
    pub fn from_file_contents(contents: &Zeroizing<alloc::vec::Vec<u8>>) -> Option<Self> {
        let text = core::str::from_utf8(contents).ok()?;
        let text = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
        Some(Self::new(String::from(text)))
    }

    /// The value itself. The name is long so that a reviewer finds every use.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}
