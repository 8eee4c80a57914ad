// SPDX-License-Identifier: Apache-2.0

//! The tenant's end: demands evidence, releases a payload only to what was appraised, then speaks with the workload.

mod session;

pub use session::Session;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use enarx_evidence::Bundle;
use zeroize::Zeroizing;

use crate::KeepId;
use crate::wire::{Limits, Message, Refusal, Running};

/// Whom the owner wants to speak with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A Keep that nobody has provisioned, to provision it.
    Fresh,
    /// The Keep that this owner provisioned.
    Known(KeepId),
}

/// What the tenant must react to.
#[derive(Debug)]
pub enum Event {
    /// The handshake is complete. The Keep's name is proved by the evidence only, or was known before.
    Connected {
        /// The identity key of whoever answered.
        keep: KeepId,
    },
    /// Evidence to appraise.
    Offer(Box<Offer>),
    /// The payload arrived whole: this owner is pinned, and the workload starts.
    Provisioned,
    /// The known Keep knows its owner again.
    Admitted,
    /// The Keep says something.
    Message(Message),
    /// The Keep refuses and ends the session.
    Refused(Refusal),
    /// The Keep said goodbye.
    Closed,
}

/// Evidence, with what it must speak for if this session is what it seems to be.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Evidence and endorsements.
    pub bundle: Bundle,
    /// What the evidence must be bound to. Appraisal compares; nothing else in this type is true before that.
    pub report_data: [u8; 64],
    /// The identity key of the Keep.
    pub keep: KeepId,
    /// What compiled code must have been compiled for.
    pub engine: String,
    /// The launch configuration, as the host gave it to the Keep.
    pub launch: Vec<u8>,
    /// What the Keep accepts.
    pub limits: Limits,
    /// What runs in the Keep and for whom; none before provisioning.
    pub running: Option<Running>,
}

/// What is released to an accepted Keep.
pub struct Payload {
    /// The bytes. The session seals them piece by piece and erases them when it is dropped.
    pub bytes: Zeroizing<Vec<u8>>,
    /// The digest of the workload.
    pub workload: [u8; 32],
    /// Whether the Keep ends with this session.
    pub attach: bool,
    /// The tenant's time: milliseconds since 1970.
    pub time_base_ms: u64,
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes, [redacted])", self.bytes.len())
    }
}
