// SPDX-License-Identifier: Apache-2.0

//! The whole account of a decision, for people: every check in order.

use enarx_verifier::{Check, Refusal};

use super::verdict::{Decision, Verdict};
use crate::layout::{self, WIDTH};

/// Width of the names of what is told of a check: the longest is `expected`.
const NAME_WIDTH: usize = 8;
const INDENT: usize = 5;

/// Tells it.
pub(super) fn explain(verdict: &Verdict) -> String {
    let mut text = String::new();
    for (number, (check, refusal)) in verdict.checks().enumerate() {
        text.push_str(&heading(number.saturating_add(1), check));
        text.push_str(&account(check, refusal));
        text.push('\n');
    }
    text.push_str(&summary(verdict));
    text
}

/// The number of the check, what it is about, and at the right how it ended.
fn heading(number: usize, check: &Check) -> String {
    let outcome = if check.passed { "passed" } else { "REFUSED" };
    let name = format!("{number:>3}  {}", check.name);
    let gap = WIDTH.saturating_sub(name.chars().count());
    format!("{name}{outcome:>gap$}\n")
}

fn account(check: &Check, refusal: Option<&Refusal>) -> String {
    let mut entries = vec![
        ("expected", check.expected.clone()),
        ("found", check.found.clone()),
        ("why", format!("{} ({})", check.why, check.section)),
    ];
    if let Some(entry) = &check.policy {
        entries.push(("policy", entry.to_string()));
    }
    if let Some(refusal) = refusal {
        entries.push(("code", refusal.code.to_string()));
        entries.push(("fix", refusal.hint.to_owned()));
    }
    entries.iter().map(|(name, value)| layout::entry(INDENT, name, NAME_WIDTH, value)).collect()
}

fn summary(verdict: &Verdict) -> String {
    match &verdict.decision {
        Decision::Refused(refusals) => {
            let (refused, all) = (refusals.iter().count(), refusals.checks().len());
            let mut text = format!(
                "the {} evidence is refused: {refused} of {all} checks did not pass\n",
                verdict.format
            );
            for code in refusals.codes() {
                text.push_str(&layout::entry(2, "", 0, code.as_str()));
            }
            text
        }
        _ => verdict.to_string(),
    }
}
