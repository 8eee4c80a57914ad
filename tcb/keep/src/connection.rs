// SPDX-License-Identifier: Apache-2.0

//! One session over one stream. Everything about it is looked at whenever anything happened, so that no order of events
//! needs a case of its own.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::{Context, Poll};

use enarx_evidence::Bundle;
use enarx_runtime::clock::SECOND;
use enarx_session::keep::{Event, Session, Standing};
use enarx_session::wire::{Command, Message, Status};

use crate::evidence;
use crate::files::Outgoing;
use crate::life::{End, Shared};
use crate::log::Cursor;
use crate::platform::{Platform, Stream};
use crate::workload::Workload;

/// Output is produced only while less than this waits for the transport.
const BACKLOG: usize = 256 * 1024;
const READ_SIZE: usize = 64 * 1024;
/// How long a peer that is not the owner may be silent.
const IDLE: u64 = 30 * SECOND;
/// The same before there is an owner: whoever is to become it may be compiling a large program.
const COMPILING: u64 = 600 * SECOND;

type Evidence = Pin<Box<dyn Future<Output = Option<Bundle>>>>;

/// Serves one session until it ends.
pub(crate) async fn serve<P: Platform>(shared: &Rc<Shared<P>>, stream: P::Stream) {
    let Ok(session) = Session::new(&shared.keep) else { return };
    let mut connection = Connection {
        shared: shared.clone(),
        stream,
        session,
        buffer: vec![0; READ_SIZE].into_boxed_slice(),
        outgoing: Vec::new(),
        written: 0,
        idle: idle(shared),
        evidence: None,
        attached: None,
        provisioned: false,
        reading: None,
        told_exit: false,
        files: None,
        closed: false,
    };
    poll_fn(|context| connection.poll(context)).await;
    connection.gone();
}

fn idle<P: Platform>(shared: &Rc<Shared<P>>) -> Pin<Box<dyn Future<Output = ()>>> {
    let shared = shared.clone();
    let limit = if shared.workload().is_some() { IDLE } else { COMPILING };
    Box::pin(async move { shared.sleep(limit).await })
}

struct Connection<P: Platform> {
    shared: Rc<Shared<P>>,
    stream: P::Stream,
    session: Session,
    buffer: Box<[u8]>,
    /// Ciphertext on its way, and how much of it is written
    outgoing: Vec<u8>,
    written: usize,
    idle: Pin<Box<dyn Future<Output = ()>>>,
    /// Evidence that the platform is making
    evidence: Option<Evidence>,
    /// Set in the session that provisioned: how far it has been sent the output
    attached: Option<Cursor>,
    /// This is the session that provisioned
    provisioned: bool,
    /// A log that is being sent, and whether it is followed
    reading: Option<(Cursor, bool)>,
    told_exit: bool,
    files: Option<Outgoing>,
    /// The stream brings nothing more
    closed: bool,
}

