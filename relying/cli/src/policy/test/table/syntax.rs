// SPDX-License-Identifier: Apache-2.0

//! The form of a table: keys, types, and the place of whatever is wrong with them. A fuzz target reads this file too.

use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;
use toml::de::DeTable;

/// The version of tables that is read.
const VERSION: i64 = 1;
/// Most cases of a table.
const MAX_CASES: usize = 1000;

const KEYS: [&str; 3] = ["version", "policy", "case"];
const CASE_KEYS: [&str; 15] = [
    "name",
    "expect",
    "at",
    "simulate",
    "as_genuine",
    "measurement",
    "evidence",
    "tee",
    "with",
    "endorsements",
    "collateral_bundles",
    "trust_roots",
    "report_data",
    "nonce",
    "accept_unbound",
];

/// Reads a table whose texts are not understood yet. What it refuses, it refuses at a place in the text.
pub(super) fn read(text: &str) -> Read<RawTable> {
    known_keys(text)?;
    let raw: RawTable = toml::from_str(text).map_err(|error| wrong(&error))?;
    if *raw.version.get_ref() != VERSION {
        let message = format!("`version` must be {VERSION}, not {}", raw.version.get_ref());
        return Err(Misplaced::new(raw.version.span().start, message));
    }
    if let Some(first) = raw.case.get(MAX_CASES) {
        return Err(Misplaced::new(first.span().start, format!("there are more than {MAX_CASES} cases")));
    }
    if raw.case.is_empty() {
        let message = "there is no `[[case]]`, so nothing would be tested";
        return Err(Misplaced::new(text.len(), message));
    }
    Ok(raw)
}

#[derive(Deserialize)]
pub(super) struct RawTable {
    pub(super) version: Spanned<i64>,
    pub(super) policy: PathBuf,
    #[serde(default)]
    pub(super) case: Vec<Spanned<RawCase>>,
}

#[derive(Deserialize)]
pub(super) struct RawCase {
    pub(super) name: Spanned<String>,
    pub(super) expect: Spanned<RawExpected>,
    pub(super) at: Option<Spanned<String>>,
    pub(super) simulate: Option<Spanned<String>>,
    pub(super) as_genuine: Option<bool>,
    pub(super) measurement: Option<Spanned<String>>,
    pub(super) evidence: Option<PathBuf>,
    pub(super) tee: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) with: Vec<PathBuf>,
    #[serde(default)]
    pub(super) endorsements: Vec<PathBuf>,
    #[serde(default)]
    pub(super) collateral_bundles: Vec<PathBuf>,
    #[serde(default)]
    pub(super) trust_roots: Vec<PathBuf>,
    pub(super) report_data: Option<Spanned<String>>,
    pub(super) nonce: Option<Spanned<String>>,
    pub(super) accept_unbound: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "it must be \"accepted\" or a list of codes of refusals")]
pub(super) enum RawExpected {
    Word(String),
    Codes(Vec<String>),
}

/// What is wrong, at a byte of the file.
pub(super) struct Misplaced {
    pub(super) offset: usize,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

pub(super) type Read<T> = Result<T, Misplaced>;

impl Misplaced {
    pub(super) fn new(offset: usize, message: impl Into<String>) -> Self {
        Self { offset, message: message.into(), hint: None }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

fn wrong(error: &toml::de::Error) -> Misplaced {
    let mut message = error.message().to_owned();
    // Words of the file stand in it as they are.
    if let Some(first) = message.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    Misplaced::new(error.span().map_or(0, |span| span.start), message)
}

/// Finds the first key that is not of the language.
fn known_keys(text: &str) -> Read<()> {
    let document = DeTable::parse(text).map_err(|error| wrong(&error))?;
    let top = document.get_ref();
    known(top, &KEYS)?;
    let cases = top.get("case").and_then(|cases| cases.get_ref().as_array());
    cases
        .into_iter()
        .flatten()
        .filter_map(|case| case.get_ref().as_table())
        .try_for_each(|case| known(case, &CASE_KEYS))
}

fn known(table: &DeTable<'_>, keys: &[&str]) -> Read<()> {
    let unknown = table.keys().filter(|key| !keys.contains(&key.get_ref().as_ref()));
    // The first in the file, not in the alphabet.
    let Some(key) = unknown.min_by_key(|key| key.span().start) else { return Ok(()) };
    let found: &str = key.get_ref();
    let message = format!("unknown key `{}`", found.escape_debug());
    Err(Misplaced::new(key.span().start, message).hint(meant(found, keys)))
}

/// The known word that was meant, or all of them.
pub(super) fn meant(found: &str, known: &[&str]) -> String {
    /// Nobody means a longer word, and the cost of a comparison is the product of the lengths.
    const LONGEST: usize = 64;
    let near = |word: &&str| {
        found.len() <= LONGEST && strsim::damerau_levenshtein(found, word) <= (word.len() / 3).max(1)
    };
    let nearest =
        known.iter().copied().filter(near).min_by_key(|word| strsim::damerau_levenshtein(found, word));
    nearest.map_or_else(
        || {
            format!(
                "known here: {}",
                known.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
            )
        },
        |word| format!("did you mean `{word}`?"),
    )
}
