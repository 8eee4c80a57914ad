// SPDX-License-Identifier: Apache-2.0

//! Files as streams of `wasi:io`. A stream holds the node open and has a position of its own.

use alloc::boxed::Box;
use alloc::vec;

use async_trait::async_trait;
use bytes::Bytes;
use wasmtime_wasi_io::poll::Pollable;
use wasmtime_wasi_io::streams::{InputStream, OutputStream, StreamError, StreamResult};

use crate::io::MAX_TRANSFER;
use crate::vfs::{OpenNode, VfsError};

/// Reads a file from a position on; closed at the end of the file.
pub(super) struct FileInput {
    node: OpenNode,
    position: u64,
}

/// Writes to a file.
pub(super) struct FileOutput {
    node: OpenNode,
    /// `None`: at the end, wherever that is then.
    position: Option<u64>,
    /// After an error a stream is closed.
    failed: bool,
}

impl FileInput {
    pub(super) fn new(node: OpenNode, position: u64) -> Self {
        Self { node, position }
    }
}

impl FileOutput {
    pub(super) fn new(node: OpenNode, position: Option<u64>) -> Self {
        Self { node, position, failed: false }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), VfsError> {
        let written = match self.position {
            Some(position) => self.node.write_at(position, bytes)?,
            None => self.node.append(bytes)?.0,
        };
        if let Some(position) = &mut self.position {
            *position += written as u64;
        }
        if written < bytes.len() { Err(VfsError::OutOfMemory) } else { Ok(()) }
    }

    fn alive(&self) -> StreamResult<()> {
        if self.failed { Err(StreamError::Closed) } else { Ok(()) }
    }
}

/// Everything is in memory, so files are always ready.
#[async_trait]
impl Pollable for FileInput {
    async fn ready(&mut self) {}
}

#[async_trait]
impl Pollable for FileOutput {
    async fn ready(&mut self) {}
}

impl InputStream for FileInput {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        let end = self.node.stat().map_err(failed)?.size;
        let left = end.saturating_sub(self.position);
        if left == 0 {
            return Err(StreamError::Closed);
        }
        let size = size.min(MAX_TRANSFER).min(usize::try_from(left).unwrap_or(usize::MAX));
        let mut bytes = vec![0; size];
        let read = self.node.read_at(self.position, &mut bytes).map_err(failed)?;
        bytes.truncate(read);
        self.position += read as u64;
        Ok(bytes.into())
    }
}

impl OutputStream for FileOutput {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.alive()?;
        if bytes.len() > MAX_TRANSFER {
            return Err(StreamError::trap("a write was longer than `check-write` allows"));
        }
        self.put(&bytes).map_err(|error| {
            self.failed = true;
            failed(error)
        })
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.alive()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.alive()?;
        Ok(MAX_TRANSFER)
    }
}

/// An error from which `filesystem-error-code` gets its code.
fn failed(error: VfsError) -> StreamError {
    StreamError::LastOperationFailed(wasmtime::Error::new(error))
}
