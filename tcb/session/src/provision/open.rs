// SPDX-License-Identifier: Apache-2.0

//! The Keep's half: checks the signature first, holds what arrived and no more, and delivers only the whole.

use alloc::boxed::Box;
use alloc::vec::Vec;

use hpke::inout::InOutBuf;
use hpke::{Deserializable, OpModeR, setup_receiver};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{Delivered, OneTimeKey, OpeningContext, TAG_LEN, Tag};
use crate::binding::{chunk_place, provisioning, sealing_info};
use crate::tls::Connected;
use crate::wire::{Header, Limits, Refusal, Running};

/// The first allocation for a payload; it doubles from there as bytes arrive.
const FIRST_CAPACITY: usize = 64 * 1024;

/// A payload that is arriving.
pub(crate) struct Receiver {
    header: Box<Header>,
    context: OpeningContext,
    hash: Sha256,
    payload: Zeroizing<Vec<u8>>,
    index: u64,
}

/// What must hold before the one-time key is used.
pub(crate) fn check(
    header: &Header,
    session: &Connected,
    one_time_key: &[u8],
    limits: Limits,
) -> Result<(), Refusal> {
    let signed = provisioning(&session.exporter, &session.keep, one_time_key, header);
    if !header.owner.signed(&signed, &header.signature) {
        return Err(Refusal::OwnerSignature);
    }
    if header.length > limits.payload {
        return Err(Refusal::PayloadTooLarge);
    }
    Ok(())
}

impl Receiver {
    /// Uses the one-time key, and with that erases it.
    pub(crate) fn new(header: Box<Header>, session: &Connected, key: OneTimeKey) -> Result<Self, Refusal> {
        let encapsulated =
            Deserializable::from_bytes(&header.encapsulated).map_err(|_| Refusal::PayloadSeal)?;
        let info = sealing_info(&session.exporter, &session.keep);
        let context = setup_receiver(&OpModeR::Base, &*key.0, &encapsulated, &info)
            .map_err(|_| Refusal::PayloadSeal)?;
        drop(key);
        Ok(Self { header, context, hash: Sha256::new(), payload: Zeroizing::default(), index: 0 })
    }

    /// Opens the next piece.
    pub(crate) fn accept(&mut self, mut sealed: Vec<u8>, last: bool) -> Result<(), Refusal> {
        let plain_len = sealed.len().checked_sub(TAG_LEN).ok_or(Refusal::PayloadSeal)?;
        let (plain, tag) = sealed.split_at_mut_checked(plain_len).ok_or(Refusal::PayloadSeal)?;
        let tag = Tag::from_bytes(tag).map_err(|_| Refusal::PayloadSeal)?;
        self.context
            .open_inout_detached(InOutBuf::from(&mut *plain), &chunk_place(self.index, last), &tag)
            .map_err(|_| Refusal::PayloadSeal)?;
        self.index += 1;
        let length = usize::try_from(self.header.length).map_err(|_| Refusal::PayloadTooLarge)?;
        if plain.len() > length - self.payload.len() {
            return Err(Refusal::PayloadLength);
        }
        self.hash.update(&*plain);
        append(&mut self.payload, plain, length);
        zeroize::Zeroize::zeroize(plain);
        Ok(())
    }

    /// What arrived, if it is all that was signed.
    pub(crate) fn finish(self) -> Result<Delivered, Refusal> {
        if self.payload.len() as u64 != self.header.length {
            return Err(Refusal::PayloadLength);
        }
        if <[u8; 32]>::from(self.hash.finalize()) != self.header.sha256 {
            return Err(Refusal::PayloadHash);
        }
        let Header { owner, workload, policy, attach, time_base_ms, .. } = *self.header;
        let running = Running { owner, workload, policy, attach };
        Ok(Delivered { running, time_base_ms, payload: self.payload })
    }
}

impl Delivered {
    pub(crate) const fn running(&self) -> Running {
        self.running
    }
}

/// Appends without leaving a copy behind: a `Vec` that grows by itself frees its old memory unerased.
fn append(to: &mut Zeroizing<Vec<u8>>, bytes: &[u8], length: usize) {
    let needed = to.len() + bytes.len();
    if needed > to.capacity() {
        let capacity =
            to.capacity().saturating_mul(2).max(FIRST_CAPACITY).max(needed).min(length.max(needed));
        let mut larger = Zeroizing::new(Vec::with_capacity(capacity));
        larger.extend_from_slice(to);
        *to = larger;
    }
    to.extend_from_slice(bytes);
}
