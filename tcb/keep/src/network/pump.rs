// SPDX-License-Identifier: Apache-2.0

//! One TLS connection between a stream of the host's and the pipes of the workload. Each side is read only as fast as the
//! other takes it.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::future::poll_fn;
use core::task::{Context, Poll};

use enarx_runtime::io::Available;
use enarx_runtime::net::{Fault, Served};
use enarx_session::web::Connection;

use crate::platform::Stream;

/// Ciphertext that waits for the host, and plain bytes that wait for the workload, before more is produced.
const BACKLOG: usize = 64 * 1024;
/// Bytes that are moved at a time; more would be more than one record.
const PIECE: usize = 16 * 1024;

#[allow(clippy::struct_excessive_bools, reason = "four ends of two directions, each of which ends by itself")]
pub(super) struct Pump<S> {
    stream: S,
    tls: Connection,
    buffer: Box<[u8]>,
    /// Ciphertext on its way, and how much of it is written
    outgoing: Vec<u8>,
    written: usize,
    /// The stream brings nothing more, or takes nothing more
    ended: bool,
    broken: bool,
    /// The workload knows that nothing more comes, and the peer that nothing more is sent
    told_workload: bool,
    told_peer: bool,
}

impl<S: Stream> Pump<S> {
    pub(super) fn new(stream: S, tls: Connection) -> Self {
        Self {
            stream,
            tls,
            buffer: vec![0; PIECE].into_boxed_slice(),
            outgoing: Vec::new(),
            written: 0,
            ended: false,
            broken: false,
            told_workload: false,
            told_peer: false,
        }
    }

    /// Completes the handshake, or says why there is none.
    pub(super) async fn handshake(&mut self) -> Result<(), String> {
        poll_fn(|context| {
            loop {
                let progress = self.receive(context) | self.transmit(context);
                if self.tls.is_established() && self.tls.failed().is_none() {
                    return Poll::Ready(Ok(()));
                }
                if progress {
                    continue;
                }
                // What rustls says to the peer about it has been sent by now, as far as it could be.
                return match self.tls.failed() {
                    Some(error) => Poll::Ready(Err(error.to_string())),
                    None if self.broken => Poll::Ready(Err("the connection was cut off".to_string())),
                    None => Poll::Pending,
                };
            }
        })
        .await
    }

    /// Moves bytes until both sides have ended, one broke, or the workload is no longer interested.
    pub(super) async fn run(mut self, served: &Served) {
        poll_fn(|context| self.poll(context, served)).await;
    }

    fn poll(&mut self, context: &mut Context<'_>, served: &Served) -> Poll<()> {
        loop {
            let mut progress = self.receive(context);
            progress |= self.deliver(context, served);
            progress |= self.collect(context, served);
            progress |= self.transmit(context);
            if progress {
                continue;
            }
            let abandoned = !self.told_workload && served.incoming.space().is_err();
            let sent = self.outgoing.is_empty() && self.tls.backlog() == 0;
            let received = self.told_workload || abandoned;
            let over = received && (self.told_peer || self.tls.failed().is_some());
            return if self.broken || (over && sent) {
                if self.broken {
                    served.fail(Fault::Reset);
                }
                Poll::Ready(())
            } else {
                Poll::Pending
            };
        }
    }

    /// Ciphertext from the host.
    fn receive(&mut self, context: &mut Context<'_>) -> bool {
        let full = self.tls.plain().len() >= BACKLOG || self.backlog() >= BACKLOG;
        if self.ended || full || self.tls.failed().is_some() || self.tls.peer_closed() {
            return false;
        }
        match self.stream.poll_read(context, &mut self.buffer) {
            Poll::Pending => false,
            Poll::Ready(Ok(count)) if count > 0 => {
                self.tls.push(self.buffer.get(..count).unwrap_or_default());
                true
            }
            Poll::Ready(_) => {
                self.ended = true;
                self.tls.end();
                true
            }
        }
    }

    /// Plain bytes to the workload.
    fn deliver(&mut self, context: &mut Context<'_>, served: &Served) -> bool {
        if self.told_workload {
            return false;
        }
        if self.tls.plain().is_empty() {
            if self.tls.failed().is_some() {
                // Not an end that the peer wanted.
                served.fail(Fault::Reset);
            } else if self.tls.peer_closed() {
                served.incoming.close();
            } else {
                return false;
            }
            self.told_workload = true;
            return true;
        }
        match served.incoming.try_write(self.tls.plain()) {
            Ok(0) => {
                let _ = served.incoming.poll_ready(context);
                false
            }
            Ok(count) => {
                self.tls.consume(count);
                true
            }
            // The workload reads no more: what comes is dropped.
            Err(_) => {
                let count = self.tls.plain().len();
                self.tls.consume(count);
                true
            }
        }
    }

    /// Plain bytes from the workload.
    fn collect(&mut self, context: &mut Context<'_>, served: &Served) -> bool {
        if self.told_peer || self.backlog() >= BACKLOG || self.tls.failed().is_some() {
            return false;
        }
        match served.outgoing.try_read(PIECE) {
            Available::Bytes(bytes) => {
                if self.tls.write(&bytes).is_err() {
                    self.told_peer = true;
                }
                true
            }
            Available::End => {
                self.tls.close();
                self.told_peer = true;
                true
            }
            Available::Nothing => {
                let _ = served.outgoing.poll_ready(context);
                false
            }
        }
    }

    /// Ciphertext to the host.
    fn transmit(&mut self, context: &mut Context<'_>) -> bool {
        let mut progress = false;
        while !self.broken {
            if self.written >= self.outgoing.len() {
                self.written = 0;
                self.outgoing = self.tls.pull().unwrap_or_default();
                if self.outgoing.is_empty() {
                    break;
                }
            }
            match self.stream.poll_write(context, self.outgoing.get(self.written..).unwrap_or_default()) {
                Poll::Pending => break,
                Poll::Ready(Ok(count)) if count > 0 => {
                    self.written = self.written.saturating_add(count);
                    progress = true;
                }
                Poll::Ready(_) => self.broken = true,
            }
        }
        progress
    }

    fn backlog(&self) -> usize {
        self.outgoing.len().saturating_sub(self.written).saturating_add(self.tls.backlog())
    }
}
