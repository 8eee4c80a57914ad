// SPDX-License-Identifier: Apache-2.0

//! The one key exchange: X25519MLKEM768 (draft-ietf-tls-ecdhe-mlkem), safe as long as either half is.
//!
//! The ML-KEM half comes first in both shares and in the secret (section 4.1 of the draft).

use alloc::boxed::Box;
use alloc::vec::Vec;

use ml_kem::{Decapsulate, KeyExport, Seed, ml_kem_768};
use rustls::crypto::{ActiveKeyExchange, CompletedKeyExchange, SharedSecret, SupportedKxGroup};
use rustls::ffdhe_groups::FfdheGroup;
use rustls::{Error, NamedGroup, PeerMisbehaved};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use crate::entropy::random;

const ML_KEM_KEY_LEN: usize = 1184;
const ML_KEM_CIPHERTEXT_LEN: usize = 1088;

const BAD_SHARE: Error = Error::PeerMisbehaved(PeerMisbehaved::InvalidKeyShare);

/// X25519MLKEM768, code point 0x11EC.
#[derive(Debug)]
pub(crate) struct X25519MlKem768;

impl SupportedKxGroup for X25519MlKem768 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let x25519 = StaticSecret::from(*random::<32>().map_err(no_entropy)?);
        let seed = random::<64>().map_err(no_entropy)?;
        let ml_kem = ml_kem_768::DecapsulationKey::from_seed(Seed::from(*seed));
        let mut share = ml_kem.encapsulation_key().to_bytes().to_vec();
        share.extend_from_slice(PublicKey::from(&x25519).as_bytes());
        Ok(Box::new(Active { x25519, ml_kem: Box::new(ml_kem), share }))
    }

    fn start_and_complete(&self, client_share: &[u8]) -> Result<CompletedKeyExchange, Error> {
        let (ml_kem_key, x25519_key) = halves(client_share, ML_KEM_KEY_LEN)?;
        let ml_kem_key = ml_kem_key.try_into().map_err(|_| BAD_SHARE)?;
        let ml_kem_key = ml_kem_768::EncapsulationKey::new(ml_kem_key).map_err(|_| BAD_SHARE)?;
        let x25519 = StaticSecret::from(*random::<32>().map_err(no_entropy)?);
        let message = random::<32>().map_err(no_entropy)?;
        let (ciphertext, ml_kem_secret) = ml_kem_key.encapsulate_deterministic(&(*message).into());
        let mut pub_key = ciphertext.to_vec();
        pub_key.extend_from_slice(PublicKey::from(&x25519).as_bytes());
        let secret = combine(&Zeroizing::new(ml_kem_secret.into()), &x25519, x25519_key)?;
        Ok(CompletedKeyExchange { group: self.name(), pub_key, secret })
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519MLKEM768
    }
}

struct Active {
    x25519: StaticSecret,
    ml_kem: Box<ml_kem_768::DecapsulationKey>,
    share: Vec<u8>,
}

impl ActiveKeyExchange for Active {
    fn complete(self: Box<Self>, server_share: &[u8]) -> Result<SharedSecret, Error> {
        let (ciphertext, x25519_key) = halves(server_share, ML_KEM_CIPHERTEXT_LEN)?;
        let ml_kem_secret = self.ml_kem.decapsulate_slice(ciphertext).map_err(|_| BAD_SHARE)?;
        combine(&Zeroizing::new(ml_kem_secret.into()), &self.x25519, x25519_key)
    }

    fn pub_key(&self) -> &[u8] {
        &self.share
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519MLKEM768
    }
}

/// Splits a share after its ML-KEM half; what is left must be an X25519 key.
fn halves(share: &[u8], ml_kem_len: usize) -> Result<(&[u8], [u8; 32]), Error> {
    let (ml_kem, x25519) = share.split_at_checked(ml_kem_len).ok_or(BAD_SHARE)?;
    Ok((ml_kem, x25519.try_into().map_err(|_| BAD_SHARE)?))
}

fn combine(ml_kem: &[u8; 32], x25519: &StaticSecret, peer: [u8; 32]) -> Result<SharedSecret, Error> {
    let classical = x25519.diffie_hellman(&PublicKey::from(peer));
    // RFC 8446 section 7.4.2: an all-zero result is refused.
    if !classical.was_contributory() {
        return Err(BAD_SHARE);
    }
    let mut secret = Zeroizing::new([0; 64]);
    for (to, from) in secret.iter_mut().zip(ml_kem.iter().chain(classical.as_bytes())) {
        *to = *from;
    }
    Ok(SharedSecret::from(secret.as_slice()))
}

fn no_entropy(_: crate::EntropyError) -> Error {
    Error::FailedToGetRandomBytes
}
