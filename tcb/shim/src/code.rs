// SPDX-License-Identifier: Apache-2.0

//! Turns compiled code into something to execute. The only unsafe code of a Keep.
//!
//! wasmtime believes what a compiled program says about itself: where its functions begin, that its memory accesses are
//! checked. So loading code that somebody made up means executing anything. What makes it sound here is where
//! the bytes come from, and that is a type: [`OwnerBytes`].

use alloc::format;

use enarx_keep::LoadError;
use enarx_package::ProgramKind;
use enarx_runtime::run::Program;
use enarx_session::OwnerBytes;
use wasmtime::component::Component;
use wasmtime::{Engine, Module};

/// Loads compiled code from the owner for `engine`.
///
/// What was compiled for another engine (version, settings, target, features of the CPU) is refused by wasmtime, which
/// compares what the code states with what `engine` is; the tenant compiled it for the engine that this Keep stated in its
/// evidence.
#[allow(unsafe_code, reason = "the one place; see the safety argument at each call")]
pub fn load(engine: &Engine, kind: ProgramKind, code: OwnerBytes<'_>) -> Result<Program, LoadError> {
    let loaded = match kind {
        ProgramKind::Module => {
            // SAFETY: `deserialize` asks that the bytes were made by wasmtime's compiler and not changed since.
            // `OwnerBytes` exist only for a payload that arrived complete in an authenticated session, opened under this
            // Keep's one-time key, and matched the hash that its owner signed (`enarx_session::Delivered`), so
            // neither the host nor anybody else on the way chose or changed a byte. The owner compiled them. An owner that
            // hands over something else harms only the Keep that it owns, whose process or machine holds
            // nothing of anybody else's and is confined for the case that its workload is hostile.
            unsafe { Module::deserialize(engine, code.as_bytes()) }.map(Program::Module)
        }
        ProgramKind::Component => {
            // SAFETY: as above; `Component::deserialize` asks the same.
            unsafe { Component::deserialize(engine, code.as_bytes()) }.map(Program::Component)
        }
    };
    loaded.map_err(|error| LoadError(format!("{error:#}")))
}
