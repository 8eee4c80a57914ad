// SPDX-License-Identifier: Apache-2.0

//! One connection to a Keep: anybody may ask for evidence, one may provision, and only the owner may command.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use enarx_evidence::Bundle;

use super::{Claim, Keep};
use crate::SessionError;
use crate::binding::{Binding, Role, owner_proof};
use crate::channel::{Channel, Received};
use crate::provision::{Delivered, Receiver, check};
use crate::tls::Connected;
use crate::wire::{
    Command, FRAME_LIMIT, Header, Message, OfferMessage, OwnerProof, Refusal, STDIN_WINDOW, ToKeep, ToTenant,
    WireError,
};

/// What the Keep must react to.
#[derive(Debug)]
pub enum Event {
    /// The peer asks for evidence over these report data: answer by [`Session::evidence`] or [`Session::refuse`].
    EvidenceWanted {
        /// What the evidence must be bound to.
        report_data: Box<[u8; 64]>,
    },
    /// A payload is complete, and its owner is pinned. This session is the owner's.
    Delivered(Delivered),
    /// The owner wants something.
    Command(Command),
    /// The peer said goodbye.
    Closed,
}

/// The Keep's end of one connection.
///
/// After each `push`, call `next_event` until it gives nothing, then `pull` until it gives nothing. After an error the session
/// is over, but `pull` still gives what tells the peer.
pub struct Session {
    keep: Arc<Keep>,
    channel: Channel,
    phase: Phase,
    /// What the evidence that is being made will be sent with.
    asked: Option<Box<OfferMessage>>,
}

enum Phase {
    /// Anybody's.
    Open,
    /// A payload is arriving.
    Receiving(Box<Receiver>, Claim),
    /// The owner's.
    Owner {
        /// Bytes of stdin that the workload did not take yet.
        stdin: usize,
    },
    /// Closed, refused or failed.
    Over,
}

impl Session {
    /// The Keep's end of a new connection.
    pub fn new(keep: &Arc<Keep>) -> Result<Self, SessionError> {
        let channel = Channel::accept_with(&keep.signing)?;
        Ok(Self { keep: keep.clone(), channel, phase: Phase::Open, asked: None })
    }

