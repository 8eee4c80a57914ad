// SPDX-License-Identifier: Apache-2.0

//! `enarx evidence platforms`: what can be simulated, and what can be said about it.

use enarx_simulator::{KnownPlatform, Rehearsal};
use serde_json::json;

use crate::args::{Format, OutputOptions};
use crate::failure::{Failure, Outcome};
use crate::layout::{entry, paragraph};
use crate::write::print;

const NAME_WIDTH: usize = 22;
const OPTION_WIDTH: usize = 20;

pub(super) fn list(only: Option<&str>, output: &OutputOptions) -> Outcome<()> {
    let chosen: Vec<_> =
        Rehearsal::known().iter().filter(|platform| only.is_none_or(|name| name == platform.name)).collect();
    if let (true, Some(name)) = (chosen.is_empty(), only) {
        // The reader of platforms says what was meant.
        let message = name.parse::<Rehearsal>().map_or_else(|error| error.to_string(), |_| name.to_owned());
        return Err(Failure::usage(message).hint("`enarx evidence platforms` lists them"));
    }
    let text = match output.format {
        Format::Json => chosen.into_iter().map(to_json).collect(),
        Format::Text | Format::Ear => to_text(&chosen, only.is_some()),
    };
    print(text.as_bytes())
}

fn to_json(platform: &KnownPlatform) -> String {
    let options = platform.options().map(|option| json!({ "usage": option.usage, "about": option.about }));
    let row = json!({
        "platform": platform.name,
        "tee": platform.format.name(),
        "about": platform.about,
        "options": options.collect::<Vec<_>>(),
    });
    format!("{row}\n")
}

/// One platform with its options, or all of them and how to write options.
fn to_text(chosen: &[&KnownPlatform], with_options: bool) -> String {
    let mut text = String::new();
    for platform in chosen {
        let about = format!("{}: {}", platform.format, platform.about);
        text.push_str(&entry(0, platform.name, NAME_WIDTH, &about));
        if with_options {
            for option in platform.options() {
                text.push_str(&entry(2, option.usage, OPTION_WIDTH, option.about));
            }
        }
    }
    if !with_options {
        let more = "Options stand behind `@`, with commas between, as in amd/milan@snp=8,debug; \
                    `enarx evidence platforms amd/milan` lists them. Every platform is SIMULATED: it protects nothing.";
        text.push('\n');
        text.push_str(&paragraph(0, more));
    }
    text
}
