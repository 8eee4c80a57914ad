// SPDX-License-Identifier: Apache-2.0

//! What was found, for people and for programs.

use serde_json::{Value, json};

use super::{Change, Direction, Found, Setting, called, evidence};
use crate::args::{DiffPolicyArgs, Format, OutputOptions};
use crate::failure::Outcome;
use crate::terminal::{print_json, print_text};

/// Most values of one entry that people are shown.
const MOST_SHOWN: usize = 5;

impl Direction {
    fn words(self) -> &'static str {
        match self {
            Self::Refused => "newly refused",
            Self::Accepted => "newly accepted",
        }
    }
}

/// Prints everything.
pub(super) fn tell(
    args: &DiffPolicyArgs,
    found: &Found,
    digests: &[String; 2],
    output: &OutputOptions,
) -> Outcome<()> {
    match output.format {
        Format::Json => {
            found.changes.iter().map(change_json).try_for_each(|event| print_json(&event))?;
            found.evidence.iter().map(evidence_json).try_for_each(|event| print_json(&event))?;
            found.settings.iter().map(setting_json).try_for_each(|event| print_json(&event))?;
            print_json(&summary_json(args, found, digests))
        }
        Format::Text | Format::Ear => print_text(&to_text(found, digests, output.quiet)),
    }
}

fn to_text(found: &Found, [old, new]: &[String; 2], quiet: bool) -> String {
    if old == new {
        return if quiet { String::new() } else { format!("no difference: both have the digest {old}\n") };
    }
    let mut lines: Vec<String> = found.changes.iter().map(change_text).collect();
    lines.extend(found.evidence.iter().map(|changed| {
        let name = changed.name.escape_debug();
        line(changed.direction.words(), &format!("evidence {name}: {}", changed.because.join(", ")))
    }));
    lines.extend(found.settings.iter().map(setting_text));
    if !quiet {
        let (platforms, states) = (found.platforms, found.states);
        lines.push(format!(
            "\ncompared {platforms} platforms by rules, and {states} states of those that both allow: points, and not all that \
             evidence may say"
        ));
        if !found.left_out.is_empty() {
            lines.push(format!("not compared: {}", found.left_out.join(", ")));
        }
    }
    lines.join("\n") + "\n"
}

fn line(word: &str, text: &str) -> String {
    format!("{word:<14}  {text}")
}

fn change_text(change: &Change) -> String {
    let Change { direction, tee, product, label, because, alike } = change;
    let with = if label.is_empty() { String::new() } else { format!(" with {label}") };
    let more = match alike {
        0 => String::new(),
        more => format!(" (and {more} more for the same reason)"),
    };
    line(direction.words(), &format!("{}{with}: {}{more}", called(*tee, *product), because.join(", ")))
}

fn setting_text(setting: &Setting) -> String {
    let Setting { path, no_longer, now } = setting;
    let listed = |values: &[String]| {
        let shown = values.iter().take(MOST_SHOWN).map(|value| format!("`{}`", value.escape_debug()));
        let more = values.len().saturating_sub(MOST_SHOWN);
        let more = (more > 0).then(|| format!("{more} more"));
        shown.chain(more).collect::<Vec<_>>().join(", ")
    };
    let what = match (no_longer.as_slice(), now.as_slice()) {
        ([old], [new]) => format!("was `{}`, is `{}`", old.escape_debug(), new.escape_debug()),
        ([], now) => format!("has {}", listed(now)),
        (no_longer, []) => format!("has no longer {}", listed(no_longer)),
        (no_longer, now) => format!("has {}, and no longer {}", listed(now), listed(no_longer)),
    };
    line("changed", &format!("{path} {what}"))
}

fn change_json(change: &Change) -> Value {
    let Change { direction, tee, product, label, because, alike } = change;
    json!({
        "event": "verdict",
        "change": direction.words(),
        "vendor": product.vendor().to_string(),
        "product": product.to_string(),
        "tee": tee.to_string(),
        "with": Some(label).filter(|label| !label.is_empty()),
        "because": because,
        "alike": alike,
    })
}

fn evidence_json(changed: &evidence::Changed) -> Value {
    let evidence::Changed { name, direction, because } = changed;
    json!({ "event": "evidence", "name": name, "change": direction.words(), "because": because })
}

fn setting_json(setting: &Setting) -> Value {
    let Setting { path, no_longer, now } = setting;
    json!({ "event": "setting", "entry": path, "no_longer": no_longer, "now": now })
}

fn summary_json(args: &DiffPolicyArgs, found: &Found, [old, new]: &[String; 2]) -> Value {
    json!({
        "event": "summary",
        "old": args.old,
        "new": args.new,
        "old_digest": old,
        "new_digest": new,
        "different": old != new,
        "platforms": found.platforms,
        "states": found.states,
        "not_compared": found.left_out,
    })
}
