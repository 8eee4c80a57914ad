// SPDX-License-Identifier: Apache-2.0

//! The life of one Keep, from its first byte to its end.
//!
//! A Keep makes its keys, answers whoever asks for evidence, takes one workload from one owner, runs it while it serves
//! its owner's sessions, and ends. All of that is here, once, for every kind of Keep; what differs between a sandboxed
//! process and a unikernel is behind [`Platform`].
//!
//! One thread does everything: [`live`] is an executor of a few tasks, and the workload gives way to the others at every
//! epoch of its engine.
#![no_std]

extern crate alloc;

mod connection;
mod evidence;
mod executor;
mod files;
mod input;
pub mod launch;
mod life;
mod log;
pub mod platform;
mod signal;
pub mod wire;
mod workload;

pub use life::{End, live};
pub use platform::{LoadError, Platform, Stream, StreamError};
