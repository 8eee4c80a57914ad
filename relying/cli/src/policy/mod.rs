// SPDX-License-Identifier: Apache-2.0

//! `enarx policy`: write trust policies, and look at them before they decide.

mod ask;
mod diff;
mod file;
mod new;
mod test;

use enarx_verifier::UnixTime;
use enarx_verifier::policy::{self, Notice};
use serde_json::json;

use crate::args::{CheckPolicyArgs, Format, OutputOptions, PolicyCommand};
use crate::failure::{Failure, Outcome, USAGE};
use crate::terminal::print_json;
use crate::trust;
use crate::write::print;

pub(crate) use file::PolicyFile;

/// Performs a command and gives the exit code.
pub(crate) fn perform(command: PolicyCommand, output: &OutputOptions) -> Outcome<u8> {
    match command {
        PolicyCommand::New(args) => new::write(&args, output).map(|()| 0),
        PolicyCommand::Check(args) => check(&args, output),
        PolicyCommand::Test(args) => test::test(&args, output),
        PolicyCommand::Diff(args) => diff::diff(&args, output),
        PolicyCommand::Schema => print(policy::schema().as_bytes()).map(|()| 0),
    }
}

/// `enarx policy check`
fn check(args: &CheckPolicyArgs, output: &OutputOptions) -> Outcome<u8> {
    let file = PolicyFile::read(Some(&args.file))?;
    let notices = file.policy().notices(args.at.unwrap_or_else(|| UnixTime(trust::now())));
    let name = args.file.display().to_string();
    let digest = hex::encode(file.policy().digest());
    match output.format {
        Format::Json => {
            let bases: Vec<&str> = file.bases().iter().map(|base| base.name.as_str()).collect();
            let text = json!({
                "file": name, "valid": true, "digest": digest, "extends": bases, "notices": notices,
            });
            print_json(&text)?;
        }
        Format::Text | Format::Ear if !output.quiet => {
            tell!("{name} is a valid policy; its digest is {digest}");
            for notice in &notices {
                tell!("{}", line(notice));
            }
        }
        Format::Text | Format::Ear => {}
    }
    if args.strict && !notices.is_empty() {
        let message = format!("{name} has {} to look at", things(notices.len()));
        return Err(Failure::with_code(USAGE, message));
    }
    Ok(0)
}

fn things(count: usize) -> String {
    if count == 1 { "one thing".to_owned() } else { format!("{count} things") }
}

/// A notice in the form of an error, but with another word.
fn line(notice: &Notice) -> String {
    let place = &notice.place;
    let file = place.file().unwrap_or("the policy");
    format!(
        "warning: {file}:{}:{}: {}\n  hint: {}",
        place.line(),
        place.column(),
        notice.message,
        notice.hint
    )
}
