// SPDX-License-Identifier: Apache-2.0

//! The long-lived names of the two ends: the owner's key and what others know of it, and the Keep's name.

use core::fmt;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use minicbor::{CborLen, Decode, Encode};
use zeroize::Zeroizing;

use crate::entropy::{EntropyError, random};

/// The public half of an owner's key: who owns a Keep.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, CborLen)]
#[cbor(transparent)]
pub struct OwnerId(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

impl OwnerId {
    /// Whether this owner signed `message`.
    pub(crate) fn signed(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        VerifyingKey::from_bytes(&self.0)
            .is_ok_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok())
    }
}

/// The public half of a Keep's identity key, made inside the Keep: which Keep this is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, CborLen)]
#[cbor(transparent)]
pub struct KeepId(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

macro_rules! in_hex {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    };
}

in_hex!(OwnerId);
in_hex!(KeepId);

/// The key of a tenant that owns Keeps. Zeroised when dropped, never printed.
#[derive(Clone)]
pub struct OwnerKey(SigningKey);

impl OwnerKey {
    /// Makes a new key.
    pub fn generate() -> Result<Self, EntropyError> {
        Ok(Self::from_seed(&*random()?))
    }

    /// The key of this secret (RFC 8032 section 5.1.5), as [`Self::seed`] gave it.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The secret, for the tenant's own key store.
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public half.
    pub fn id(&self) -> OwnerId {
        OwnerId(self.0.verifying_key().to_bytes())
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for OwnerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnerKey([redacted])")
    }
}
