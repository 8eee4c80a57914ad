// SPDX-License-Identifier: Apache-2.0

//! Bounded pipes between a workload and the session that serves it.
//!
//! A slow reader holds the writer back and costs a bounded amount of memory. Both ends can be used by many parties: an
//! end is closed when its last clone is dropped, or when somebody closes it.

mod stream;

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::future::poll_fn;
use core::task::{Context, Poll, Waker};

use bytes::Bytes;
use spin::Mutex;

/// The most that one read gives and one write takes where nothing else limits it.
pub const MAX_TRANSFER: usize = 64 * 1024;

/// More parties than this waiting for one end are woken rather than remembered, and ask again.
const MAX_WAITING: usize = 32;

/// The other end is closed: what is written can no longer be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the other end of the pipe is closed")]
pub struct Closed;

/// What there is to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Available {
    /// Some bytes; none only if none were asked for.
    Bytes(Bytes),
    /// Nothing yet.
    Nothing,
    /// Nothing, and nothing will come.
    End,
}

/// The end that is read from.
pub struct Reader {
    pipe: Option<Arc<Pipe>>,
}

/// The end that is written to.
pub struct Writer {
    sink: Sink,
}

enum Sink {
    Null,
    Closed,
    Pipe(Arc<Pipe>),
}

struct Pipe {
    state: Mutex<State>,
}

struct State {
    bytes: VecDeque<u8>,
    capacity: usize,
    readers: usize,
    writers: usize,
    waiting_readers: Vec<Waker>,
    waiting_writers: Vec<Waker>,
}

/// A pipe that holds up to `capacity` bytes (at least one).
pub fn pipe(capacity: usize) -> (Writer, Reader) {
    let state = State {
        bytes: VecDeque::new(),
        capacity: capacity.max(1),
        readers: 1,
        writers: 1,
        waiting_readers: Vec::new(),
        waiting_writers: Vec::new(),
    };
    let pipe = Arc::new(Pipe { state: Mutex::new(state) });
    (Writer { sink: Sink::Pipe(Arc::clone(&pipe)) }, Reader { pipe: Some(pipe) })
}

impl Reader {
    /// Has nothing to read and never will.
    pub fn null() -> Self {
        Self { pipe: None }
    }

    /// Takes at most `max` bytes of what is there.
    pub fn try_read(&self, max: usize) -> Available {
        let Some(pipe) = &self.pipe else { return Available::End };
        let mut state = pipe.state.lock();
        if state.bytes.is_empty() {
            return if state.writers == 0 || state.readers == 0 {
                Available::End
            } else {
                Available::Nothing
            };
        }
        let count = state.bytes.len().min(max).min(MAX_TRANSFER);
        let bytes: Vec<u8> = state.bytes.drain(..count).collect();
        let waiting = core::mem::take(&mut state.waiting_writers);
        drop(state);
        wake(waiting);
        Available::Bytes(bytes.into())
    }

    /// As [`Reader::try_read`], but what it gives can still be read.
    pub fn peek(&self, max: usize) -> Available {
        let Some(pipe) = &self.pipe else { return Available::End };
        let state = pipe.state.lock();
        if !state.bytes.is_empty() {
            let bytes: Vec<u8> = state.bytes.iter().take(max.min(MAX_TRANSFER)).copied().collect();
            return Available::Bytes(bytes.into());
        }
        if state.writers == 0 || state.readers == 0 { Available::End } else { Available::Nothing }
    }

    /// Waits for bytes; `None` at the end.
    pub async fn read(&self, max: usize) -> Option<Bytes> {
        loop {
            match self.try_read(max.max(1)) {
                Available::Bytes(bytes) => return Some(bytes),
                Available::End => return None,
                // Another reader may be quicker after this, hence the loop.
                Available::Nothing => self.ready().await,
            }
        }
    }

    /// Waits until [`Reader::try_read`] has something to say.
    pub async fn ready(&self) {
        poll_fn(|context| self.poll_ready(context)).await;
    }

    /// How many bytes can be read now.
    pub fn available(&self) -> usize {
        self.pipe.as_ref().map_or(0, |pipe| pipe.state.lock().bytes.len())
    }

    /// Ends the pipe from this side: what is in it is dropped, writers get [`Closed`].
    pub fn close(&self) {
        if let Some(pipe) = &self.pipe {
            let mut state = pipe.state.lock();
            state.readers = 0;
            state.bytes = VecDeque::new();
            let waiting = state.take_waiting();
            drop(state);
            wake(waiting);
        }
    }

    /// As [`Reader::ready`], for whoever waits for several things at once.
    pub fn poll_ready(&self, context: &mut Context<'_>) -> Poll<()> {
        let Some(pipe) = &self.pipe else { return Poll::Ready(()) };
        let mut state = pipe.state.lock();
        if !state.bytes.is_empty() || state.writers == 0 || state.readers == 0 {
            return Poll::Ready(());
        }
        let crowd = remember(&mut state.waiting_readers, context.waker());
        drop(state);
        wake(crowd);
        Poll::Pending
    }
}

