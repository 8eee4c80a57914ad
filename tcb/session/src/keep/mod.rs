// SPDX-License-Identifier: Apache-2.0

//! The Keep's end: one [`Keep`] for the life of the Keep, one [`Session`] for each connection.

mod session;

pub use session::{Event, Session};

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use ed25519_dalek::SigningKey;
use spin::Mutex;

use crate::entropy::random;
use crate::provision::OneTimeKey;
use crate::wire::{Limits, OfferMessage, Refusal, Running, STATEMENT_LIMIT, WireError};
use crate::{EntropyError, KeepId};

/// The keys that a Keep makes when it starts and that never leave it. Zeroised when dropped.
pub struct Identity {
    signing: SigningKey,
    one_time: OneTimeKey,
    one_time_public: Vec<u8>,
}

impl Identity {
    /// Makes new keys.
    pub fn generate() -> Result<Self, EntropyError> {
        let (one_time, one_time_public) = OneTimeKey::generate()?;
        Ok(Self { signing: SigningKey::from_bytes(&*random()?), one_time, one_time_public })
    }

    /// The name of the Keep.
    pub fn id(&self) -> KeepId {
        KeepId(self.signing.verifying_key().to_bytes())
    }

    pub(crate) const fn signing_key(&self) -> &SigningKey {
        &self.signing
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({}, [redacted])", self.id())
    }
}

/// What all sessions of one Keep share.
pub struct Keep {
    signing: SigningKey,
    engine: String,
    launch: Vec<u8>,
    limits: Limits,
    stage: Mutex<Stage>,
}

/// Where a Keep is in its life. It only ever moves downwards in this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The one-time key is there, and nobody used it.
    Fresh,
    /// A session is delivering a payload.
    Receiving,
    /// A provisioning failed half-way. The one-time key is erased, so that this Keep is of no use any more.
    Spent,
    /// There is an owner, and something runs.
    Owned(Running),
}

enum Stage {
    Fresh { key: OneTimeKey, public: Vec<u8> },
    Receiving,
    Spent,
    Owned(Running),
}

impl Keep {
    /// A Keep that states `engine` and was launched with `launch`, which is the host's choice and part of the evidence.
    pub fn new(
        identity: Identity,
        engine: String,
        launch: Vec<u8>,
        limits: Limits,
    ) -> Result<Arc<Self>, WireError> {
        let length = engine.len().max(launch.len());
        if length > STATEMENT_LIMIT {
            return Err(WireError::FrameTooLong { length: length as u64, limit: STATEMENT_LIMIT });
        }
        let Identity { signing, one_time, one_time_public } = identity;
        let stage = Mutex::new(Stage::Fresh { key: one_time, public: one_time_public });
        Ok(Arc::new(Self { signing, engine, launch, limits, stage }))
    }

    /// The name of the Keep.
    pub fn id(&self) -> KeepId {
        KeepId(self.signing.verifying_key().to_bytes())
    }

    /// Where the Keep is in its life.
    pub fn standing(&self) -> Standing {
        match &*self.stage.lock() {
            Stage::Fresh { .. } => Standing::Fresh,
            Stage::Receiving => Standing::Receiving,
            Stage::Spent => Standing::Spent,
            Stage::Owned(running) => Standing::Owned(*running),
        }
    }

    /// What evidence given now speaks for; the evidence itself is still to come.
    fn statement(&self) -> OfferMessage {
        let (one_time_key, running) = match &*self.stage.lock() {
            Stage::Fresh { public, .. } => (public.clone(), None),
            Stage::Receiving | Stage::Spent => (Vec::new(), None),
            Stage::Owned(running) => (Vec::new(), Some(*running)),
        };
        OfferMessage {
            bundle: Vec::new(),
            engine: self.engine.clone(),
            launch: self.launch.clone(),
            limits: self.limits,
            one_time_key,
            running,
        }
    }

    /// Gives the one-time key to the one session whose provisioning passes `check`, which sees the public half.
    fn claim(
        self: &Arc<Self>,
        check: impl FnOnce(&[u8]) -> Result<(), Refusal>,
    ) -> Result<(OneTimeKey, Claim), Refusal> {
        let mut stage = self.stage.lock();
        let Stage::Fresh { public, .. } = &*stage else { return Err(Refusal::NotFresh) };
        check(public)?;
        match core::mem::replace(&mut *stage, Stage::Receiving) {
            Stage::Fresh { key, .. } => Ok((key, Claim { keep: self.clone() })),
            _ => Err(Refusal::NotFresh),
        }
    }
}

impl fmt::Debug for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keep")
            .field("id", &self.id())
            .field("standing", &self.standing())
            .finish_non_exhaustive()
    }
}

/// The right to become the Keep's provisioning. Dropped before it is settled it leaves the Keep spent.
struct Claim {
    keep: Arc<Keep>,
}

impl Claim {
    /// Pins the owner.
    fn settle(self, running: Running) {
        *self.keep.stage.lock() = Stage::Owned(running);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut stage = self.keep.stage.lock();
        if matches!(*stage, Stage::Receiving) {
            *stage = Stage::Spent;
        }
    }
}
