// SPDX-License-Identifier: Apache-2.0

//! Ends of pipes as the streams of `wasi:io`.

use alloc::boxed::Box;

use async_trait::async_trait;
use bytes::Bytes;
use wasmtime_wasi_io::poll::Pollable;
use wasmtime_wasi_io::streams::{InputStream, OutputStream, StreamError, StreamResult};

use super::{Available, Closed, Reader, Writer};

#[async_trait]
impl Pollable for Reader {
    async fn ready(&mut self) {
        Reader::ready(self).await;
    }
}

impl InputStream for Reader {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        match self.try_read(size) {
            Available::Bytes(bytes) => Ok(bytes),
            Available::Nothing => Ok(Bytes::new()),
            Available::End => Err(StreamError::Closed),
        }
    }
}

#[async_trait]
impl Pollable for Writer {
    async fn ready(&mut self) {
        Writer::ready(self).await;
    }
}

impl OutputStream for Writer {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > self.space()? {
            return Err(StreamError::trap("a write was longer than `check-write` allows"));
        }
        self.try_write(&bytes)?;
        Ok(())
    }

    /// What is in the pipe cannot get lost any more, so there is nothing to wait for.
    fn flush(&mut self) -> StreamResult<()> {
        self.space()?;
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(self.space()?)
    }
}

impl From<Closed> for StreamError {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}
