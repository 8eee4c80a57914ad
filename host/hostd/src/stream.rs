// SPDX-License-Identifier: Apache-2.0

//! A control stream: raw bytes to and from one Keep, counted, and recorded if somebody asked for it.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, sleep_until};

use crate::api::{KeepExit, KeepId};
use crate::metrics::Metrics;
use crate::recorder::{Channel, Direction, Recorder};

/// A stream to the control port of a Keep. While it is open it counts against the Keep's limit of streams.
pub struct ControlStream {
    stream: Tapped,
    ended: watch::Receiver<Option<KeepExit>>,
    _permit: OwnedSemaphorePermit,
}

impl ControlStream {
    pub(crate) fn new(
        stream: UnixStream,
        tap: Tap,
        ended: watch::Receiver<Option<KeepExit>>,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        Self { stream: Tapped::new(stream, tap), ended, _permit: permit }
    }

    /// Waits until the Keep has ended. Bytes that it sent before may still be read.
    pub fn keep_ended(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        let mut ended = self.ended.clone();
        async move {
            // An error says that nobody watches the Keep any more, so it is gone as well.
            let _ = ended.wait_for(Option::is_some).await;
        }
    }
}

/// A stream to a Keep whose bytes are noted as they pass.
pub(crate) struct Tapped {
    stream: UnixStream,
    tap: Tap,
}

impl Tapped {
    pub(crate) fn new(stream: UnixStream, tap: Tap) -> Self {
        Self { stream, tap }
    }
}

/// Where the bytes of a Keep's streams are counted and recorded.
#[derive(Clone)]
pub(crate) struct Tap {
    keep: KeepId,
    channel: Channel,
    metrics: Arc<Metrics>,
    recorder: Option<Arc<dyn Recorder>>,
    relayed: Arc<Relayed>,
}

/// What passed on the control streams of one Keep.
struct Relayed {
    last: Activity,
    to_keep: AtomicU64,
    from_keep: AtomicU64,
}

impl Tap {
    pub(crate) fn new(
        keep: KeepId,
        channel: Channel,
        metrics: Arc<Metrics>,
        recorder: Option<Arc<dyn Recorder>>,
    ) -> Self {
        let relayed = Relayed { last: Activity::new(), to_keep: 0.into(), from_keep: 0.into() };
        Self { keep, channel, metrics, recorder, relayed: Arc::new(relayed) }
    }

    /// Notes bytes that passed.
    pub(crate) fn note(&self, direction: Direction, bytes: &[u8]) {
        if self.channel == Channel::Control {
            let (of_all, of_this) = match direction {
                Direction::ToKeep => (&self.metrics.bytes_to_keeps, &self.relayed.to_keep),
                Direction::FromKeep => (&self.metrics.bytes_from_keeps, &self.relayed.from_keep),
            };
            Metrics::add(of_all, bytes.len() as u64);
            Metrics::add(of_this, bytes.len() as u64);
            self.relayed.last.note();
        }
        if let Some(recorder) = &self.recorder {
            recorder.record(self.keep, self.channel, direction, bytes);
        }
    }

    /// The same witness for another channel of the Keep.
    pub(crate) fn on(&self, channel: Channel) -> Self {
        Self { channel, ..self.clone() }
    }

    /// The counters of the host.
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// When bytes last passed on any control stream of the Keep.
    pub(crate) fn relayed(&self) -> &Activity {
        &self.relayed.last
    }

    /// How many bytes passed on the control streams of the Keep, to it and from it.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        (self.relayed.to_keep.load(Ordering::Relaxed), self.relayed.from_keep.load(Ordering::Relaxed))
    }
}

/// When bytes last passed.
pub(crate) struct Activity(Mutex<Instant>);

impl Activity {
    /// It begins as if something had passed just now.
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Instant::now()))
    }

    /// Something passes.
    pub(crate) fn note(&self) {
        *self.last() = Instant::now();
    }

    /// Completes when nothing has passed for `limit`.
    pub(crate) async fn idle(&self, limit: Duration) {
        loop {
            let deadline = *self.last() + limit;
            if deadline <= Instant::now() {
                return;
            }
            sleep_until(deadline).await;
        }
    }

    fn last(&self) -> MutexGuard<'_, Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsyncRead for ControlStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for ControlStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

impl AsyncRead for Tapped {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buffer))?;
        this.tap.note(Direction::FromKeep, buffer.filled().get(before..).unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tapped {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = ready!(Pin::new(&mut this.stream).poll_write(cx, bytes))?;
        this.tap.note(Direction::ToKeep, bytes.get(..written).unwrap_or_default());
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
