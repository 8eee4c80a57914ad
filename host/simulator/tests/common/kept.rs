// SPDX-License-Identifier: Apache-2.0

//! Simulators whose keys outlive the tests: those of RSA take seconds to make, and a simulator has a dozen of them.
//! Tests of other crates take this file by its path.

use std::path::PathBuf;

use enarx_simulator::Simulator;
use sha2::{Digest as _, Sha256};

/// All that makes what is kept, so that a change of it makes everything anew.
const CODE: [&str; 13] = [
    include_str!("../../src/azure.rs"),
    include_str!("../../src/cca.rs"),
    include_str!("../../src/dcap/mod.rs"),
    include_str!("../../src/keys.rs"),
    include_str!("../../src/lib.rs"),
    include_str!("../../src/nitro.rs"),
    include_str!("../../src/nvgpu.rs"),
    include_str!("../../src/pki/authority.rs"),
    include_str!("../../src/pki/ec.rs"),
    include_str!("../../src/pki/leaf.rs"),
    include_str!("../../src/pki/x509.rs"),
    include_str!("../../src/store.rs"),
    include_str!("../../src/tpm.rs"),
];

/// The state of the simulator of this name, in the folder that Cargo gives to tests. Each name has roots of its own;
/// test programs that run at the same time share them.
pub(crate) fn state(name: &str) -> PathBuf {
    let digest = hex::encode(Sha256::digest(CODE.concat()));
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("simulator-{}", &digest[..16])).join(name)
}

/// The simulator of this name.
pub(crate) fn simulator(name: &str) -> Simulator {
    Simulator::open(&state(name)).unwrap()
}
