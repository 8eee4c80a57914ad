// SPDX-License-Identifier: Apache-2.0

//! What a store carries: everything a workload can reach, for preview 1 and 0.2 alike.

use alloc::string::String;
use alloc::vec::Vec;

use wasmtime::Memory;
use wasmtime::component::ResourceTable;

use super::limits::Accountant;
use super::{Preopen, Process, RunError};
use crate::clock::Time;
use crate::io::{Reader, Writer};
use crate::net::Socket;
use crate::preview1::Fds;
use crate::preview2::MAX_RESOURCES;
use crate::vfs::OpenNode;

/// The data of a workload's store.
pub(crate) struct State {
    /// Descriptors and streams, the same objects for both versions of WASI.
    pub(crate) table: ResourceTable,
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) time: Time,
    pub(crate) accountant: Accountant,
    /// What the program finds open; a core module takes it over into its descriptors.
    pub(crate) start: Start,
    /// The descriptors of a core module.
    pub(crate) fds: Fds,
    /// The memory that a core module exports, once it was looked for.
    pub(crate) memory: Option<Memory>,
}

/// What is open when the program starts.
pub(crate) struct Start {
    pub(crate) stdin: Reader,
    pub(crate) stdout: Writer,
    pub(crate) stderr: Writer,
    /// Sockets, by number.
    pub(crate) sockets: Vec<(usize, Socket)>,
    /// Directories and their names.
    pub(crate) preopens: Vec<(String, OpenNode)>,
}

impl Start {
    /// Hands everything over, so that closing it closes it.
    pub(crate) fn take(&mut self) -> Self {
        let nothing = Self {
            stdin: Reader::null(),
            stdout: Writer::closed(),
            stderr: Writer::closed(),
            sockets: Vec::new(),
            preopens: Vec::new(),
        };
        core::mem::replace(self, nothing)
    }
}

impl State {
    pub(super) fn new(process: Process) -> Result<Self, RunError> {
        let Process { args, env, stdin, stdout, stderr, sockets, files, preopens, time, limits } = process;
        let directory = |Preopen { path, name }: Preopen| match files.directory(&path) {
            Ok(node) => Ok((name, node)),
            Err(_) => Err(RunError::NoDirectory { path }),
        };
        let preopens = preopens.into_iter().map(directory).collect::<Result<Vec<_>, _>>()?;
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_RESOURCES);
        Ok(Self {
            table,
            args,
            env,
            time,
            accountant: Accountant::new(limits),
            start: Start { stdin, stdout, stderr, sockets, preopens },
            fds: Fds::default(),
            memory: None,
        })
    }
}

/// The error with which `proc_exit` and `wasi:cli/exit` leave the program; it becomes the exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("exit with status {0}")]
pub struct Exit(pub u32);
