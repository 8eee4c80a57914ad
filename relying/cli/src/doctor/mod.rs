// SPDX-License-Identifier: Apache-2.0

//! `enarx doctor`: whether what `enarx` needs on this machine is there and in order, and what to do where it is not.
//! The TEEs are left to `enarx platform`.

mod advisories;
mod folders;
mod keep;
mod trust;

use serde_json::{Value, json};

use crate::args::{DoctorArgs, Format, OutputOptions};
use crate::failure::{Failure, Outcome, UNREACHABLE};
use crate::layout::entry;
use crate::terminal::{print_json, print_text};

/// Width of the names of checks: the longest is `collateral-cache`.
const NAME_WIDTH: usize = 16;

/// The outcome of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    check: &'static str,
    state: Health,
    found: String,
    fix: Option<String>,
}

/// Whether something is in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Ok,
    /// It works, but less well or less safely than it could.
    Warn,
    /// Something will not work, or is not safe.
    Fail,
}

impl Health {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

impl Line {
    fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, state: Health::Ok, found: found.into(), fix: None }
    }

    fn warn(check: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, state: Health::Warn, found: found.into(), fix: Some(fix.into()) }
    }

    fn fail(check: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, state: Health::Fail, found: found.into(), fix: Some(fix.into()) }
    }

    /// What another command would have said.
    fn failed(check: &'static str, failure: &Failure) -> Self {
        let fix = failure.advice().map(str::to_owned);
        Self { check, state: Health::Fail, found: failure.message().to_owned(), fix }
    }

    fn to_text(&self) -> String {
        let mut text = entry(0, self.check, NAME_WIDTH, &format!("{}: {}", self.state.name(), self.found));
        if let Some(fix) = &self.fix {
            text.push_str(&entry(0, "", NAME_WIDTH, &format!("hint: {fix}")));
        }
        text
    }

    fn to_json(&self) -> Value {
        let (check, state, found, fix) = (self.check, self.state.name(), &self.found, &self.fix);
        json!({ "check": check, "state": state, "found": found, "fix": fix })
    }
}

/// `enarx doctor`
pub(crate) async fn examine(args: DoctorArgs, output: &OutputOptions) -> Outcome<u8> {
    let mut lines = Vec::new();
    lines.push(keep::program(args.keep_program.as_deref()));
    lines.extend(folders::state());
    lines.extend(folders::cache());
    lines.push(trust::clock());
    lines.push(trust::policy(args.policy.as_deref()));
    lines.push(trust::simulator());
    lines.extend(advisories::feeds());
    lines.extend(trust::network());
    // Last, since it makes the state folder where there is none yet.
    lines.extend(keep::sandbox(args.keep_program.as_deref()).await);
    for line in &lines {
        match output.format {
            Format::Json => print_json(&line.to_json())?,
            Format::Text | Format::Ear if output.quiet && line.state != Health::Fail => {}
            Format::Text | Format::Ear => print_text(&line.to_text())?,
        }
    }
    let failed = lines.iter().any(|line| line.state == Health::Fail);
    Ok(if failed { UNREACHABLE } else { 0 })
}
