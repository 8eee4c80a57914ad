// SPDX-License-Identifier: Apache-2.0

//! The workload's standard streams: from and to the tenant's, until the workload ends.

use std::io::{ErrorKind, IsTerminal as _, Read};
use std::thread;

use enarx_session::tenant::Event;
use enarx_session::wire::{Command, Exit, Message, StdStream};
use tokio::io::{AsyncWrite, AsyncWriteExt, Stderr, Stdout, stderr, stdout};
use tokio::sync::mpsc;

use crate::certify::Certifier;
use crate::failure::{Failure, Outcome};
use crate::progress::Progress;
use crate::wire::{Link, broken, out_of_turn, refused};

const PIECE: usize = 32 * 1024;

/// The tenant's standard input, read by a thread: reading from a terminal can be neither awaited nor cancelled.
pub(crate) struct Input {
    pieces: mpsc::Receiver<std::io::Result<Vec<u8>>>,
    /// What was read and did not fit yet
    held: Vec<u8>,
    ended: bool,
}

impl Input {
    pub(crate) fn open() -> Self {
        let (sender, pieces) = mpsc::channel(1);
        thread::spawn(move || {
            let mut stdin = std::io::stdin().lock();
            loop {
                let mut piece = vec![0; PIECE];
                let read = match stdin.read(&mut piece) {
                    Ok(0) => break,
                    Ok(count) => {
                        piece.truncate(count);
                        Ok(piece)
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(error) => Err(error),
                };
                let failed = read.is_err();
                if sender.blocking_send(read).is_err() || failed {
                    break;
                }
            }
        });
        Self { pieces, held: Vec::new(), ended: false }
    }

    /// Waits for more, when everything before is on its way.
    ///
    /// An input that breaks is not one that ends: a workload must not take its first half for the whole.
    async fn more(&mut self) -> Outcome<Option<Vec<u8>>> {
        self.pieces.recv().await.transpose().map_err(|error| {
            Failure::usage(format!("could not read standard input: {error}; the Keep was ended"))
                .hint("give the workload another standard input, or `</dev/null` for an empty one")
        })
    }
}

/// Refuses input that is there and that nobody would deliver: a workload that is left alone gets none.
pub(crate) fn nothing_given() -> Outcome<()> {
    let stdin = std::io::stdin();
    // What cannot be asked, such as `/dev/null`, holds nothing.
    if stdin.is_terminal() || rustix::io::ioctl_fionread(&stdin).unwrap_or(0) == 0 {
        return Ok(());
    }
    Err(Failure::usage("a workload that is deployed with --detach gets no standard input, and some is given")
        .hint("give it as a file with --dir, or leave --detach away; `</dev/null` if it is not meant"))
}

/// The tenant's standard output and error.
pub(crate) struct Outputs {
    out: Stdout,
    err: Stderr,
}

impl Outputs {
    pub(crate) fn open() -> Self {
        Self { out: stdout(), err: stderr() }
    }

    /// Writes what the workload wrote; a slow reader slows the workload.
    pub(crate) async fn write(&mut self, stream: StdStream, bytes: &[u8]) -> Outcome<()> {
        match stream {
            StdStream::Out => put(&mut self.out, bytes).await,
            StdStream::Err => put(&mut self.err, bytes).await,
        }
    }
}

async fn put(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> Outcome<()> {
    let written = async {
        stream.write_all(bytes).await?;
        stream.flush().await
    };
    written.await.map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::unread(),
        _ => Failure::unsaved(format!("could not write the workload's output: {error}; the Keep was ended")),
    })
}

/// Moves bytes both ways until the workload ends.
pub(crate) async fn stream(
    link: &mut Link,
    certifier: Option<&Certifier>,
    progress: &mut Progress,
) -> Outcome<Exit> {
    let mut input = Input::open();
    let mut outputs = Outputs::open();
    loop {
        send_held(link, &mut input)?;
        let wants_more = input.held.is_empty() && !input.ended;
        tokio::select! {
            event = link.next() => match event? {
                Event::Message(Message::Output { stream, bytes }) => outputs.write(stream, &bytes).await?,
                Event::Message(Message::Exited(exit)) => return Ok(exit),
                // Room for more input: the next turn of the loop uses it.
                Event::Message(Message::StdinTaken(_)) => {}
                Event::Message(Message::CertificateRequest(request)) => match certifier {
                    Some(certifier) => certifier.answer(link, &request, progress)?,
                    None => return Err(out_of_turn()),
                },
                Event::Refused(refusal) => return Err(refused(refusal)),
                Event::Closed => return Err(Failure::unreachable("the Keep ended before the workload did")),
                _ => return Err(out_of_turn()),
            },
            piece = input.more(), if wants_more => if let Some(piece) = piece? {
                input.held = piece;
            } else {
                input.ended = true;
                link.session().send(Command::StdinEnd).map_err(|error| broken(&error))?;
            },
        }
    }
}

/// Sends as much of the input as the Keep has room for.
fn send_held(link: &mut Link, input: &mut Input) -> Outcome<()> {
    let count = input.held.len().min(link.session().stdin_room());
    if count == 0 {
        return Ok(());
    }
    let rest = input.held.split_off(count);
    let piece = std::mem::replace(&mut input.held, rest);
    link.session().send(Command::Stdin(piece)).map_err(|error| broken(&error))
}
