// SPDX-License-Identifier: Apache-2.0

//! Relays a control stream: bytes as they are, both ways, no faster than the other side reads them.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::{Phase, Shared};
use crate::stream::{Activity, ControlStream};

/// What is held of a stream in one direction while the other side does not read.
const BUFFER: usize = 64 * 1024;

/// Relays until both directions ended, one broke, the Keep ended, nothing passed for too long, or the daemon closes.
pub(super) async fn run<C>(shared: &Shared, client: C, keep: ControlStream)
where
    C: AsyncRead + AsyncWrite + Send,
{
    let keep_ended = keep.keep_ended();
    let mut phase = shared.phase.clone();
    let why = tokio::select! {
        why = relay(client, keep, keep_ended, shared.limits.stream_idle) => why,
        _ = phase.wait_for(|phase| *phase == Phase::Closed) => "the host ends",
    };
    tracing::debug!(why, "a control stream ended");
}

/// The direction from the Keep decides: what a Keep said before it ended is delivered, what a client says to a Keep that
/// ended is not waited for.
async fn relay<C, K>(client: C, keep: K, keep_ended: impl Future<Output = ()>, idle: Duration) -> &'static str
where
    C: AsyncRead + AsyncWrite,
    K: AsyncRead + AsyncWrite,
{
    let (client_reader, client_writer) = tokio::io::split(client);
    let (keep_reader, keep_writer) = tokio::io::split(keep);
    let activity = Activity::new();
    let to_keep = pump(client_reader, keep_writer, &activity);
    let from_keep = pump(keep_reader, client_writer, &activity);
    let both = async {
        tokio::pin!(to_keep, from_keep);
        tokio::select! {
            sent = &mut to_keep => match sent {
                Ok(()) => end(&from_keep.await),
                Err(_) => "the stream broke",
            },
            received = &mut from_keep => match received {
                Ok(()) => tokio::select! {
                    sent = &mut to_keep => end(&sent),
                    () = keep_ended => "the Keep ended",
                },
                Err(_) => "the stream broke",
            },
        }
    };
    tokio::select! {
        why = both => why,
        () = activity.idle(idle) => "it was silent for too long",
    }
}

fn end(result: &io::Result<()>) -> &'static str {
    if result.is_ok() { "both sides closed it" } else { "the stream broke" }
}

/// Moves bytes in one direction until it ends, then says so to the other side.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    activity: &Activity,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let count = from.read(&mut buffer).await?;
        activity.note();
        if count == 0 {
            return to.shutdown().await;
        }
        to.write_all(buffer.get(..count).unwrap_or_default()).await?;
        // TLS holds back what is not flushed.
        to.flush().await?;
        activity.note();
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;

    const IDLE: Duration = Duration::from_mins(1);

    /// Both far ends and the relay between the near ones.
    fn between(
        keep_ended: impl Future<Output = ()> + Send + 'static,
    ) -> (DuplexStream, DuplexStream, tokio::task::JoinHandle<&'static str>) {
        let (client, near_client) = duplex(1024);
        let (keep, near_keep) = duplex(1024);
        (client, keep, tokio::spawn(relay(near_client, near_keep, keep_ended, IDLE)))
    }

    #[tokio::test]
    async fn half_close_passes_through() {
        let (mut client, mut keep, relay) = between(pending());
        client.write_all(b"question").await.unwrap();
        client.shutdown().await.unwrap();
        let mut question = Vec::new();
        keep.read_to_end(&mut question).await.unwrap();
        assert_eq!(question, b"question");
        keep.write_all(b"answer").await.unwrap();
        keep.shutdown().await.unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, b"answer");
        assert_eq!(relay.await.unwrap(), "both sides closed it");
    }

    #[tokio::test]
    async fn what_the_keep_said_before_it_ended_is_delivered() {
        let (mut client, mut keep, relay) = between(async {});
        keep.write_all(b"last words").await.unwrap();
        drop(keep);
        let mut words = Vec::new();
        client.read_to_end(&mut words).await.unwrap();
        assert_eq!(words, b"last words");
        assert_eq!(relay.await.unwrap(), "the Keep ended");
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_stream_ends() {
        let (_client, _keep, relay) = between(pending());
        assert_eq!(relay.await.unwrap(), "it was silent for too long");
    }

    #[tokio::test(start_paused = true)]
    async fn a_side_that_does_not_read_holds_the_other_back() {
        let (mut client, _keep, _relay) = between(pending());
        let endless = async {
            let mut sent = 0;
            while tokio::time::timeout(Duration::from_secs(1), client.write_all(&[0; 512])).await.is_ok() {
                sent += 512;
            }
            sent
        };
        // Two pipes of 1 KiB and one buffer of the relay.
        assert!(endless.await <= 2 * 1024 + BUFFER);
    }
}