impl<P: Platform> Connection<P> {
    /// Does all that can be done now. Ready when the session is over.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.shared.changed.wait(context);
        loop {
            let mut progress = self.receive(context);
            progress |= self.react();
            progress |= self.answer(context);
            progress |= self.produce();
            progress |= self.transmit(context);
            if self.is_finished() || self.is_idle(context) {
                return Poll::Ready(());
            }
            if !progress {
                return Poll::Pending;
            }
        }
    }

    fn receive(&mut self, context: &mut Context<'_>) -> bool {
        // A peer that asks and does not listen is not read from.
        if self.closed || self.session.is_over() || self.backlog() >= BACKLOG {
            return false;
        }
        match self.stream.poll_read(context, &mut self.buffer) {
            Poll::Pending => false,
            Poll::Ready(Ok(count)) if count > 0 => {
                self.idle = idle(&self.shared);
                let bytes = self.buffer.get(..count).unwrap_or_default();
                if self.session.push(bytes).is_err() {
                    self.session.close();
                }
                true
            }
            Poll::Ready(_) => {
                self.closed = true;
                self.session.end();
                true
            }
        }
    }

    fn react(&mut self) -> bool {
        let mut progress = false;
        while self.evidence.is_none() && self.backlog() < BACKLOG {
            match self.session.next_event() {
                Ok(Some(event)) => self.event(event),
                // The session has told the peer why, if it can be told.
                Ok(None) | Err(_) => break,
            }
            progress = true;
        }
        progress
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::EvidenceWanted { report_data } => {
                let shared = self.shared.clone();
                self.evidence =
                    Some(Box::pin(async move { evidence::obtain(&shared.platform, &report_data).await }));
            }
            Event::Delivered(delivered) => {
                self.provisioned = true;
                if delivered.attach() {
                    self.attached = Some(Cursor::default());
                }
                let workload = Workload::start(&self.shared, &delivered);
                if !delivered.attach() {
                    workload.input.end();
                }
                self.shared.started(workload);
            }
            Event::Command(command) => self.command(command),
            Event::Closed => {}
        }
    }

    fn command(&mut self, command: Command) {
        let Some(workload) = self.shared.workload() else { return };
        match command {
            // Input belongs to the session that provisioned.
            Command::Stdin(bytes) if self.attached.is_some() => workload.input.push(bytes),
            Command::StdinEnd if self.attached.is_some() => workload.input.end(),
            Command::Stdin(_) | Command::StdinEnd => self.session.close(),
            Command::Certificate(certificate) => workload.desk.hand_in(&certificate),
            Command::Stop => self.shared.stop(),
            Command::Logs { follow } => self.reading = Some((Cursor::default(), follow)),
            Command::Status => {
                let now = self.shared.platform.clock().monotonic();
                let status = Status { run_time_ms: workload.run_time_ms(now), exit: workload.exit() };
                self.send(Message::Status(status));
            }
            Command::FetchFiles => self.files = Some(Outgoing::new(&workload.files)),
        }
    }

    /// Hands over evidence that has become ready.
    fn answer(&mut self, context: &mut Context<'_>) -> bool {
        let Some(evidence) = &mut self.evidence else { return false };
        let Poll::Ready(bundle) = evidence.as_mut().poll(context) else { return false };
        self.evidence = None;
        // Without evidence there is nothing to say: a session that ends here proved nothing.
        if bundle.is_none_or(|bundle| self.session.evidence(&bundle).is_err()) {
            self.session.close();
        }
        true
    }

    /// Says what there is to say, while there is room.
    fn produce(&mut self) -> bool {
        let mut progress = false;
        while self.session.is_owner() && self.backlog() < BACKLOG {
            let Some(workload) = self.shared.workload() else { break };
            let Some(message) = self.next_message(&workload) else { break };
            self.send(message);
            progress = true;
        }
        progress
    }

    fn next_message(&mut self, workload: &Workload) -> Option<Message> {
        if self.provisioned
            && let Some(request) = workload.desk.take_request()
        {
            return Some(Message::CertificateRequest(request));
        }
        let mut log = workload.log.borrow_mut();
        if let Some(cursor) = &mut self.attached {
            let taken = workload.input.take_taken();
            if taken > 0 {
                return Some(Message::StdinTaken(taken));
            }
            if let Some((stream, bytes)) = log.read(cursor, true) {
                // The workload may be waiting for this reader.
                self.shared.changed.notify();
                return Some(Message::Output { stream, bytes });
            }
        }
        if let Some((cursor, follow)) = &mut self.reading {
            if let Some((stream, bytes)) = log.read(cursor, false) {
                return Some(Message::Log { stream, bytes });
            }
            if !*follow || log.is_closed() {
                self.reading = None;
                return Some(Message::LogsEnd);
            }
        }
        drop(log);
        if let Some(message) = self.files.as_mut().and_then(Outgoing::next) {
            return Some(message);
        }
        self.files = None;
        let wants_exit = self.attached.is_some() || self.shared.is_ending();
        if wants_exit
            && !self.told_exit
            && let Some(exit) = workload.exit()
        {
            self.told_exit = true;
            return Some(Message::Exited(exit));
        }
        if self.shared.is_ending() && self.told_exit {
            self.session.close();
        }
        None
    }

    fn send(&mut self, message: Message) {
        if self.session.send(message).is_err() {
            self.session.close();
        }
    }

    fn transmit(&mut self, context: &mut Context<'_>) -> bool {
        let mut progress = false;
        loop {
            if self.outgoing.is_empty() {
                let Some(bytes) = self.session.pull() else { return progress };
                self.outgoing = bytes;
                self.written = 0;
            }
            let rest = self.outgoing.get(self.written..).unwrap_or_default();
            match self.stream.poll_write(context, rest) {
                Poll::Pending => return progress,
                Poll::Ready(Ok(count)) if count > 0 => {
                    progress = true;
                    self.idle = idle(&self.shared);
                    self.written += count;
                    if self.written >= self.outgoing.len() {
                        self.outgoing = Vec::new();
                    }
                }
                Poll::Ready(_) => {
                    self.closed = true;
                    self.outgoing = Vec::new();
                    self.session.close();
                    return progress;
                }
            }
        }
    }

    fn backlog(&self) -> usize {
        self.session.backlog() + self.outgoing.len()
    }

    fn is_finished(&self) -> bool {
        let over = self.session.is_over() || (self.closed && self.evidence.is_none());
        over && (self.outgoing.is_empty() && self.session.backlog() == 0 || self.closed)
    }

    /// Whether a peer has been silent for too long. The owner may be: its workload may have nothing to say.
    fn is_idle(&mut self, context: &mut Context<'_>) -> bool {
        !self.session.is_owner() && self.idle.as_mut().poll(context).is_ready()
    }

    /// The session has ended: what it held up goes on, and what it held alive ends.
    fn gone(self) {
        if self.attached.is_some() {
            if let Some(workload) = self.shared.workload() {
                workload.log.borrow_mut().detach();
            }
            self.shared.finish(End::Done);
        } else if self.shared.keep.standing() == Standing::Spent {
            self.shared.finish(End::Unprovisioned);
        }
        self.shared.changed.notify();
    }
}
