// SPDX-License-Identifier: Apache-2.0

//! Commands that write something to start from: manifests, policies, manual pages, completions.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;
use enarx_package::Manifest;
use serde_json::{Value, json};

use crate::args::{Cli, Format, OutputOptions};
use crate::failure::{Failure, Outcome};

/// `enarx init`
pub(crate) fn manifest(folder: &Path, output: &OutputOptions) -> Outcome<()> {
    fs::create_dir_all(folder).map_err(|error| {
        Failure::usage(format!("could not make the folder {}: {error}", folder.display()))
    })?;
    let file = folder.join(Manifest::FILE_NAME);
    new_file(&file, Manifest::template().as_bytes()).map(|()| wrote(&file, output))
}

/// `enarx completions`
pub(crate) fn completions(shell: Shell) -> Outcome<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "enarx", &mut script);
    print(&script)
}

/// `enarx man`
pub(crate) fn manual(folder: &Path) -> Outcome<()> {
    fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(Cli::command(), folder)).map_err(
        |error| {
            Failure::usage(format!("could not write the manual pages into {}: {error}", folder.display()))
        },
    )
}

/// Writes to standard output; a reader that went away is not an error.
pub(crate) fn print(bytes: &[u8]) -> Outcome<()> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::usage(format!("could not write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Writes a file that is not there yet: nothing of the tenant's is overwritten.
pub(crate) fn new_file(path: &Path, bytes: &[u8]) -> Outcome<()> {
    let written =
        OpenOptions::new().write(true).create_new(true).open(path).and_then(|mut file| file.write_all(bytes));
    match written {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Err(Failure::usage(format!("{} is already there", path.display()))
                .hint("move it away, or edit it as it is"))
        }
        Err(error) => Err(Failure::usage(format!("could not write {}: {error}", path.display()))),
    }
}

/// Tells that a file was written.
pub(crate) fn wrote(path: &Path, output: &OutputOptions) {
    let event = json!({ "event": "step", "step": "wrote", "file": path });
    done(output, &format!("wrote {}", path.display()), &event);
}

/// Tells that a short command did what it was asked.
fn done(output: &OutputOptions, text: &str, event: &Value) {
    match output.format {
        Format::Json => tell_json!(event),
        Format::Text | Format::Ear if output.quiet => {}
        Format::Text | Format::Ear => tell!("{text}"),
    }
}
