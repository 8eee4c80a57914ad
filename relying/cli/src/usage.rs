// SPDX-License-Identifier: Apache-2.0

//! Wrong usage, in the form that was asked for: nothing of the command line was read yet when it is found.

use std::env;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;

use crate::args::Format;
use crate::failure::{Failure, USAGE};

/// Prints what the command line says about itself, or is wrong with it.
pub(crate) fn tell(error: &clap::Error) -> ExitCode {
    let wrong = !matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if wrong && wants_json(env::args_os()) {
        failure(&error.to_string()).print(Format::Json);
        return ExitCode::from(USAGE);
    }
    // Nobody reading it changes nothing.
    let _ = error.print();
    if wrong { ExitCode::from(USAGE) } else { ExitCode::SUCCESS }
}

/// Whether `--format json` is there, before `--`, after which everything is the workload's.
fn wants_json(arguments: impl Iterator<Item = OsString>) -> bool {
    let own: Vec<OsString> = arguments.take_while(|argument| argument != "--").collect();
    own.iter().any(|argument| argument == "--format=json")
        || own.windows(2).any(|pair| matches!(pair, [name, value] if name == "--format" && value == "json"))
}

/// The paragraphs of the parser: what is wrong first, then tips, usage and where there is help.
fn failure(text: &str) -> Failure {
    let mut paragraphs = text.trim().split("\n\n");
    let message = paragraphs.next().unwrap_or_default();
    let message = message.strip_prefix("error: ").unwrap_or(message);
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let hint = paragraphs.next().map_or_else(|| "try '--help'".to_owned(), words);
    Failure::usage(words(message)).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_known_before_the_rest() {
        let wants = |line: &str| wants_json(line.split(' ').map(OsString::from));
        assert!(wants("enarx --format json run"));
        assert!(wants("enarx run --format=json app.wasm --oops"));
        assert!(!wants("enarx run app.wasm --oops -- --format json"));
        assert!(!wants("enarx run --format text"));
    }

    #[test]
    fn a_mistake_is_one_line_with_a_hint() {
        let failure =
            failure("error: unrecognized subcommand 'rum'\n\n  tip: a similar one: 'run'\n\nUsage: enarx\n");
        assert_eq!(
            failure.to_string(),
            "error: unrecognized subcommand 'rum'\n\nhint: tip: a similar one: 'run'"
        );
    }
}
