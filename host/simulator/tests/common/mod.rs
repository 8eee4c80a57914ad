// SPDX-License-Identifier: Apache-2.0

//! One simulator for all tests.

#![allow(dead_code, reason = "each test uses its own part")]

mod kept;

use std::path::PathBuf;
use std::sync::OnceLock;

use enarx_simulator::Simulator;

const NAME: &str = "own";

/// The state of [`simulator`].
pub(crate) fn state() -> PathBuf {
    kept::state(NAME)
}

/// A simulator that has everything of every generation, or makes it.
pub(crate) fn simulator() -> &'static Simulator {
    static SIMULATOR: OnceLock<Simulator> = OnceLock::new();
    SIMULATOR.get_or_init(|| kept::simulator(NAME))
}
