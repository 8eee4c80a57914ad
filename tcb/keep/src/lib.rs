// SPDX-License-Identifier: Apache-2.0

//! The life of one Keep, from its first byte to its end.
//!
//! A Keep makes its keys, answers whoever asks for evidence, takes one workload from one owner, runs it while it serves
//! its owner's sessions, and ends. All of that is here, once, for every kind of Keep; what differs between a sandboxed
//! process and a unikernel is behind `Platform`.
//!
//! One thread does everything: `live` is an executor of a few tasks, and the workload gives way to the others at every
//! epoch of its engine.
#![no_std]

extern crate alloc;

#[cfg(feature = "life")]
mod connection;
#[cfg(feature = "life")]
mod evidence;
#[cfg(feature = "life")]
mod executor;
#[cfg(feature = "life")]
mod files;
#[cfg(feature = "life")]
mod input;
pub mod launch;
#[cfg(feature = "life")]
mod life;
#[cfg(feature = "life")]
mod log;
#[cfg(feature = "life")]
mod network;
#[cfg(feature = "life")]
pub mod platform;
#[cfg(feature = "life")]
mod signal;
pub mod wire;
#[cfg(feature = "life")]
mod workload;

#[cfg(feature = "life")]
pub use life::{End, live};
#[cfg(feature = "life")]
pub use platform::{LoadError, Platform, Proof, Stream, StreamError};