    /// Takes bytes from the transport.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), SessionError> {
        if self.is_over() { Ok(()) } else { self.channel.push(bytes) }
    }

    /// The transport brings no more bytes.
    pub fn end(&mut self) {
        self.channel.end();
    }

    /// Takes the bytes for the transport.
    pub fn pull(&mut self) -> Option<Vec<u8>> {
        self.channel.pull()
    }

    /// Bytes for the transport that nobody took yet. While there are many, produce no more.
    pub fn backlog(&self) -> usize {
        self.channel.backlog()
    }

    /// Whether the peer has proved to be the owner.
    pub const fn is_owner(&self) -> bool {
        matches!(self.phase, Phase::Owner { .. })
    }

    /// Whether nothing can happen any more but the last `pull`.
    pub const fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    /// What happened next; none until more arrives.
    pub fn next_event(&mut self) -> Result<Option<Event>, SessionError> {
        while !self.is_over() {
            match self.step() {
                Ok(Step::Event(event)) => return Ok(Some(event)),
                Ok(Step::Wait) => return Ok(None),
                Ok(Step::Again) => {}
                Err(error) => {
                    self.fail(&error);
                    return Err(error);
                }
            }
        }
        Ok(None)
    }

    /// Answers [`Event::EvidenceWanted`].
    pub fn evidence(&mut self, bundle: &Bundle) -> Result<(), SessionError> {
        let Some(mut offer) = self.asked.take() else {
            return Err(SessionError::OutOfTurn { call: "evidence", state: "when nobody asked for it" });
        };
        offer.bundle = bundle.encode();
        self.tell(&ToTenant::Offer(offer))
    }

    /// Ends the session and tells the peer why.
    pub fn refuse(&mut self, refusal: Refusal) {
        self.fail(&refusal.into());
    }

    /// Sends something to the owner, in as many pieces as it needs.
    pub fn send(&mut self, message: Message) -> Result<(), SessionError> {
        let out_of_turn = |state| Err(SessionError::OutOfTurn { call: "send", state });
        let Phase::Owner { stdin } = &mut self.phase else {
            return out_of_turn("before the peer is known to be the owner");
        };
        if let Message::StdinTaken(count) = message {
            *stdin = stdin.saturating_sub(count as usize);
        }
        let Some(message) = message.fitted() else {
            return out_of_turn("with a path that a peer would refuse");
        };
        message.pieces().into_iter().try_for_each(|piece| self.tell(&ToTenant::Message(piece)))
    }

    /// Ends the session in good order.
    pub fn close(&mut self) {
        self.channel.close();
        self.phase = Phase::Over;
    }

    fn step(&mut self) -> Result<Step, SessionError> {
        match self.channel.receive(FRAME_LIMIT)? {
            Received::Nothing => Ok(Step::Wait),
            Received::Closed if matches!(self.phase, Phase::Receiving(..)) => {
                Err(WireError::Incomplete.into())
            }
            Received::Closed => {
                self.close();
                Ok(Step::Event(Event::Closed))
            }
            Received::Frame(frame) => {
                let session = *self.channel.connected().ok_or(SessionError::OutOfTurn {
                    call: "next_event",
                    state: "before the handshake is complete",
                })?;
                let message = ToKeep::decode(&frame)?;
                self.react(message, &session)
            }
        }
    }

    fn react(&mut self, message: ToKeep, session: &Connected) -> Result<Step, SessionError> {
        let name = message.name();
        let unexpected = |state| Err(WireError::Unexpected { message: name, state }.into());
        match (&mut self.phase, message) {
            (Phase::Receiving(..), ToKeep::Chunk { last, sealed }) => self.chunk(sealed, last),
            (Phase::Receiving(..), _) => unexpected("while a payload is arriving"),
            (_, ToKeep::Chunk { .. }) => unexpected("without a signed header before it"),
            _ if self.asked.is_some() => unexpected("before the evidence it asked for"),
            (_, ToKeep::EvidenceRequest(nonce)) => Ok(self.evidence_request(&nonce, session)),
            (_, ToKeep::Provision(header)) => self.provision(header, session),
            (Phase::Open, ToKeep::OwnerProof(proof)) => self.owner_proof(&proof, session),
            (_, ToKeep::OwnerProof(_)) => unexpected("twice"),
            (Phase::Owner { stdin }, ToKeep::Command(command)) => {
                if let Command::Stdin(bytes) = &command {
                    *stdin += bytes.len();
                    if *stdin > STDIN_WINDOW {
                        return Err(Refusal::StdinOverrun.into());
                    }
                }
                Ok(Step::Event(Event::Command(command)))
            }
            (_, ToKeep::Command(_)) => Err(Refusal::NotOwner.into()),
        }
    }

    fn evidence_request(&mut self, nonce: &[u8; 32], session: &Connected) -> Step {
        let offer = self.keep.statement();
        let binding = Binding {
            role: Role::Keep,
            nonce,
            exporter: &session.exporter,
            keep: &session.keep,
            one_time_key: &offer.one_time_key,
            engine: &offer.engine,
            launch: &offer.launch,
            limits: &offer.limits,
            running: offer.running.as_ref(),
        };
        let report_data = Box::new(binding.report_data());
        self.asked = Some(Box::new(offer));
        Step::Event(Event::EvidenceWanted { report_data })
    }

    fn provision(&mut self, header: Box<Header>, session: &Connected) -> Result<Step, SessionError> {
        let limits = self.keep.limits;
        let (key, claim) = self.keep.claim(|public| check(&header, session, public, limits))?;
        self.phase = Phase::Receiving(Box::new(Receiver::new(header, session, key)?), claim);
        Ok(Step::Again)
    }

    fn chunk(&mut self, sealed: Vec<u8>, last: bool) -> Result<Step, SessionError> {
        if let Phase::Receiving(receiver, _) = &mut self.phase {
            receiver.accept(sealed, last)?;
        }
        if !last {
            return Ok(Step::Again);
        }
        let Phase::Receiving(receiver, claim) = core::mem::replace(&mut self.phase, Phase::Over) else {
            return Ok(Step::Again);
        };
        let delivered = receiver.finish()?;
        claim.settle(delivered.running());
        self.phase = Phase::Owner { stdin: 0 };
        self.tell(&ToTenant::Accepted)?;
        Ok(Step::Event(Event::Delivered(delivered)))
    }

    fn owner_proof(&mut self, proof: &OwnerProof, session: &Connected) -> Result<Step, SessionError> {
        let super::Standing::Owned(running) = self.keep.standing() else {
            return Err(Refusal::NotProvisioned.into());
        };
        let signed = owner_proof(Role::Owner, &session.exporter, &session.keep, &proof.owner);
        if !proof.owner.signed(&signed, &proof.signature) {
            return Err(Refusal::OwnerSignature.into());
        }
        if proof.owner != running.owner {
            return Err(Refusal::NotOwner.into());
        }
        self.phase = Phase::Owner { stdin: 0 };
        self.tell(&ToTenant::Accepted)?;
        Ok(Step::Again)
    }

    fn tell(&mut self, message: &ToTenant) -> Result<(), SessionError> {
        self.channel.send(&message.encode())
    }

    fn fail(&mut self, error: &SessionError) {
        // The peer learns why it is refused, if it still can; nothing depends on that it does.
        if let SessionError::Refused(refusal) = error {
            let _ = self.tell(&ToTenant::Refused(*refusal));
        }
        self.close();
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = match self.phase {
            Phase::Open => "open",
            Phase::Receiving(..) => "receiving",
            Phase::Owner { .. } => "owner",
            Phase::Over => "over",
        };
        f.debug_struct("Session").field("keep", &self.keep).field("phase", &phase).finish_non_exhaustive()
    }
}

enum Step {
    Event(Event),
    Again,
    Wait,
}
