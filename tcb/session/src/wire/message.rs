// SPDX-License-Identifier: Apache-2.0

//! The messages of attestation and provisioning, and what each end may refuse.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{CborLen, Decode, Encode};

use super::{Command, Message, PAYLOAD_LIMIT};
use crate::OwnerId;

/// What a tenant, or anyone who verifies, sends.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
pub enum ToKeep {
    /// Asks for evidence that is not older than this nonce.
    #[n(0)]
    EvidenceRequest(#[cbor(n(0), with = "minicbor::bytes")] [u8; 32]),
    /// Starts provisioning.
    #[n(1)]
    Provision(#[n(0)] Box<Header>),
    /// The next piece of the sealed payload.
    #[n(2)]
    Chunk {
        /// Whether it is the last.
        #[n(0)]
        last: bool,
        /// Ciphertext and tag.
        #[cbor(n(1), with = "minicbor::bytes")]
        sealed: Vec<u8>,
    },
    /// Says who the owner is, in a session after provisioning.
    #[n(3)]
    OwnerProof(#[n(0)] OwnerProof),
    /// What the owner wants.
    #[n(4)]
    Command(#[n(0)] Command),
}

impl ToKeep {
    /// The message's name, for errors.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::EvidenceRequest(_) => "evidence request",
            Self::Provision(_) => "provision",
            Self::Chunk { .. } => "chunk",
            Self::OwnerProof(_) => "owner proof",
            Self::Command(_) => "command",
        }
    }
}

/// What a Keep sends.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
pub enum ToTenant {
    /// The evidence that was asked for, with what it speaks for.
    #[n(0)]
    Offer(#[n(0)] Box<OfferMessage>),
    /// The provisioning is complete, or the owner proof is good: this session is the owner's.
    #[n(1)]
    Accepted,
    /// The Keep refuses and ends the session.
    #[n(2)]
    Refused(#[n(0)] Refusal),
    /// What the workload says and what the owner asked for.
    #[n(3)]
    Message(#[n(0)] Message),
}

impl ToTenant {
    /// The message's name, for errors.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Offer(_) => "offer",
            Self::Accepted => "accepted",
            Self::Refused(_) => "refused",
            Self::Message(_) => "message",
        }
    }
}

/// The signed beginning of a provisioning. [`crate::binding::provisioning`] says what is signed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
pub struct Header {
    /// Who signs, and owns the Keep from then on.
    #[n(0)]
    pub owner: OwnerId,
    /// The digest of the workload.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub workload: [u8; 32],
    /// The digest of the policy under which the owner appraised the Keep.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub policy: [u8; 32],
    /// The payload's length.
    #[n(3)]
    pub length: u64,
    /// The payload's SHA-256.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub sha256: [u8; 32],
    /// Whether the Keep ends with this session.
    #[n(5)]
    pub attach: bool,
    /// The tenant's time: milliseconds since 1970.
    #[n(6)]
    pub time_base_ms: u64,
    /// The encapsulated HPKE key.
    #[cbor(n(7), with = "minicbor::bytes")]
    pub encapsulated: Vec<u8>,
    /// The owner's signature.
    #[cbor(n(8), with = "minicbor::bytes")]
    pub signature: [u8; 64],
}

impl Header {
    /// A header of which the payload's length, hash, key and signature are still to come.
    pub(crate) fn unsigned(
        owner: OwnerId,
        workload: [u8; 32],
        policy: [u8; 32],
        attach: bool,
        time_base_ms: u64,
    ) -> Self {
        let (length, sha256, encapsulated, signature) = (0, [0; 32], Vec::new(), [0; 64]);
        Self { owner, workload, policy, length, sha256, attach, time_base_ms, encapsulated, signature }
    }
}

/// The signed claim to be the owner. [`crate::binding::owner_proof`] says what is signed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
pub struct OwnerProof {
    /// Who signs.
    #[n(0)]
    pub owner: OwnerId,
    /// The owner's signature.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub signature: [u8; 64],
}

/// Evidence, and everything but nonce, exporter and Keep that its report data are made of.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
pub struct OfferMessage {
    /// The encoded [`enarx_evidence::Bundle`].
    #[cbor(n(0), with = "minicbor::bytes")]
    pub bundle: Vec<u8>,
    /// See [`crate::binding::Binding::engine`].
    #[n(1)]
    pub engine: String,
    /// See [`crate::binding::Binding::launch`].
    #[cbor(n(2), with = "minicbor::bytes")]
    pub launch: Vec<u8>,
    /// See [`crate::binding::Binding::limits`].
    #[n(3)]
    pub limits: Limits,
    /// See [`crate::binding::Binding::one_time_key`].
    #[cbor(n(4), with = "minicbor::bytes")]
    pub one_time_key: Vec<u8>,
    /// See [`crate::binding::Binding::running`].
    #[n(5)]
    pub running: Option<Running>,
}

/// What a Keep accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
pub struct Limits {
    /// The longest payload, in bytes.
    #[n(0)]
    pub payload: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { payload: PAYLOAD_LIMIT }
    }
}

/// What a provisioned Keep runs, for whom, and under which policy it was trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
pub struct Running {
    /// The owner that provisioning pinned.
    #[n(0)]
    pub owner: OwnerId,
    /// The digest of the workload.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub workload: [u8; 32],
    /// The digest of the owner's policy.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub policy: [u8; 32],
    /// Whether the Keep ends with the session that provisioned it.
    #[n(3)]
    pub attach: bool,
}

/// A decision not to go on. The Keep tells the tenant; the tenant tells its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen, thiserror::Error)]
#[cbor(index_only)]
pub enum Refusal {
    /// Somebody provisioned this Keep, or began to.
    #[n(0)]
    #[error("the Keep is not fresh: somebody has provisioned it, or began to")]
    NotFresh,
    /// Nobody provisioned this Keep, so that nobody can be its owner.
    #[n(1)]
    #[error("the Keep is not provisioned and has no owner")]
    NotProvisioned,
    /// A signature of an owner does not verify.
    #[n(2)]
    #[error("the owner's signature is not over this session, this Keep and this content")]
    OwnerSignature,
    /// Somebody who is not the owner asks for what only the owner may.
    #[n(3)]
    #[error("only the owner of the Keep may do this")]
    NotOwner,
    /// The payload is larger than the Keep's limit.
    #[n(4)]
    #[error("the payload is larger than the Keep accepts")]
    PayloadTooLarge,
    /// A piece of the payload does not open.
    #[n(5)]
    #[error("a piece of the payload was changed, is out of order, or is sealed to another key or session")]
    PayloadSeal,
    /// The payload has not the length that was signed.
    #[n(6)]
    #[error("the payload is not as long as its owner signed")]
    PayloadLength,
    /// The payload has not the hash that was signed.
    #[n(7)]
    #[error("the payload is not the one that its owner signed")]
    PayloadHash,
    /// The attestation result is not about the evidence of this session.
    #[n(8)]
    #[error("the attestation result is not about this session")]
    ResultOfAnotherSession,
    /// The tenant sends more stdin than there is room for.
    #[n(9)]
    #[error("more stdin was sent than there is room for")]
    StdinOverrun,
    /// The peer offers a one-time key that is none.
    #[n(10)]
    #[error("the one-time key is not a valid key")]
    OneTimeKey,
    /// The host gives the Keep no evidence.
    #[n(11)]
    #[error("the host gives the Keep no evidence")]
    NoEvidence,
}

impl Refusal {
    /// A stable name for programs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotFresh => "keep-not-fresh",
            Self::NotProvisioned => "keep-not-provisioned",
            Self::OwnerSignature => "owner-signature",
            Self::NotOwner => "not-owner",
            Self::PayloadTooLarge => "payload-too-large",
            Self::PayloadSeal => "payload-seal",
            Self::PayloadLength => "payload-length",
            Self::PayloadHash => "payload-hash",
            Self::ResultOfAnotherSession => "result-of-another-session",
            Self::StdinOverrun => "stdin-overrun",
            Self::OneTimeKey => "one-time-key",
            Self::NoEvidence => "no-evidence",
        }
    }
}
