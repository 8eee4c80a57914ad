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

/// Insertions, deletions and replacements from one word to the other (Levenshtein).
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (line, letter) in left.chars().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        next.push(line + 1);
        for ((pair, other), before) in row.windows(2).zip(&right).zip(line + 1..) {
            let [diagonal, above] = pair else { continue };
            let beside = next.last().copied().unwrap_or(before);
            let replaced = diagonal + usize::from(letter != *other);
            next.push(replaced.min(above + 1).min(beside + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}
