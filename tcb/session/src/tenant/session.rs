// SPDX-License-Identifier: Apache-2.0

//! One connection of an owner, or of anybody who verifies, to a Keep.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use enarx_evidence::Bundle;
use enarx_verifier::AttestationResult;

use super::{Event, Offer, Payload, Peer};
use crate::binding::{Binding, Role, owner_proof};
use crate::channel::{Channel, Received};
use crate::entropy::random;
use crate::provision::Sealer;
use crate::tls::Connected;
use crate::wire::{
    Command, EntryKind, FRAME_LIMIT, FileEntry, Header, Message, OFFER_LIMIT, OfferMessage, OwnerProof,
    Refusal, STATEMENT_LIMIT, STDIN_WINDOW, ToKeep, ToTenant, WireError,
};
use crate::{KeepId, OwnerKey, SessionError};

/// Ciphertext that is made ahead of the transport while a payload is sent.
const AHEAD: usize = 256 * 1024;

/// The tenant's end of one connection.
///
/// After each `push`, call `next_event` until it gives nothing, then `pull` until it gives nothing. After an error the session
/// is over, but `pull` still gives what tells the peer.
pub struct Session {
    channel: Channel,
    purpose: Purpose,
    phase: Phase,
    /// The nonce of the evidence that was asked for.
    asked: Option<[u8; 32]>,
    /// What a payload may be released to.
    offered: Option<Offered>,
    /// Bytes of the file that is arriving.
    file_rest: u64,
}

enum Purpose {
    Provision(OwnerKey),
    Own(OwnerKey),
    Observe,
}

enum Phase {
    Connecting,
    /// Evidence may be asked for, and something released.
    Open,
    /// A payload is on its way.
    Sealing(Box<Sealer>),
    /// All is sent; the Keep has to say that it took it.
    Sealed,
    /// The owner proof is sent; the Keep has to say that it knows its owner.
    Proving,
    /// The Keep takes commands.
    Owner {
        stdin_room: usize,
    },
    /// Closed, refused or failed.
    Over(Option<SessionError>),
}

struct Offered {
    report_data: [u8; 64],
    one_time_key: Vec<u8>,
    payload_limit: u64,
}

impl Session {
    /// An owner's session. A fresh Keep is asked for evidence, a known one is shown who its owner is.
    pub fn new(owner: &OwnerKey, peer: Peer) -> Result<Self, SessionError> {
        match peer {
            Peer::Fresh => Self::with(None, Purpose::Provision(owner.clone())),
            Peer::Known(keep) => Self::with(Some(keep), Purpose::Own(owner.clone())),
        }
    }

    /// A session of somebody who only wants evidence: of `keep`, or of whoever answers.
    pub fn observe(keep: Option<KeepId>) -> Result<Self, SessionError> {
        Self::with(keep, Purpose::Observe)
    }

    fn with(expected: Option<KeepId>, purpose: Purpose) -> Result<Self, SessionError> {
        let channel = Channel::connect(expected)?;
        Ok(Self { channel, purpose, phase: Phase::Connecting, asked: None, offered: None, file_rest: 0 })
    }

