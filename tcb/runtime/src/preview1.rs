// SPDX-License-Identifier: Apache-2.0

//! `wasi_snapshot_preview1` for core modules: all 46 functions.
//!
//! The reference is the witx description in WebAssembly/WASI, legacy/preview1, and where it is silent POSIX. Descriptors are
//! the objects that preview 2 works on: nodes of the same file system, ends of the same pipes.
//!
//! Rights: the standard gave up taking them away. `fd_fdstat_set_rights` gives `ENOTSUP`, `fd_fdstat_get` tells
//! whether a file was opened for reading and for writing, and that is what is enforced (`EBADF`).

mod abi;
mod fds;
mod files;
mod guest;
mod paths;
mod poll;
mod process;
mod sockets;
mod streams;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use wasmtime::{Caller, Extern, Linker, Module, Store};

use crate::run::{RunError, State};
pub(crate) use fds::Fds;
use guest::{Failure, Guest};

/// The module that programs import from.
const MODULE: &str = "wasi_snapshot_preview1";
/// The export that is run.
const ENTRY: &str = "_start";

/// One call of the program.
struct Call<'a> {
    guest: Guest<'a>,
    state: &'a mut State,
}

/// Instantiates a module and runs it to its end. An error is how it ended, see [`crate::run`].
pub(crate) async fn run(store: &mut Store<State>, module: &Module) -> wasmtime::Result<()> {
    let mut linker = Linker::new(module.engine());
    add_to_linker(&mut linker)?;
    let missing: Vec<String> = module
        .imports()
        .filter(|import| linker.get_by_import(&mut *store, import).is_none())
        .map(|import| format!("{}::{}", import.module(), import.name()))
        .collect();
    if !missing.is_empty() {
        return Err(wasmtime::Error::new(RunError::MissingImports { names: missing }));
    }
    if module.get_export(ENTRY).is_none() {
        return Err(wasmtime::Error::new(RunError::NoEntry { expected: ENTRY }));
    }
    let start = store.data_mut().start.take();
    store.data_mut().fds = Fds::new(start);
    let instance = linker.instantiate_async(&mut *store, module).await?;
    let start = instance.get_typed_func::<(), ()>(&mut *store, ENTRY)?;
    start.call_async(&mut *store, ()).await
}

/// Whether everything that a module imports is there and of the type that it expects.
pub(crate) fn check_imports(module: &Module) -> wasmtime::Result<()> {
    let mut linker = Linker::new(module.engine());
    add_to_linker(&mut linker)?;
    linker.instantiate_pre(module).map(drop)
}

/// Defines functions that never wait.
macro_rules! define {
    ($linker:ident: $($in:ident::$name:ident($($arg:ident: $type:ty),*);)*) => {$(
        $linker.func_wrap(MODULE, stringify!($name), |mut caller: Caller<'_, State>, $($arg: $type),*| {
            let mut call = call(&mut caller)?;
            status(stringify!($name), $in::$name(&mut call, $($arg),*))
        })?;
    )*};
}

/// Defines functions that may wait, or that take so long that others must get their turn.
macro_rules! define_async {
    ($linker:ident: $($in:ident::$name:ident($($arg:ident: $type:ty),*);)*) => {$(
        $linker.func_wrap_async(
            MODULE,
            stringify!($name),
            |mut caller: Caller<'_, State>, ($($arg,)*): ($($type,)*)| Box::new(async move {
                let mut call = call(&mut caller)?;
                status(stringify!($name), $in::$name(&mut call, $($arg),*).await)
            }),
        )?;
    )*};
}

fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    add_process(linker)?;
    add_descriptors(linker)?;
    add_paths(linker)
}

fn add_process(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    define! { linker:
        process::args_get(argv: u32, argv_buf: u32);
        process::args_sizes_get(argc: u32, argv_buf_size: u32);
        process::environ_get(environ: u32, environ_buf: u32);
        process::environ_sizes_get(environc: u32, environ_buf_size: u32);
        process::clock_res_get(id: u32, resolution: u32);
        process::clock_time_get(id: u32, precision: u64, time: u32);
        process::proc_raise(signal: u32);
        sockets::sock_shutdown(fd: u32, how: u32);
    }
    define_async! { linker:
        process::random_get(buf: u32, len: u32);
        process::sched_yield();
        sockets::sock_accept(fd: u32, flags: u32, accepted: u32);
        sockets::sock_recv(fd: u32, data: u32, data_len: u32, flags: u32, datalen: u32, roflags: u32);
        sockets::sock_send(fd: u32, data: u32, data_len: u32, flags: u32, datalen: u32);
        poll::poll_oneoff(subscriptions: u32, events: u32, count: u32, happened: u32);
    }
    linker.func_wrap(MODULE, "proc_exit", |status: u32| -> wasmtime::Result<()> {
        Err(process::proc_exit(status))
    })?;
    Ok(())
}

