// SPDX-License-Identifier: Apache-2.0

//! What a store carries: everything a workload can reach, for preview 1 and 0.2 alike.

use alloc::string::String;
use alloc::vec::Vec;

use wasmtime::component::ResourceTable;

use super::limits::Accountant;
use crate::clock::Time;

/// The data of a workload's store.
pub(crate) struct State {
    /// Descriptors and streams, the same objects for both versions of WASI.
    pub(crate) table: ResourceTable,
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) time: Time,
    pub(crate) accountant: Accountant,
}

/// The error with which `proc_exit` and `wasi:cli/exit` leave the program; it becomes the exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("exit with status {0}")]
pub struct Exit(pub u32);
