// SPDX-License-Identifier: Apache-2.0

//! A stream to the host: a connected unix socket. Never blocks, whatever the host did to the socket.

use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::task::{Context, Poll};

use enarx_keep::platform::{Stream, StreamError};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use super::reactor::{Direction, Reactor};

/// One stream.
pub(super) struct ProcessStream {
    socket: Rc<dyn AsFd>,
    reactor: Rc<Reactor>,
}

impl ProcessStream {
    pub(super) fn new(socket: OwnedFd, reactor: &Rc<Reactor>) -> Self {
        Self { socket: Rc::new(socket), reactor: reactor.clone() }
    }

    /// Tries until the call is not interrupted, and waits where it would block.
    fn attempt(
        &self,
        direction: Direction,
        context: &Context<'_>,
        mut call: impl FnMut(&dyn AsFd) -> Result<usize, Errno>,
    ) -> Poll<Result<usize, StreamError>> {
        loop {
            match call(&*self.socket) {
                Ok(count) => return Poll::Ready(Ok(count)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    self.reactor.wait(&self.socket, direction, context.waker());
                    return Poll::Pending;
                }
                Err(_) => return Poll::Ready(Err(StreamError)),
            }
        }
    }
}

impl Stream for ProcessStream {
    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<Result<usize, StreamError>> {
        self.attempt(Direction::Read, context, |socket| {
            recv(socket, &mut *buffer, RecvFlags::DONTWAIT).map(|(count, _)| count)
        })
    }

    fn poll_write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize, StreamError>> {
        self.attempt(Direction::Write, context, |socket| {
            send(socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)
        })
    }
}

impl Drop for ProcessStream {
    fn drop(&mut self) {
        self.reactor.forget(&self.socket);
    }
}
