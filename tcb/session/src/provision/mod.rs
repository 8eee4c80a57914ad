// SPDX-License-Identifier: Apache-2.0

//! Sealed provisioning: HPKE (RFC 9180) to the Keep's one-time key, in pieces, under a header that the owner signed.
//!
//! TLS already hides the payload from the host. The seal adds that only the attested one-time key opens it, and the
//! signature adds who sends it: a Keep runs nothing of which its owner is not known.

mod delivered;
mod open;
mod seal;

pub use delivered::{Delivered, OwnerBytes};
pub(crate) use open::{Receiver, check};
pub(crate) use seal::Sealer;

use alloc::boxed::Box;
use alloc::vec::Vec;

use hpke::aead::{AeadTag, ChaCha20Poly1305};
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::{Deserializable, Kem, Serializable};

use crate::EntropyError;
use crate::entropy::random;

type SealingContext = hpke::aead::AeadCtxS<ChaCha20Poly1305, HkdfSha256, XWing>;
type OpeningContext = hpke::aead::AeadCtxR<ChaCha20Poly1305, HkdfSha256, XWing>;
type Tag = AeadTag<ChaCha20Poly1305>;

const TAG_LEN: usize = 16;

/// The Keep's one-time key: X-Wing (ML-KEM-768 and X25519). Zeroised when dropped, and boxed so
/// that moving it leaves no copy.
pub(crate) struct OneTimeKey(Box<<XWing as Kem>::PrivateKey>);

impl OneTimeKey {
    /// A new key and its public half.
    pub(crate) fn generate() -> Result<(Self, Vec<u8>), EntropyError> {
        let (secret, public) = XWing::derive_keypair(random::<32>()?.as_slice());
        Ok((Self(Box::new(secret)), public.to_bytes().to_vec()))
    }
}

fn public_key(bytes: &[u8]) -> Option<<XWing as Kem>::PublicKey> {
    Deserializable::from_bytes(bytes).ok()
}
