// SPDX-License-Identifier: Apache-2.0

//! `enarx platform`: which TEE this machine has, and what is missing to use it.

use std::path::Path;

use enarx_machine::{Presence, Report, Role, State, Tee};
use serde_json::{Value, json};

use crate::args::{Format, OutputOptions, PlatformReportArgs};
use crate::failure::{Failure, Outcome};
use crate::layout::{WIDTH, entry, paragraph};
use crate::terminal::{print_json, print_text};

/// Width of the names of findings: the longest is `cpuid-launch-control`.
const NAME_WIDTH: usize = 20;

/// What this version does with what was found.
const KEEPS: &str = "This version of Enarx makes Keeps in SEV-SNP by `--backend snp`, which was never run on hardware, and in none \
                     of the others yet. Its other back ends simulate a platform, which protects nothing from this \
                     machine.";

/// `enarx platform`
pub(crate) fn report(args: &PlatformReportArgs, output: &OutputOptions) -> Outcome<()> {
    let root = args.root.as_deref().unwrap_or(Path::new("/"));
    if !root.is_dir() {
        return Err(Failure::usage(format!("{} is not a folder", root.display()))
            .hint("give the folder in which proc, sys and dev of the machine are"));
    }
    let report = Report::of(root);
    match output.format {
        Format::Json => print_json(&to_json(&report)),
        Format::Text | Format::Ear => print_text(&to_text(&report, args.all)),
    }
}

fn to_json(report: &Report) -> Value {
    let mut json = json!(report);
    if let Value::Object(fields) = &mut json {
        let snp = json!({ "tee": "sev-snp", "backend": "snp", "run_on_hardware": false });
        let backends = ["process", "vm", "qemu", "snp"];
        let keeps = json!({ "backends": backends, "simulated_only": false, "in_tees": [snp] });
        fields.insert("keeps".to_owned(), keeps);
    }
    json
}

fn to_text(report: &Report, all: bool) -> String {
    let mut text = String::new();
    let processor = &report.processor;
    let unknown = || "unknown".to_owned();
    let name = processor.name.clone().unwrap_or_else(unknown);
    let product = processor.product.map(|product| format!(", {product}")).unwrap_or_default();
    let below = if report.virtual_machine { ", below a hypervisor" } else { "" };
    text.push_str(&entry(0, "processor", NAME_WIDTH, &format!("{name}{product}{below}")));
    let kernel = report.kernel.as_ref().map_or_else(unknown, |kernel| format!("Linux {kernel}"));
    text.push_str(&entry(0, "kernel", NAME_WIDTH, &kernel));
    if let Some(maker) = &report.maker {
        text.push_str(&entry(0, "machine", NAME_WIDTH, maker));
    }
    let (absent, there): (Vec<&Tee>, Vec<_>) =
        report.tees.iter().partition(|tee| tee.state == State::Absent && !all);
    for tee in there {
        text.push('\n');
        text.push_str(&details(tee));
    }
    if !absent.is_empty() {
        text.push_str("\nnot on this machine\n");
        for tee in absent {
            let why = tee.findings.first().map_or("", |finding| finding.found.as_str());
            text.push_str(&entry(2, &title(tee), NAME_WIDTH, why));
        }
    }
    text.push('\n');
    text.push_str(&paragraph(0, KEEPS));
    text
}

fn details(tee: &Tee) -> String {
    let state = match tee.state {
        State::Ready => "ready",
        State::Incomplete => "there, but something is missing",
        State::Absent => "not on this machine",
    };
    let mut text = format!("{}: {state}\n", title(tee));
    for finding in &tee.findings {
        let mark = match finding.state {
            Presence::Present => "ok",
            Presence::Missing => "MISSING",
            Presence::Unknown => "not told",
        };
        text.push_str(&entry(2, finding.id, NAME_WIDTH, &format!("{mark}: {}", finding.found)));
        if let Some(fix) = &finding.fix {
            text.push_str(&entry(2, "", NAME_WIDTH, &format!("hint: {fix}")));
        }
    }
    debug_assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
    text
}

fn title(tee: &Tee) -> String {
    match tee.role {
        Role::Host => tee.tee.to_owned(),
        Role::Guest => format!("inside {}", tee.tee),
    }
}