    /// Takes bytes from the transport.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), SessionError> {
        if self.is_over() { Ok(()) } else { self.channel.push(bytes) }
    }

    /// The transport brings no more bytes.
    pub fn end(&mut self) {
        self.channel.end();
    }

    /// Takes the bytes for the transport. While a payload is sent this is what seals it, a little at a time.
    pub fn pull(&mut self) -> Option<Vec<u8>> {
        if let Err(error) = self.seal() {
            self.phase = Phase::Over(Some(error));
        }
        self.channel.pull()
    }

    /// Bytes for the transport that nobody took yet, with what is still to be sealed.
    pub fn backlog(&self) -> usize {
        let rest = if let Phase::Sealing(sealer) = &self.phase { sealer.rest() } else { 0 };
        self.channel.backlog() + rest
    }

    /// Bytes of stdin that may be sent now. More room is announced by [`Message::StdinTaken`].
    pub const fn stdin_room(&self) -> usize {
        if let Phase::Owner { stdin_room } = self.phase { stdin_room } else { 0 }
    }

    /// Whether nothing can happen any more but the last `pull`.
    pub const fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over(None))
    }

    /// What happened next; none until more arrives.
    pub fn next_event(&mut self) -> Result<Option<Event>, SessionError> {
        if self.is_over() {
            return Ok(None);
        }
        self.step().inspect_err(|_| self.close())
    }

    /// Asks for evidence that is not older than now. It comes as [`Event::Offer`].
    pub fn request_evidence(&mut self) -> Result<(), SessionError> {
        let out_of_turn = |state| Err(SessionError::OutOfTurn { call: "request_evidence", state });
        match self.phase {
            Phase::Open | Phase::Owner { .. } if self.asked.is_some() => {
                out_of_turn("while it is being waited for")
            }
            Phase::Open | Phase::Owner { .. } => self.ask(),
            _ => out_of_turn("now"),
        }
    }

    /// Releases a payload to the Keep that this session's evidence is of, and that `result` accepts.
    ///
    /// It is sealed and sent by [`Self::pull`]; [`Event::Provisioned`] says that it arrived.
    pub fn release(&mut self, result: &AttestationResult, payload: Payload) -> Result<(), SessionError> {
        let out_of_turn = |state| SessionError::OutOfTurn { call: "release", state };
        let (Phase::Open, Purpose::Provision(owner)) = (&self.phase, &self.purpose) else {
            return Err(out_of_turn("in this session"));
        };
        let (Some(offered), None) = (&self.offered, &self.asked) else {
            return Err(out_of_turn("before there is evidence"));
        };
        let session = *self.channel.connected().ok_or(out_of_turn("before the handshake is complete"))?;
        let sealed = offered.accepts(result, &payload).and_then(|()| {
            let Payload { bytes, workload, attach, time_base_ms } = payload;
            let (owner_id, policy) = (owner.id(), result.policy_digest());
            let header = Header::unsigned(owner_id, workload, policy, attach, time_base_ms);
            Sealer::new(&session, &offered.one_time_key, owner, header, bytes)
        });
        let sent = sealed.and_then(|(header, sealer)| {
            self.tell(&ToKeep::Provision(Box::new(header)))?;
            self.phase = Phase::Sealing(Box::new(sealer));
            Ok(())
        });
        sent.inspect_err(|_| self.close())
    }

    /// Sends a command, in as many pieces as it needs.
    pub fn send(&mut self, command: Command) -> Result<(), SessionError> {
        let out_of_turn = |state| Err(SessionError::OutOfTurn { call: "send", state });
        let Phase::Owner { stdin_room } = &mut self.phase else {
            return out_of_turn("before the Keep knows its owner");
        };
        if let Command::Stdin(bytes) = &command {
            match stdin_room.checked_sub(bytes.len()) {
                Some(rest) => *stdin_room = rest,
                None => return out_of_turn("with more stdin than there is room for"),
            }
        }
        command.pieces().into_iter().try_for_each(|piece| self.tell(&ToKeep::Command(piece)))
    }

    /// Ends the session in good order.
    pub fn close(&mut self) {
        self.channel.close();
        self.phase = Phase::Over(None);
    }

    fn step(&mut self) -> Result<Option<Event>, SessionError> {
        if let Phase::Over(error) = &mut self.phase
            && let Some(error) = error.take()
        {
            return Err(error);
        }
        if let (Phase::Connecting, Some(session)) = (&self.phase, self.channel.connected()) {
            let session = *session;
            self.greet(&session)?;
            return Ok(Some(Event::Connected { keep: session.keep }));
        }
        let limit = if self.asked.is_some() { OFFER_LIMIT } else { FRAME_LIMIT };
        match self.channel.receive(limit)? {
            Received::Nothing => Ok(None),
            Received::Closed => {
                self.close();
                Ok(Some(Event::Closed))
            }
            Received::Frame(frame) => {
                let message = ToTenant::decode(&frame)?;
                self.react(message).map(Some)
            }
        }
    }

    fn greet(&mut self, session: &Connected) -> Result<(), SessionError> {
        match &self.purpose {
            Purpose::Provision(_) | Purpose::Observe => {
                self.phase = Phase::Open;
                self.ask()
            }
            Purpose::Own(owner) => {
                let id = owner.id();
                let signature = owner.sign(&owner_proof(Role::Owner, &session.exporter, &session.keep, &id));
                self.phase = Phase::Proving;
                self.tell(&ToKeep::OwnerProof(OwnerProof { owner: id, signature }))
            }
        }
    }

    fn react(&mut self, message: ToTenant) -> Result<Event, SessionError> {
        let name = message.name();
        let unexpected = |state| Err(WireError::Unexpected { message: name, state }.into());
        match (&mut self.phase, message) {
            (_, ToTenant::Offer(offer)) => match self.asked.take() {
                Some(nonce) => self.offer(*offer, &nonce),
                None => unexpected("without a request"),
            },
            (Phase::Sealed, ToTenant::Accepted) => {
                self.phase = Phase::Owner { stdin_room: STDIN_WINDOW };
                Ok(Event::Provisioned)
            }
            (Phase::Proving, ToTenant::Accepted) => {
                self.phase = Phase::Owner { stdin_room: STDIN_WINDOW };
                Ok(Event::Admitted)
            }
            (_, ToTenant::Accepted) => unexpected("when there was nothing to accept"),
            (_, ToTenant::Refused(refusal)) => {
                self.close();
                Ok(Event::Refused(refusal))
            }
            (Phase::Owner { stdin_room }, ToTenant::Message(message)) => {
                if let Message::StdinTaken(count) = message {
                    *stdin_room = stdin_room.saturating_add(count as usize).min(STDIN_WINDOW);
                }
                self.file_rest = file_rest(self.file_rest, &message)?;
                Ok(Event::Message(message))
            }
            (_, ToTenant::Message(_)) => unexpected("before the Keep knew its owner"),
        }
    }

    fn offer(&mut self, offer: OfferMessage, nonce: &[u8; 32]) -> Result<Event, SessionError> {
        let OfferMessage { bundle, engine, launch, limits, one_time_key, running } = offer;
        let length = engine.len().max(launch.len());
        if length > STATEMENT_LIMIT {
            return Err(WireError::FrameTooLong { length: length as u64, limit: STATEMENT_LIMIT }.into());
        }
        let session = *self.channel.connected().ok_or(SessionError::OutOfTurn {
            call: "next_event",
            state: "before the handshake is complete",
        })?;
        let fresh = running.is_none() && !one_time_key.is_empty();
        if matches!((&self.purpose, &self.phase), (Purpose::Provision(_), Phase::Open)) && !fresh {
            return Err(Refusal::NotFresh.into());
        }
        let binding = Binding {
            role: Role::Keep,
            nonce,
            exporter: &session.exporter,
            keep: &session.keep,
            one_time_key: &one_time_key,
            engine: &engine,
            launch: &launch,
            limits: &limits,
            running: running.as_ref(),
        };
        let report_data = binding.report_data();
        let bundle = Bundle::decode(&bundle).map_err(SessionError::Evidence)?;
        self.offered = Some(Offered { report_data, one_time_key, payload_limit: limits.payload });
        let keep = session.keep;
        Ok(Event::Offer(Box::new(Offer { bundle, report_data, keep, engine, launch, limits, running })))
    }

    fn ask(&mut self) -> Result<(), SessionError> {
        let nonce = *random()?;
        self.tell(&ToKeep::EvidenceRequest(nonce))?;
        self.asked = Some(nonce);
        self.offered = None;
        Ok(())
    }

    fn seal(&mut self) -> Result<(), SessionError> {
        while self.channel.backlog() < AHEAD
            && let Phase::Sealing(sealer) = &mut self.phase
        {
            match sealer.next()? {
                Some(chunk) => self.tell(&chunk)?,
                None => self.phase = Phase::Sealed,
            }
        }
        Ok(())
    }

    fn tell(&mut self, message: &ToKeep) -> Result<(), SessionError> {
        self.channel.send(&message.encode())
    }
}

