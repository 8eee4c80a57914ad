// SPDX-License-Identifier: Apache-2.0

//! What the workload sees: the WebAssembly engine, WASI, and the file system in the Keep's memory.
//!
//! One implementation serves every Keep, from the sandboxed process to the unikernel, so it is `no_std` and does
//! no input or output of its own: time, streams and files are handed in. It executes code that the tenant compiled
//! ahead of time for exactly the engine that [`engine`] describes; there is no compiler in here.
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

// Only named so that Cargo's features reach the copy of `sha2` that wasmtime uses.
#[cfg(target_os = "none")]
use sha2_0_10 as _;

pub mod clock;
pub mod engine;
mod errno;
pub mod io;
pub mod net;
mod preview1;
mod preview2;
pub mod run;
pub mod vfs;
