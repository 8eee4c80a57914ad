// SPDX-License-Identifier: Apache-2.0

//! The proof that bytes are the owner's: the only way to it is a complete provisioning.

use core::fmt;
use core::ops::Range;

use alloc::vec::Vec;

use zeroize::Zeroizing;

use crate::OwnerId;
use crate::wire::Running;

/// A payload that arrived whole, opened under the one-time key, and is the one that its owner signed.
///
/// Only a session of [`crate::keep`] makes one.
pub struct Delivered {
    pub(super) running: Running,
    pub(super) time_base_ms: u64,
    pub(super) payload: Zeroizing<Vec<u8>>,
}

impl Delivered {
    /// The digest of the workload, as the owner signed it. Whoever unpacks the payload compares.
    pub const fn workload_digest(&self) -> [u8; 32] {
        self.running.workload
    }

    /// The digest of the policy under which the owner trusted this Keep.
    pub const fn policy_digest(&self) -> [u8; 32] {
        self.running.policy
    }

    /// The owner, pinned from now on.
    pub const fn owner(&self) -> OwnerId {
        self.running.owner
    }

    /// Whether the Keep ends with the session that provisioned it.
    pub const fn attach(&self) -> bool {
        self.running.attach
    }

    /// The tenant's time when it provisioned: milliseconds since 1970.
    pub const fn time_base_ms(&self) -> u64 {
        self.time_base_ms
    }

    /// The payload.
    pub fn payload(&self) -> OwnerBytes<'_> {
        OwnerBytes(&self.payload)
    }
}

impl fmt::Debug for Delivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivered").field("running", &self.running).finish_non_exhaustive()
    }
}

/// Bytes that came from the owner: what a loader of compiled code asks for as proof.
#[derive(Clone, Copy)]
pub struct OwnerBytes<'a>(&'a [u8]);

impl<'a> OwnerBytes<'a> {
    /// A part of these bytes, which is as much the owner's as the whole.
    pub fn slice(&self, range: Range<usize>) -> Option<Self> {
        self.0.get(range).map(Self)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }
}

impl fmt::Debug for OwnerBytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OwnerBytes({} bytes, [redacted])", self.0.len())
    }
}
