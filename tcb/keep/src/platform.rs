// SPDX-License-Identifier: Apache-2.0

//! What a Keep stands on.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use core::task::{Context, Poll, Waker};

use enarx_evidence::Bundle;
use enarx_package::ProgramKind;
use enarx_runtime::clock::Clock;
use enarx_runtime::engine::EngineSpec;
use enarx_runtime::run::Program;
use enarx_session::OwnerBytes;
use wasmtime::{Config, Engine};

/// The machine under a Keep, as far as a Keep needs one. Entropy is not here: it comes through the `getrandom` crate,
/// whose source a bare-metal platform supplies at link time.
pub trait Platform: 'static {
    /// A stream to the host.
    type Stream: Stream;

    /// Time, and the timers that are waited for.
    fn clock(&self) -> Arc<dyn Clock>;

    /// The launch configuration: what the host said when it started the Keep, word for word.
    fn launch(&self) -> &[u8];

    /// What compiled code must have been compiled for.
    fn engine(&self) -> &EngineSpec;

    /// Adds to the engine's configuration what only this platform can vouch for; nothing that changes compiled code.
    fn configure(&self, _config: &mut Config) {}

    /// The next stream that the host opens, and to which port.
    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<Result<(u32, Self::Stream), StreamError>>;

    /// Opens a stream to a port of the host.
    fn connect(&self, port: u32) -> Result<Self::Stream, StreamError>;

    /// Tells the host that there is an owner now, so that it no longer ends the Keep for want of one.
    fn provisioned(&self);

    /// Evidence over 64 bytes, or who makes it.
    fn attest(&self, report_data: &[u8; 64]) -> Proof;

    /// Turns compiled code into something executable. That the bytes are the owner's is the proof that they may be.
    fn load(&self, engine: &Engine, kind: ProgramKind, code: OwnerBytes<'_>) -> Result<Program, LoadError>;

    /// Sees to it that the engine's epoch advances every few milliseconds until the Keep ends.
    fn tick(&self, engine: &Engine);

    /// Wakes the executor out of [`Self::park`].
    fn waker(&self) -> Waker;

    /// Sleeps until the waker was used, a stream that somebody waits for is ready, or the clock reads `deadline`, and
    /// wakes whoever waits for a stream that is ready. Returns at once if the waker was used since the last call.
    fn park(&self, deadline: Option<u64>);
}

/// Where evidence comes from.
#[derive(Clone, Debug)]
pub enum Proof {
    /// This platform has nothing that could vouch for it. The host is asked, and what it gives is simulated.
    OfHost,
    /// From the CPU that the Keep runs on. Nobody else is asked.
    Own(Box<Bundle>),
}

/// A stream of bytes to the host, who may say anything and stop at any time.
pub trait Stream: 'static {
    /// Reads into `buffer`; 0 is the end.
    fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut [u8])
    -> Poll<Result<usize, StreamError>>;

    /// Writes a beginning of `bytes` and says how long it was.
    fn poll_write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize, StreamError>>;
}

/// The host closed a stream, or there is no way to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the host closed the stream")]
pub struct StreamError;

/// Code that the engine does not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the compiled program does not fit this Keep's engine: {0}")]
pub struct LoadError(pub String);
