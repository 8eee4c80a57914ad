// SPDX-License-Identifier: Apache-2.0

//! Where something stands in a policy file.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

/// The text of a policy file.
pub(super) struct Source {
    /// What the file is called; `None` for a text without a name.
    pub(super) name: Option<String>,
    pub(super) text: String,
    /// Where lines end.
    newlines: Vec<usize>,
}

impl Source {
    pub(super) fn new(name: Option<&str>, text: &str) -> Arc<Self> {
        let newlines = text.match_indices('\n').map(|(offset, _)| offset).collect();
        Arc::new(Self { name: name.map(ToOwned::to_owned), text: text.to_owned(), newlines })
    }

    /// A place in the file; the end for what is beyond.
    pub(super) fn at(self: &Arc<Self>, offset: usize) -> Place {
        Place { source: Arc::clone(self), offset: offset.min(self.text.len()) }
    }
}

/// Where something stands in a policy file.
///
/// Finding the line takes no more than a binary search, so that every rule can know its place.
#[derive(Clone)]
pub struct Place {
    source: Arc<Source>,
    offset: usize,
}

impl Place {
    /// What the file is called; `None` for a text without a name.
    pub fn file(&self) -> Option<&str> {
        self.source.name.as_deref()
    }

    /// The line, from 1.
    pub fn line(&self) -> usize {
        self.lines_before().saturating_add(1)
    }

    /// The column in characters, from 1.
    pub fn column(&self) -> usize {
        let last = self.lines_before().checked_sub(1);
        let newline = last.and_then(|last| self.source.newlines.get(last));
        let start = newline.map_or(0, |newline| newline.saturating_add(1));
        let line = self.source.text.get(start..self.offset);
        line.map_or(0, |line| line.chars().count()).saturating_add(1)
    }

    /// How many bytes stand before it in its file.
    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    fn lines_before(&self) -> usize {
        self.source.newlines.partition_point(|newline| *newline < self.offset)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("name", &self.name).finish_non_exhaustive()
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.file() == other.file() && self.offset == other.offset
    }
}

impl Eq for Place {}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Place {
    /// `line 12`, or `line 12 of team.toml`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line())?;
        self.file().map_or(Ok(()), |file| write!(f, " of {file}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters() {
        let text = "a = 1\nüü = x\n";
        let source = Source::new(None, text);
        let place = source.at(text.find('x').unwrap());
        assert_eq!((place.line(), place.column()), (2, 6));
        let end = source.at(text.len() + 9);
        assert_eq!((end.line(), end.column()), (3, 1));
        let start = source.at(0);
        assert_eq!((start.line(), start.column()), (1, 1));
    }
}
