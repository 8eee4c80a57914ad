// SPDX-License-Identifier: Apache-2.0

//! One simulator for all tests, since its RSA keys take seconds to make.

use std::path::PathBuf;
use std::sync::OnceLock;

use enarx_simulator::Simulator;
use sha2::{Digest as _, Sha256};

/// The state of [`simulator`]. It outlives the tests, under a name that changes with the code that makes it.
pub(crate) fn state() -> PathBuf {
    let code = [
        include_str!("../../src/keys.rs"),
        include_str!("../../src/pki/authority.rs"),
        include_str!("../../src/pki/leaf.rs"),
        include_str!("../../src/pki/x509.rs"),
        include_str!("../../src/store.rs"),
    ];
    let digest = hex::encode(Sha256::digest(code.concat()));
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("simulator-{}", &digest[..16]))
}

/// A simulator that has everything of every generation, or makes it.
pub(crate) fn simulator() -> &'static Simulator {
    static SIMULATOR: OnceLock<Simulator> = OnceLock::new();
    SIMULATOR.get_or_init(|| Simulator::open(&state()).unwrap())
}
