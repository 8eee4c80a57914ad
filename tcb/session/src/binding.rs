// SPDX-License-Identifier: Apache-2.0

//! What evidence and signatures are bound to, byte by byte, so that an independent implementation can say the same.
//!
//! Everything that is hashed or signed is a *list*: a label, then the fields, each with its length as 8 bytes big-endian
//! before it. No two different lists have the same bytes, and no list under one label is a list under another.

use alloc::vec::Vec;

use sha2::{Digest, Sha512};

use crate::wire::{Header, Limits, Running};
use crate::{KeepId, OwnerId};

/// The label of the TLS exporter (RFC 8446 section 7.5) whose value names a session. The context is empty.
pub const EXPORTER_LABEL: &[u8] = b"EXPORTER-enarx-session-1";

const REPORT_LABEL: &[u8] = b"enarx attested session 1";
const RUNNING_LABEL: &[u8] = b"enarx running 1";
const PROVISIONING_LABEL: &[u8] = b"enarx provisioning 1";
const OWNER_LABEL: &[u8] = b"enarx owner 1";

/// Who speaks. The exporter value is the same at both ends, so that without a role a peer could be shown its own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The Keep, which proves itself by evidence.
    Keep,
    /// The owner, who proves itself by signature.
    Owner,
}

impl Role {
    const fn name(self) -> &'static [u8] {
        match self {
            Self::Keep => b"keep",
            Self::Owner => b"owner",
        }
    }
}

/// Everything that evidence of one session speaks for.
#[derive(Clone, Debug)]
pub struct Binding<'a> {
    /// Whose evidence it is; genuine evidence is always a [`Role::Keep`]'s.
    pub role: Role,
    /// Fresh bytes of the verifier: the evidence is not older.
    pub nonce: &'a [u8; 32],
    /// The exporter value: the evidence is of this very TLS session.
    pub exporter: &'a [u8; 32],
    /// The identity key of the Keep.
    pub keep: &'a KeepId,
    /// The one-time HPKE key; empty once it is used.
    pub one_time_key: &'a [u8],
    /// The engine statement: what compiled code must have been compiled for.
    pub engine: &'a str,
    /// The launch configuration, as the host gave it to the Keep.
    pub launch: &'a [u8],
    /// The limits that the Keep states.
    pub limits: &'a Limits,
    /// What runs in the Keep and for whom; none before provisioning.
    pub running: Option<&'a Running>,
}

impl Binding<'_> {
    /// The 64 bytes of report data: SHA-512 over the list of all fields, in the order of this type.
    pub fn report_data(&self) -> [u8; 64] {
        let running = self.running.map(running_list).unwrap_or_default();
        let list = list(
            REPORT_LABEL,
            &[
                self.role.name(),
                self.nonce,
                self.exporter,
                &self.keep.0,
                self.one_time_key,
                self.engine.as_bytes(),
                self.launch,
                &self.limits.payload.to_be_bytes(),
                &running,
            ],
        );
        Sha512::digest(list).into()
    }
}

fn running_list(running: &Running) -> Vec<u8> {
    list(RUNNING_LABEL, &[&running.owner.0, &running.workload, &running.policy, &[u8::from(running.attach)]])
}

/// What the owner signs to provision: the session, the Keep, the key it seals to, and all that the payload is.
pub fn provisioning(exporter: &[u8; 32], keep: &KeepId, one_time_key: &[u8], header: &Header) -> Vec<u8> {
    list(
        PROVISIONING_LABEL,
        &[
            Role::Owner.name(),
            exporter,
            &keep.0,
            one_time_key,
            &header.owner.0,
            &header.workload,
            &header.policy,
            &header.length.to_be_bytes(),
            &header.sha256,
            &[u8::from(header.attach)],
            &header.time_base_ms.to_be_bytes(),
            &header.encapsulated,
        ],
    )
}

/// What the owner signs in a later session to be the owner there.
pub fn owner_proof(role: Role, exporter: &[u8; 32], keep: &KeepId, owner: &OwnerId) -> Vec<u8> {
    list(OWNER_LABEL, &[role.name(), exporter, &keep.0, &owner.0])
}

/// The `info` of HPKE (RFC 9180 section 5.1): the ciphertext opens in this session and for this Keep only.
pub fn sealing_info(exporter: &[u8; 32], keep: &KeepId) -> Vec<u8> {
    list(PROVISIONING_LABEL, &[exporter, &keep.0])
}

/// The additional data of chunk `index`: its place, and whether it is the last.
pub fn chunk_place(index: u64, last: bool) -> [u8; 9] {
    let mut place = [u8::from(last); 9];
    for (to, from) in place.iter_mut().zip(index.to_be_bytes()) {
        *to = from;
    }
    place
}

fn list(label: &[u8], fields: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for field in core::iter::once(&label).chain(fields) {
        bytes.extend_from_slice(&(field.len() as u64).to_be_bytes());
        bytes.extend_from_slice(field);
    }
    bytes
}
