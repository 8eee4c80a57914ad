// SPDX-License-Identifier: Apache-2.0

//! Why a policy cannot be used, and where it says so.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use thiserror::Error;

use super::place::Place;

/// The policy is not one that can be evaluated; the first reason found.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}, column {column}: {message}")]
pub struct PolicyError {
    /// What the file is called that the reason stands in; `None` for a text without a name.
    pub file: Option<String>,
    /// Line of the reason, from 1.
    pub line: usize,
    /// Column of the reason in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl PolicyError {
    /// An error at a place.
    pub(super) fn at(place: &Place, message: impl Into<String>) -> Self {
        Self {
            file: place.file().map(ToOwned::to_owned),
            line: place.line(),
            column: place.column(),
            message: message.into(),
            hint: None,
        }
    }

    /// The same error with advice.
    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The same error with the nearest of the known words, or all of them.
    pub(super) fn did_you_mean(self, word: &str, known: &[&str]) -> Self {
        let nearest = nearest(word, known);
        self.hint(nearest.map_or_else(
            || format!("known here: {}", quoted(known)),
            |nearest| format!("did you mean `{nearest}`?"),
        ))
    }
}

/// Words in backticks, separated by commas.
pub(super) fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// The known word that takes the fewest edits to reach, if it is near enough to be what was meant.
fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    /// Nobody means a longer word, and the cost of a comparison is the product of the lengths.
    const LONGEST_WORD: usize = 40;
    if word.len() > LONGEST_WORD {
        return None;
    }
    let near = |known: &&str| edits(word, known) <= (known.len() / 3).max(1);
    known.iter().copied().filter(near).min_by_key(|known| edits(word, known))
}

/// Levenshtein distance, row by row.
fn edits(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut left = i + 1;
        let mut diagonal = core::mem::replace(&mut row, alloc::vec![left]).into_iter();
        let mut previous = diagonal.next().unwrap_or(i);
        for (b, above) in to.chars().zip(diagonal) {
            left = (above + 1).min(left + 1).min(previous + usize::from(a != b));
            row.push(left);
            previous = above;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edit_distance_counts_single_changes() {
        for (from, to, expected) in
            [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("milan", "milna", 2), ("genua", "genoa", 1)]
        {
            assert_eq!(edits(from, to), expected, "{from} to {to}");
        }
    }

    #[test]
    fn only_near_words_are_suggested() {
        let known = ["milan", "genoa", "turin"];
        assert_eq!(nearest("milano", &known), Some("milan"));
        assert_eq!(nearest("naples", &known), None);
        assert_eq!(nearest(&"m".repeat(41), &known), None);
    }
}
