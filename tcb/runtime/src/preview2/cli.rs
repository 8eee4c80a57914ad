// SPDX-License-Identifier: Apache-2.0

//! `wasi:cli`: arguments, environment, standard streams, exit.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream};

use super::bindings::wasi::cli::{
    environment, exit, stderr, stdin, stdout, terminal_input, terminal_output, terminal_stderr,
    terminal_stdin, terminal_stdout,
};
use crate::io::Writer;
use crate::run::{Exit, State};

/// A terminal. There is none in a Keep, so there is no value of this type.
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub enum NoTerminal {}

impl environment::Host for State {
    fn get_environment(&mut self) -> Result<Vec<(String, String)>> {
        Ok(self.env.clone())
    }

    fn get_arguments(&mut self) -> Result<Vec<String>> {
        Ok(self.args.clone())
    }

    fn initial_cwd(&mut self) -> Result<Option<String>> {
        Ok(None)
    }
}

impl exit::Host for State {
    fn exit(&mut self, status: core::result::Result<(), ()>) -> Result<()> {
        Err(wasmtime::Error::new(Exit(u32::from(status.is_err()))))
    }

    fn exit_with_code(&mut self, code: u8) -> Result<()> {
        Err(wasmtime::Error::new(Exit(u32::from(code))))
    }
}

impl stdin::Host for State {
    fn get_stdin(&mut self) -> Result<Resource<DynInputStream>> {
        let stream: DynInputStream = Box::new(self.start.stdin.clone());
        Ok(self.table.push(stream)?)
    }
}

impl stdout::Host for State {
    fn get_stdout(&mut self) -> Result<Resource<DynOutputStream>> {
        let writer = self.start.stdout.clone();
        output(self, writer)
    }
}

impl stderr::Host for State {
    fn get_stderr(&mut self) -> Result<Resource<DynOutputStream>> {
        let writer = self.start.stderr.clone();
        output(self, writer)
    }
}

fn output(state: &mut State, writer: Writer) -> Result<Resource<DynOutputStream>> {
    let stream: DynOutputStream = Box::new(writer);
    Ok(state.table.push(stream)?)
}

impl terminal_input::Host for State {}

impl terminal_input::HostTerminalInput for State {
    fn drop(&mut self, terminal: Resource<NoTerminal>) -> Result<()> {
        self.table.delete(terminal)?;
        Ok(())
    }
}

impl terminal_output::Host for State {}

impl terminal_output::HostTerminalOutput for State {
    fn drop(&mut self, terminal: Resource<NoTerminal>) -> Result<()> {
        self.table.delete(terminal)?;
        Ok(())
    }
}

impl terminal_stdin::Host for State {
    fn get_terminal_stdin(&mut self) -> Result<Option<Resource<NoTerminal>>> {
        Ok(None)
    }
}

impl terminal_stdout::Host for State {
    fn get_terminal_stdout(&mut self) -> Result<Option<Resource<NoTerminal>>> {
        Ok(None)
    }
}

impl terminal_stderr::Host for State {
    fn get_terminal_stderr(&mut self) -> Result<Option<Resource<NoTerminal>>> {
        Ok(None)
    }
}