impl Offered {
    fn accepts(&self, result: &AttestationResult, payload: &Payload) -> Result<(), SessionError> {
        if *result.report_data() != self.report_data {
            return Err(Refusal::ResultOfAnotherSession.into());
        }
        if payload.bytes.len() as u64 > self.payload_limit {
            return Err(Refusal::PayloadTooLarge.into());
        }
        Ok(())
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = match self.phase {
            Phase::Connecting => "connecting",
            Phase::Open => "open",
            Phase::Sealing(_) => "sealing",
            Phase::Sealed => "sealed",
            Phase::Proving => "proving",
            Phase::Owner { .. } => "owner",
            Phase::Over(_) => "over",
        };
        f.debug_struct("Session").field("phase", &phase).finish_non_exhaustive()
    }
}

/// How many bytes of a file are missing after `message`: files come whole, one after the other.
fn file_rest(rest: u64, message: &Message) -> Result<u64, WireError> {
    let unexpected = |message, state| Err(WireError::Unexpected { message, state });
    match message {
        Message::FileBytes(bytes) => match rest.checked_sub(bytes.len() as u64) {
            Some(rest) => Ok(rest),
            None => unexpected("file bytes", "beyond the end of the file"),
        },
        Message::File(_) | Message::FilesEnd if rest > 0 => {
            unexpected("file", "before the last file was complete")
        }
        Message::File(FileEntry { kind: EntryKind::File(length), .. }) => Ok(*length),
        _ => Ok(rest),
    }
}