impl Clone for Reader {
    fn clone(&self) -> Self {
        if let Some(pipe) = &self.pipe {
            let mut state = pipe.state.lock();
            // An end that was closed stays closed.
            if state.readers > 0 {
                state.readers += 1;
            }
        }
        Self { pipe: self.pipe.clone() }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let last = self.pipe.as_ref().is_some_and(|pipe| {
            let mut state = pipe.state.lock();
            state.readers = state.readers.saturating_sub(1);
            state.readers == 0
        });
        if last {
            self.close();
        }
    }
}

impl Writer {
    /// Takes everything and keeps nothing.
    pub fn null() -> Self {
        Self { sink: Sink::Null }
    }

    /// Takes nothing.
    pub fn closed() -> Self {
        Self { sink: Sink::Closed }
    }

    /// How many bytes can be written now; 0 if the pipe is full.
    pub fn space(&self) -> Result<usize, Closed> {
        match &self.sink {
            Sink::Null => Ok(MAX_TRANSFER),
            Sink::Closed => Err(Closed),
            Sink::Pipe(pipe) => pipe.state.lock().space().map(|space| space.min(MAX_TRANSFER)),
        }
    }

    /// Writes as much as can be written now; 0 if the pipe is full.
    pub fn try_write(&self, bytes: &[u8]) -> Result<usize, Closed> {
        let pipe = match &self.sink {
            Sink::Null => return Ok(bytes.len()),
            Sink::Closed => return Err(Closed),
            Sink::Pipe(pipe) => pipe,
        };
        let mut state = pipe.state.lock();
        let part = bytes.get(..state.space()?).unwrap_or(bytes);
        if part.is_empty() {
            return Ok(0);
        }
        state.bytes.extend(part);
        let waiting = core::mem::take(&mut state.waiting_readers);
        drop(state);
        wake(waiting);
        Ok(part.len())
    }

    /// Waits until something can be written and writes it: at least one byte, if any are given.
    pub async fn write(&self, bytes: &[u8]) -> Result<usize, Closed> {
        loop {
            let written = self.try_write(bytes)?;
            if written > 0 || bytes.is_empty() {
                return Ok(written);
            }
            self.ready().await;
        }
    }

    /// Writes everything, however long that takes.
    pub async fn write_all(&self, mut bytes: &[u8]) -> Result<(), Closed> {
        while !bytes.is_empty() {
            let written = self.write(bytes).await?;
            bytes = bytes.get(written..).unwrap_or_default();
        }
        Ok(())
    }

    /// Waits until [`Writer::try_write`] has something to say.
    pub async fn ready(&self) {
        poll_fn(|context| self.poll_ready(context)).await;
    }

    /// Ends the pipe from this side: readers get what is in it, and then the end.
    pub fn close(&self) {
        if let Sink::Pipe(pipe) = &self.sink {
            let mut state = pipe.state.lock();
            state.writers = 0;
            let waiting = state.take_waiting();
            drop(state);
            wake(waiting);
        }
    }

    /// As [`Writer::ready`], for whoever waits for several things at once.
    pub fn poll_ready(&self, context: &mut Context<'_>) -> Poll<()> {
        let Sink::Pipe(pipe) = &self.sink else { return Poll::Ready(()) };
        let mut state = pipe.state.lock();
        if state.space() != Ok(0) {
            return Poll::Ready(());
        }
        let crowd = remember(&mut state.waiting_writers, context.waker());
        drop(state);
        wake(crowd);
        Poll::Pending
    }
}

impl Clone for Writer {
    fn clone(&self) -> Self {
        let sink = match &self.sink {
            Sink::Null => Sink::Null,
            Sink::Closed => Sink::Closed,
            Sink::Pipe(pipe) => {
                let mut state = pipe.state.lock();
                if state.writers > 0 {
                    state.writers += 1;
                }
                drop(state);
                Sink::Pipe(Arc::clone(pipe))
            }
        };
        Self { sink }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let Sink::Pipe(pipe) = &self.sink else { return };
        let last = {
            let mut state = pipe.state.lock();
            state.writers = state.writers.saturating_sub(1);
            state.writers == 0
        };
        if last {
            self.close();
        }
    }
}

impl State {
    fn space(&self) -> Result<usize, Closed> {
        if self.readers == 0 || self.writers == 0 {
            return Err(Closed);
        }
        Ok(self.capacity.saturating_sub(self.bytes.len()))
    }

    fn take_waiting(&mut self) -> Vec<Waker> {
        let mut waiting = core::mem::take(&mut self.waiting_readers);
        waiting.append(&mut self.waiting_writers);
        waiting
    }
}

/// Remembers a waker once. Returns wakers that have to be woken because too many are waiting.
fn remember(waiting: &mut Vec<Waker>, waker: &Waker) -> Vec<Waker> {
    if waiting.iter().any(|known| known.will_wake(waker)) {
        return Vec::new();
    }
    let crowd = if waiting.len() >= MAX_WAITING { core::mem::take(waiting) } else { Vec::new() };
    waiting.push(waker.clone());
    crowd
}

/// Wakes; never under the lock, because a waker may run what it wakes.
fn wake(waiting: Vec<Waker>) {
    waiting.into_iter().for_each(Waker::wake);
}