fn add_descriptors(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    define! { linker:
        files::fd_advise(fd: u32, offset: u64, len: u64, advice: u32);
        files::fd_allocate(fd: u32, offset: u64, len: u64);
        files::fd_close(fd: u32);
        files::fd_datasync(fd: u32);
        files::fd_fdstat_get(fd: u32, stat: u32);
        files::fd_fdstat_set_flags(fd: u32, flags: u32);
        files::fd_fdstat_set_rights(fd: u32, base: u64, inheriting: u64);
        files::fd_filestat_get(fd: u32, stat: u32);
        files::fd_filestat_set_size(fd: u32, size: u64);
        files::fd_filestat_set_times(fd: u32, atim: u64, mtim: u64, flags: u32);
        files::fd_prestat_get(fd: u32, prestat: u32);
        files::fd_prestat_dir_name(fd: u32, path: u32, path_len: u32);
        files::fd_readdir(fd: u32, buf: u32, buf_len: u32, cookie: u64, bufused: u32);
        files::fd_renumber(from: u32, to: u32);
        files::fd_seek(fd: u32, offset: i64, origin: u32, position: u32);
        files::fd_sync(fd: u32);
        files::fd_tell(fd: u32, position: u32);
        streams::fd_pread(fd: u32, iovs: u32, iovs_len: u32, offset: u64, nread: u32);
        streams::fd_pwrite(fd: u32, iovs: u32, iovs_len: u32, offset: u64, nwritten: u32);
    }
    define_async! { linker:
        streams::fd_read(fd: u32, iovs: u32, iovs_len: u32, nread: u32);
        streams::fd_write(fd: u32, iovs: u32, iovs_len: u32, nwritten: u32);
    }
    Ok(())
}

fn add_paths(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    define! { linker:
        paths::path_create_directory(fd: u32, path: u32, path_len: u32);
        paths::path_filestat_get(fd: u32, flags: u32, path: u32, path_len: u32, stat: u32);
        paths::path_filestat_set_times(
            fd: u32, flags: u32, path: u32, path_len: u32, atim: u64, mtim: u64, fst_flags: u32
        );
        paths::path_link(
            old_fd: u32, old_flags: u32, old_path: u32, old_path_len: u32, new_fd: u32, new_path: u32, new_path_len: u32
        );
        paths::path_open(
            fd: u32, dirflags: u32, path: u32, path_len: u32, oflags: u32, rights_base: u64, rights_inheriting: u64,
            fdflags: u32, opened: u32
        );
        paths::path_readlink(fd: u32, path: u32, path_len: u32, buf: u32, buf_len: u32, bufused: u32);
        paths::path_remove_directory(fd: u32, path: u32, path_len: u32);
        paths::path_rename(fd: u32, old_path: u32, old_path_len: u32, new_fd: u32, new_path: u32, new_path_len: u32);
        paths::path_symlink(old_path: u32, old_path_len: u32, fd: u32, new_path: u32, new_path_len: u32);
        paths::path_unlink_file(fd: u32, path: u32, path_len: u32);
    }
    Ok(())
}

/// The program's memory and the state. WASI functions work on the memory that the program exports.
fn call<'a>(caller: &'a mut Caller<'_, State>) -> wasmtime::Result<Call<'a>> {
    let memory = match caller.data().memory {
        Some(memory) => memory,
        None => match caller.get_export("memory") {
            Some(Extern::Memory(memory)) => memory,
            _ => {
                return Err(wasmtime::Error::msg(
                    "a function of WASI was called by a program without a memory",
                ));
            }
        },
    };
    let (bytes, state) = memory.data_and_store_mut(caller);
    state.memory = Some(memory);
    Ok(Call { guest: Guest::new(bytes), state })
}

/// The result of a function as the program gets it.
fn status(function: &str, result: guest::Result) -> wasmtime::Result<u32> {
    match result {
        Ok(()) => Ok(0),
        Err(Failure::Errno(errno)) => Ok(u32::from(errno as u16)),
        Err(Failure::Trap(error)) => Err(wasmtime::Error::msg(format!("{function}: {error}"))),
    }
}
