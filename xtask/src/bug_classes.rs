// SPDX-License-Identifier: Apache-2.0

//! Checks `docs/verifier-bug-classes.md`: no cell of its table is empty, and every test that it names exists.
//!
//! A cell names tests by labels, or is `n/a (x)`. Below the table a line says what each is:
//!
//! ```text
//! * `label`: `path/of/file.rs::function`
//! * (x) why the class does not apply
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

const PAGE: &str = "docs/verifier-bug-classes.md";

/// The classes, then one column for each TEE.
const COLUMNS: usize = 10;

pub(crate) fn check(root: &Path, faults: &mut Vec<String>) -> Result<()> {
    let text = fs::read_to_string(root.join(PAGE)).with_context(|| format!("could not read {PAGE}"))?;
    let mut found = page(&text);
    for (label, test) in tests(&text) {
        let Some((file, function)) = test.split_once("::") else {
            found.push(format!("`{label}` is not `file::function` but `{test}`"));
            continue;
        };
        let source = fs::read_to_string(root.join(file)).unwrap_or_default();
        if !has_test(&source, function) {
            found.push(format!("`{label}`: `{file}` has no test `{function}`"));
        }
    }
    faults.extend(found.into_iter().map(|fault| format!("{PAGE}: {fault}")));
    Ok(())
}

/// What is wrong with the page as far as it alone can tell.
fn page(text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let (tests, reasons) = (tests(text), reasons(text));
    let mut used = BTreeSet::new();
    let rows = text.lines().filter(|line| line.starts_with('|')).skip(2);
    let mut count = 0;
    for row in rows {
        count += 1;
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let name = cells.first().copied().unwrap_or_default();
        if cells.len() != COLUMNS {
            faults.push(format!("`{name}` has {} cells, not {COLUMNS}", cells.len()));
        }
        for (column, cell) in cells.iter().enumerate().skip(1) {
            match cell_words(cell) {
                None => faults.push(format!("`{name}`, column {column}: `{cell}` names no test")),
                Some(words) => used.extend(words.into_iter().map(str::to_owned)),
            }
        }
    }
    if count == 0 {
        faults.push("there is no table".to_owned());
    }
    let defined: BTreeSet<_> = tests.keys().chain(&reasons).map(|label| (*label).to_owned()).collect();
    let undefined = used.difference(&defined).map(|label| format!("`{label}` is not explained"));
    let unused = defined.difference(&used).map(|label| format!("`{label}` is in no cell"));
    faults.extend(undefined.chain(unused));
    faults
}

/// The labels of a cell, or the reason why it has none. `None` if it is neither.
fn cell_words(cell: &str) -> Option<Vec<&str>> {
    if let Some(reason) = cell.strip_prefix("n/a ") {
        return Some(vec![reason]);
    }
    let words: Vec<_> = cell.split(", ").map(|word| word.trim_matches('`')).collect();
    words.iter().all(|word| !word.is_empty() && !word.contains(' ')).then_some(words)
}

/// Labels and the tests they stand for.
fn tests(text: &str) -> BTreeMap<&str, &str> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("* `")?.strip_suffix('`'));
    lines.filter_map(|line| line.split_once("`: `")).collect()
}

/// The reasons, each as its letter in brackets.
fn reasons(text: &str) -> BTreeSet<&str> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("* (").map(|_| line));
    lines.filter_map(|line| line.strip_prefix("* ")?.split_once(' ')).map(|(letter, _)| letter).collect()
}

/// Whether a source has this function, marked as a test; those of `proptest!` are marked likewise.
fn has_test(source: &str, function: &str) -> bool {
    let signature = format!("fn {function}(");
    let mut marked = false;
    for line in source.lines().map(str::trim) {
        if line.starts_with(&signature) {
            return marked;
        }
        marked = line == "#[test]" || (marked && line.starts_with("#["));
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(cell: &str) -> String {
        let row = format!("| class | {cell} |{}", " `one` |".repeat(COLUMNS - 2));
        let head = format!("|{}", " x |".repeat(COLUMNS));
        format!("{head}\n{head}\n{row}\n\n* `one`: `a.rs::b`\n* (x) because.\n* `two`: `a.rs::c`\n")
    }

    #[test]
    fn a_whole_page_has_no_fault() {
        assert_eq!(
            page(&with("`two`, n/a (x)").replace(", n/a (x)", "").replace("* (x) because.\n", "")),
            [""; 0]
        );
        assert_eq!(page(&with("n/a (x)").replace("* `two`: `a.rs::c`\n", "")), [""; 0]);
    }

    #[test]
    fn empty_cells_and_unknown_labels_are_faults() {
        let empty = page(&with(""));
        assert!(empty.contains(&"`class`, column 1: `` names no test".to_owned()), "{empty:?}");
        assert!(page(&with("n/a")).contains(&"`n/a` is not explained".to_owned()));
        assert!(page(&with("not yet")).contains(&"`class`, column 1: `not yet` names no test".to_owned()));
        assert!(page(&with("`three`")).contains(&"`three` is not explained".to_owned()));
        assert!(page(&with("`one`")).contains(&"`two` is in no cell".to_owned()));
        assert!(page(&with("`one` | `two`")).contains(&"`class` has 11 cells, not 10".to_owned()));
        assert_eq!(page(""), ["there is no table"]);
    }

    #[test]
    fn a_test_is_a_function_that_is_marked_so() {
        let source = "#[test]\nfn one() {}\n#[test]\n#[ignore]\n    fn two(a in b) {}\nfn three() {}\n";
        assert!(has_test(source, "one") && has_test(source, "two"));
        assert!(!has_test(source, "three") && !has_test(source, "on") && !has_test(source, "four"));
    }
}
