// SPDX-License-Identifier: Apache-2.0

//! The attested session: a tenant and a Keep speak over a host that neither trusts.
//!
//! Both ends are here, without I/O, so that the same code runs in a Keep on bare metal, in a process and in a test:
//! `push` bytes that came, take events by `next_event`, `pull` bytes to send. What is proved, in order:
//!
//! 1. [`tls`]: TLS 1.3 ends inside the Keep, under an Ed25519 key that the Keep made; X25519 with ML-KEM-768.
//! 2. [`binding`]: evidence is asked for after the handshake and bound to that very session, role and key.
//! 3. [`tenant::Session::release`] takes an [`AttestationResult`](enarx_verifier::AttestationResult) about that
//!    evidence, and seals the payload by HPKE to the Keep's one-time key, under the owner's signature.
//! 4. [`Delivered`] is the proof that a payload came whole from its owner; the owner is pinned from then on.
//!
//! The host can delay, cut and drop; it sees sizes and timing. Everything else ends a session with a [`SessionError`].
#![no_std]

extern crate alloc;

pub mod binding;
pub mod channel;
mod entropy;
mod error;
pub mod keep;
mod keys;
mod provision;
pub mod tenant;
pub mod tls;
pub mod web;
pub mod wire;

pub use entropy::{EntropyError, random};
pub use error::SessionError;
pub use keys::{KeepId, OwnerId, OwnerKey};
pub use provision::{Delivered, OwnerBytes};
