// SPDX-License-Identifier: Apache-2.0

//! Runs components as the Keep does.

use std::sync::Arc;

use enarx_runtime::io::{Available, Reader};
use enarx_runtime::run::{Limits, Outcome, Program, RunError, Status, Stop, run};
use enarx_runtime::vfs::Vfs;
use wasmtime::component::Component;

use super::Script;
use crate::harness::{Setup, block_on, engine};

/// What came of a component.
pub struct Ran {
    pub outcome: Result<Outcome, RunError>,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub files: Vfs,
}

impl Ran {
    pub fn status(&self) -> &Status {
        &self.outcome.as_ref().unwrap().status
    }

    /// Standard output of a script that went through.
    pub fn output(&self) -> String {
        assert_eq!(
            self.status(),
            &Status::Exited(0),
            "the exit code is the number of the call that went wrong"
        );
        String::from_utf8(self.stdout.clone()).unwrap()
    }
}

/// Runs a script with these arguments, files and so on.
pub fn run_script(setup: Setup, script: &Script) -> Ran {
    run_bytes(setup, &script.component())
}

/// Runs a component in any form that the engine takes.
pub fn run_bytes(setup: Setup, component: &[u8]) -> Ran {
    let engine = engine();
    let program = Program::Component(Component::new(&engine, component).unwrap());
    let (clock, files) = (Arc::clone(&setup.clock), setup.files.clone());
    let (process, stdout, stderr) = setup.process(Limits::default());
    let outcome = block_on(&clock, run(&program, process, &Stop::new()));
    Ran { outcome, stdout: drain(&stdout), stderr: drain(&stderr), files }
}

fn drain(pipe: &Reader) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Available::Bytes(more) = pipe.try_read(usize::MAX) {
        bytes.extend_from_slice(&more);
    }
    bytes
}
