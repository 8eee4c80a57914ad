// SPDX-License-Identifier: Apache-2.0

//! Drives an attested session over a byte stream.

use std::io::ErrorKind;
use std::time::Duration;

use enarx_session::tenant::{Event, Session};
use enarx_session::wire::Refusal;
use enarx_session::{KeepId, SessionError};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::time::timeout;

use crate::connect::Stream;
use crate::failure::{Cause, Failure, Outcome, chain};

/// How long a Keep may take for one step before it is given up.
const PATIENCE: Duration = Duration::from_secs(30);
const READ_SIZE: usize = 64 * 1024;
/// How long the last words to a Keep may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// A session together with the stream it runs over.
pub(crate) struct Link {
    session: Session,
    reader: ReadHalf<Box<dyn Stream>>,
    writer: WriteHalf<Box<dyn Stream>>,
    buffer: Box<[u8]>,
    /// Ciphertext on its way, and how much of it is written.
    pending: Vec<u8>,
    written: usize,
    ended: bool,
}

impl Link {
    pub(crate) fn new(session: Session, stream: Box<dyn Stream>) -> Self {
        let (reader, writer) = split(stream);
        let buffer = vec![0; READ_SIZE].into_boxed_slice();
        Self { session, reader, writer, buffer, pending: Vec::new(), written: 0, ended: false }
    }

    pub(crate) fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    /// The next event, however long it takes. Nothing is lost when this is dropped and called again.
    pub(crate) async fn next(&mut self) -> Outcome<Event> {
        let next = self.take_or_wait().await;
        next.map_err(|failure| if self.ended { failure.because(Cause::ConnectionLost) } else { failure })
    }

    async fn take_or_wait(&mut self) -> Outcome<Event> {
        loop {
            if let Some(event) = self.session.next_event().map_err(|error| broken(&error))? {
                return Ok(event);
            }
            if self.ended {
                return Err(Failure::unreachable("the connection to the Keep was closed by the host")
                    .hint("the host may have stopped, or ended the Keep; its log tells more"));
            }
            self.exchange().await?;
        }
    }

    /// The next event, which a Keep that works gives soon.
    pub(crate) async fn soon(&mut self) -> Outcome<Event> {
        let late =
            || Failure::unreachable(format!("the Keep did not answer within {} seconds", PATIENCE.as_secs()));
        match timeout(PATIENCE, self.next()).await.map_err(|_| late())?? {
            Event::Refused(refusal) => Err(refused(refusal)),
            Event::Closed => Err(Failure::unreachable("the Keep closed the session")),
            event => Ok(event),
        }
    }

    /// Waits for the connection, which must be to `expected` if that is given.
    pub(crate) async fn connected(&mut self) -> Outcome<KeepId> {
        match self.soon().await? {
            Event::Connected { keep } => Ok(keep),
            _ => Err(out_of_turn()),
        }
    }

    /// Says goodbye and sends what is still on its way.
    pub(crate) async fn close(mut self) {
        self.session.close();
        let last_words = async {
            loop {
                self.refill();
                if self.pending.is_empty() || self.write().await.is_err() {
                    break;
                }
            }
            let _ = self.writer.shutdown().await;
        };
        // A host that does not take them only hurts itself.
        let _ = timeout(FAREWELL, last_words).await;
    }

    /// Moves bytes in whichever direction is ready first.
    async fn exchange(&mut self) -> Outcome<()> {
        self.refill();
        let lost = |error: std::io::Error| {
            // Whether the other end's last bytes were read before it went away decides which of these it is.
            let message = match error.kind() {
                ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => "the connection was cut off".to_owned(),
                _ => format!("the connection to the Keep was lost: {error}"),
            };
            Failure::unreachable(message).because(Cause::ConnectionLost)
        };
        if self.pending.is_empty() {
            let count = self.reader.read(&mut self.buffer).await.map_err(lost)?;
            return self.received(count);
        }
        let rest = self.pending.get(self.written..).unwrap_or_default();
        tokio::select! {
            count = self.reader.read(&mut self.buffer) => {
                let count = count.map_err(lost)?;
                self.received(count)
            }
            count = self.writer.write(rest) => {
                self.sent(count.map_err(lost)?);
                Ok(())
            }
        }
    }

    async fn write(&mut self) -> std::io::Result<()> {
        let rest = self.pending.get(self.written..).unwrap_or_default();
        let count = self.writer.write(rest).await?;
        self.sent(count);
        Ok(())
    }

    fn refill(&mut self) {
        if self.pending.is_empty()
            && let Some(bytes) = self.session.pull()
        {
            self.pending = bytes;
            self.written = 0;
        }
    }

    fn sent(&mut self, count: usize) {
        self.written = self.written.saturating_add(count);
        if self.written >= self.pending.len() {
            self.pending.clear();
            self.written = 0;
        }
    }

    fn received(&mut self, count: usize) -> Outcome<()> {
        if count == 0 {
            self.ended = true;
            self.session.end();
            return Ok(());
        }
        let bytes = self.buffer.get(..count).unwrap_or_default();
        self.session.push(bytes).map_err(|error| broken(&error))
    }
}

/// A session that went wrong: whoever answered is not a Keep, or something on the way changed the bytes.
pub(crate) fn broken(error: &SessionError) -> Failure {
    Failure::unreachable(format!("the session with the Keep failed: {}", chain(error)))
}

/// A Keep that says no.
pub(crate) fn refused(refusal: Refusal) -> Failure {
    let failure = Failure::unreachable(format!("the Keep said no: {refusal}")).because(Cause::KeepRefused);
    match refusal {
        Refusal::NotOwner | Refusal::OwnerSignature => failure.hint(
            "only the owner key that deployed the workload can do this; is this the right state folder?",
        ),
        Refusal::NotFresh => failure.hint("somebody else was first; deploy again for a Keep of your own"),
        _ => failure,
    }
}

/// A Keep that answers something else than was asked for.
pub(crate) fn out_of_turn() -> Failure {
    Failure::unreachable("the Keep answered out of turn; the session was ended")
}
