// SPDX-License-Identifier: Apache-2.0

//! Which trusted execution environments a machine has, as a host of them or as a guest in one; what is missing to use
//! each, and what to do about it.
//!
//! Everything is read from the files in which Linux tells it: `/proc`, `/sys` and `/dev`. No device is opened and
//! nothing is changed. What the files say is the kernel's word and proves nothing to anybody else; that is what
//! evidence is for.
//!
//! ```
//! let report = enarx_machine::Report::of("/".as_ref());
//! assert_eq!(report.tees.len(), 10);
//! ```

mod files;
mod kernel;
mod processor;
mod tee;

use std::path::Path;

use serde::Serialize;

pub use kernel::KernelVersion;
pub use processor::{Architecture, Processor};

use files::Files;

/// Everything that is found out about a machine. The names of fields and the ids stay as they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The processor.
    pub processor: Processor,
    /// The kernel; `None` if it is not Linux or hides its version.
    pub kernel: Option<KernelVersion>,
    /// Whether a hypervisor is below: then devices of a host are there only if it passes them on.
    pub virtual_machine: bool,
    /// Who made the machine, by its firmware, such as `Amazon EC2`.
    pub maker: Option<String>,
    /// Every TEE in one of its roles, also those that are not there.
    pub tees: Vec<Tee>,
}

/// A TEE in one of its roles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tee {
    /// Its name in policies, such as `sev-snp`.
    pub tee: &'static str,
    /// Whether the machine can have guests in it, or is one.
    pub role: Role,
    /// What it comes to.
    pub state: State,
    /// What was looked at, in the order in which it has to be mended.
    pub findings: Vec<Finding>,
}

/// What a machine is to a TEE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It can have guests or enclaves in the TEE.
    Host,
    /// It is itself in the TEE, or measured by it.
    Guest,
}

/// Whether a TEE can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Everything that was looked at is there.
    Ready,
    /// It is there, but something is missing.
    Incomplete,
    /// It is not there.
    Absent,
}

/// One thing that a TEE needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its name, such as `device-kvm`.
    pub id: &'static str,
    /// Whether it is there.
    pub state: Presence,
    /// What was found.
    pub found: String,
    /// What to do, if something can be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// Whether something is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Presence {
    /// It is.
    Present,
    /// It is not.
    Missing,
    /// It cannot be told from here; it does not count.
    Unknown,
}

impl Report {
    /// Looks at the machine whose file system begins at `root`: `/`, or a copy of another machine's.
    pub fn of(root: &Path) -> Self {
        let files = Files::below(root);
        let machine = Machine {
            processor: Processor::read(&files),
            kernel: KernelVersion::read(&files),
            maker: files.line("sys/class/dmi/id/sys_vendor"),
            files,
        };
        let tees = tee::all(&machine);
        let virtual_machine = machine.is_virtual();
        let Machine { processor, kernel, maker, .. } = machine;
        Self { processor, kernel, virtual_machine, maker, tees }
    }
}

impl Tee {
    /// A TEE that is not there, and why.
    fn absent(tee: &'static str, role: Role, finding: Finding) -> Self {
        Self { tee, role, state: State::Absent, findings: vec![finding] }
    }

    /// A TEE that is there, with what else it needs.
    fn there(tee: &'static str, role: Role, findings: Vec<Finding>) -> Self {
        let missing = findings.iter().any(|finding| finding.state == Presence::Missing);
        let state = if missing { State::Incomplete } else { State::Ready };
        Self { tee, role, state, findings }
    }
}

impl Finding {
    fn present(id: &'static str, found: impl Into<String>) -> Self {
        Self { id, state: Presence::Present, found: found.into(), fix: None }
    }

    fn unknown(id: &'static str, found: impl Into<String>) -> Self {
        Self { id, state: Presence::Unknown, found: found.into(), fix: None }
    }

    fn missing(id: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { id, state: Presence::Missing, found: found.into(), fix: Some(fix.into()) }
    }

    /// One that nothing can be done about on this machine.
    fn impossible(id: &'static str, found: impl Into<String>) -> Self {
        Self { id, state: Presence::Missing, found: found.into(), fix: None }
    }
}

/// What all TEEs look at.
struct Machine {
    files: Files,
    processor: Processor,
    kernel: Option<KernelVersion>,
    maker: Option<String>,
}

impl Machine {
    /// Whether a hypervisor is below: x86 processors say so themselves; of others the kernel knows its hypervisor.
    fn is_virtual(&self) -> bool {
        self.processor.has("hypervisor") || self.files.exists("sys/hypervisor/type")
    }
}
