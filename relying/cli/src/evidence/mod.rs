// SPDX-License-Identifier: Apache-2.0

//! Evidence in files: which kind it is, what is in it, and how to make some without hardware.

mod assemble;
mod gather;
mod json;
mod open;
mod platforms;
mod recognise;
mod roots;
mod show;
mod simulate;

use crate::args::{EvidenceCommand, OutputOptions};
use crate::failure::Outcome;

pub(crate) use gather::bundle;
pub(crate) use recognise::report_data;
pub(crate) use roots::{NamedRoot, roots};
pub(crate) use simulate::launched;

/// `enarx evidence`
pub(crate) fn perform(command: EvidenceCommand, output: &OutputOptions) -> Outcome<()> {
    match command {
        EvidenceCommand::Show(args) => show::show(&args, output),
        EvidenceCommand::Simulate(args) => simulate::simulate(&args, output),
        EvidenceCommand::Platforms { platform } => platforms::list(platform.as_deref(), output),
    }
}
