// SPDX-License-Identifier: Apache-2.0

//! The sandbox that a process Keep puts around itself, layer by layer.
//!
//! It protects the host from the workload, and not the other way round: whoever administers the host can look into the
//! process. Every layer stands on its own, so a kernel that lacks one still gives the others, and the report
//! names each with what it covers or why it is missing.
//!
//! `host/vmm` puts the same layers around a virtual machine, with a list of system calls of its own.

pub mod descriptors;
pub mod identity;
pub mod landlock;
pub mod limits;
pub mod namespaces;
pub mod parent;
pub mod root;
pub mod seccomp;

use std::borrow::Cow;
use std::ffi::OsString;
use std::fmt::Display;

use enarx_keep::wire::{Layer, SandboxReport};

/// What is put up in the first process, before the Keep's own is started.
pub const OUTER_LAYERS: [&str; 10] = [
    "host-watched",
    "unprivileged-user",
    "user-namespace",
    "mount-namespace",
    "pid-namespace",
    "network-namespace",
    "ipc-namespace",
    "uts-namespace",
    "cgroup-namespace",
    "no-new-privileges",
];

/// The layers so far, in the order in which they were put up.
#[derive(Debug, Default)]
pub struct Layers(Vec<Layer>);

impl Layers {
    /// Takes note of a layer that holds, or of why it does not.
    pub fn note(&mut self, name: &'static str, outcome: Result<(), impl Display>) {
        self.note_detail(name, outcome.map(|()| Cow::Borrowed("")));
    }

    /// The same for a layer that has something to say when it holds.
    pub fn note_detail(&mut self, name: &'static str, outcome: Result<Cow<'static, str>, impl Display>) {
        let (active, detail) = match outcome {
            Ok(detail) => (true, detail),
            Err(why) => (false, Cow::Owned(why.to_string())),
        };
        self.0.push(Layer { name: Cow::Borrowed(name), active, detail });
    }

    /// For the arguments of the second process: one for each layer, `+` and detail or `-` and reason.
    pub fn to_arguments(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|layer| format!("{}{}", if layer.active { '+' } else { '-' }, layer.detail))
    }

    /// Reads what [`Layers::to_arguments`] wrote about [`OUTER_LAYERS`]; `None` if it is something else.
    pub fn from_arguments(arguments: impl Iterator<Item = OsString>) -> Option<Self> {
        let mut names = OUTER_LAYERS.iter();
        let mut layers = Vec::new();
        for argument in arguments {
            let argument = argument.into_string().ok()?;
            let (active, detail) = match argument.split_at_checked(1)? {
                ("+", detail) => (true, detail),
                ("-", why) => (false, why),
                _ => return None,
            };
            let detail = Cow::Owned(detail.to_owned());
            layers.push(Layer { name: Cow::Borrowed(names.next()?), active, detail });
        }
        names.next().is_none().then_some(Self(layers))
    }

    /// What the host is told.
    pub fn into_report(self) -> SandboxReport {
        SandboxReport { layers: self.0 }
    }
}
