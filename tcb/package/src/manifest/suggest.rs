// SPDX-License-Identifier: Apache-2.0

//! "Did you mean": the known word that is nearest to an unknown one.

use alloc::vec::Vec;

/// Words longer than this are not compared; no known word is near them.
const MAX_WORD: usize = 32;
/// One letter in this many may differ, in a short word at least one.
const LETTERS_PER_MISTAKE: usize = 3;

/// The nearest of `known`, if it is near enough to be what was meant.
pub(super) fn nearest(word: &str, known: &[&'static str]) -> Option<&'static str> {
    if word.chars().count() > MAX_WORD {
        return None;
    }
    let word = word.to_lowercase().replace('-', "_");
    known
        .iter()
        .map(|known| (distance(&word, known), *known))
        .filter(|(distance, known)| *distance <= (known.len().min(word.len()) / LETTERS_PER_MISTAKE).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
        // `arguments` for `args`, `environment` for `env`.
        .or_else(|| known.iter().copied().find(|known| known.len() >= 3 && word.starts_with(prefix(known))))
}

fn prefix(word: &str) -> &str {
    word.get(..3).unwrap_or(word)
}

/// Insertions, deletions, replacements and swaps of neighbours from one word to the other (Levenshtein, Damerau).
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    let mut above_row: Option<(char, Vec<usize>)> = None;
    for (line, letter) in left.chars().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        next.push(line + 1);
        for (column, (pair, other)) in row.windows(2).zip(&right).enumerate() {
            let [diagonal, above] = pair else { continue };
            let beside = next.last().copied().unwrap_or(line + 1);
            let replaced = diagonal + usize::from(letter != *other);
            let before = column.checked_sub(1);
            let swapped = above_row.as_ref().zip(before).and_then(|((previous, distances), before)| {
                let crossed = right.get(before) == Some(&letter) && previous == other;
                distances.get(before).filter(|_| crossed).map(|distance| distance + 1)
            });
            next.push(replaced.min(above + 1).min(beside + 1).min(swapped.unwrap_or(usize::MAX)));
        }
        above_row = Some((letter, core::mem::replace(&mut row, next)));
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_changed_places_are_one_mistake() {
        assert_eq!(distance("evn", "env"), 1);
        assert_eq!(distance("ca", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(nearest("evn", &["args", "env"]), Some("env"));
        assert_eq!(nearest("agrs", &["args", "env"]), Some("args"));
        assert_eq!(nearest("zzz", &["args", "env"]), None);
    }
}
