// SPDX-License-Identifier: Apache-2.0

//! WASI 0.2 for components: the world `wasi:cli/command` without sockets.
//!
//! The files, streams and clocks are those of preview 1; only the way of calling them differs. Nothing here waits but
//! streams and clocks, and those wait in the functions of `wasi:io`, which come from wasmtime-wasi-io.

pub(crate) mod bindings;
mod cli;
mod clocks;
mod descriptor;
mod failure;
mod files;
mod random;
mod streams;

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use wasmtime::component::{Component, HasSelf, Linker, ResourceTable};
use wasmtime::{Engine, Store};
use wasmtime_wasi_io::IoView;
use wasmtime_wasi_io::bindings::wasi::io;

use crate::run::{Exit, RunError, State};

/// The most resources (descriptors, streams, pollables) that a program has at once.
pub(crate) const MAX_RESOURCES: usize = 8192;

/// The most bytes that the arguments of one call take in the Keep's own memory.
const MAX_CALL_BYTES: usize = 32 << 20;

/// The interface that is run, by any version that the one of the bindings can stand for.
const ENTRY: &str = "wasi:cli/run@0.2.12";

/// The interfaces that components may import, all of version 0.2.
const PROVIDED: [&str; 20] = [
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
];

/// Instantiates a component and runs it to its end. An error is how it ended, see [`crate::run`].
pub(crate) async fn run(store: &mut Store<State>, component: &Component) -> wasmtime::Result<()> {
    let missing = missing(component);
    if !missing.is_empty() {
        return Err(wasmtime::Error::new(RunError::MissingImports { names: missing }));
    }
    if component.get_export_index(None, ENTRY).is_none() {
        return Err(wasmtime::Error::new(RunError::NoEntry { expected: "wasi:cli/run@0.2" }));
    }
    store.set_hostcall_fuel(MAX_CALL_BYTES);
    let linker = linker(component.engine())?;
    let command = bindings::Command::instantiate_async(&mut *store, component, &linker).await?;
    match command.wasi_cli_run().call_run(&mut *store).await? {
        Ok(()) => Ok(()),
        Err(()) => Err(wasmtime::Error::new(Exit(1))),
    }
}

/// Whether everything that a component imports is there and of the type that it expects.
pub(crate) fn check_imports(component: &Component) -> wasmtime::Result<()> {
    linker(component.engine())?.instantiate_pre(component).map(drop)
}

/// Defines interfaces that work on the whole state.
macro_rules! add_to_linker {
    ($linker:ident: $($package:ident::$interface:ident,)*) => {$(
        bindings::wasi::$package::$interface::add_to_linker::<_, HasSelf<State>>(&mut $linker, |state| state)?;
    )*};
}

fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    io::error::add_to_linker::<_, Table>(&mut linker, State::table)?;
    io::poll::add_to_linker::<_, Table>(&mut linker, State::table)?;
    io::streams::add_to_linker::<_, Table>(&mut linker, State::table)?;
    add_to_linker! { linker:
        cli::environment, cli::exit, cli::stderr, cli::stdin, cli::stdout, cli::terminal_input, cli::terminal_output,
        cli::terminal_stderr, cli::terminal_stdin, cli::terminal_stdout, clocks::monotonic_clock, clocks::wall_clock,
        filesystem::preopens, filesystem::types, random::insecure, random::insecure_seed, random::random,
    }
    Ok(linker)
}

struct Table;

impl wasmtime::component::HasData for Table {
    type Data<'a> = &'a mut ResourceTable;
}

impl IoView for State {
    fn table(&mut self) -> &mut ResourceTable {
        &mut self.table
    }
}

/// All imports that nothing here provides, by name.
fn missing(component: &Component) -> Vec<String> {
    let engine = component.engine();
    let imports = component.component_type();
    imports
        .imports(engine)
        .map(|(name, _)| name)
        .filter(|name| !is_provided(name))
        .map(ToString::to_string)
        .collect()
}

/// Whether an interface is provided in a version that can stand for the one asked for: 0.2.x only adds.
fn is_provided(import: &str) -> bool {
    let Some((interface, version)) = import.split_once('@') else { return false };
    let patch = version.strip_prefix("0.2.").unwrap_or_default();
    let released = !patch.is_empty() && patch.bytes().all(|byte| byte.is_ascii_digit());
    released && PROVIDED.contains(&interface)
}
