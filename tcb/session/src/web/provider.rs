// SPDX-License-Identifier: Apache-2.0

//! What rustls may use towards the world: the ciphers of the attested session, one more key exchange, and the signatures that
//! certificates have.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;

use rustls::crypto::{
    ActiveKeyExchange, CompletedKeyExchange, CryptoProvider, SharedSecret, SupportedKxGroup,
};
use rustls::ffdhe_groups::FfdheGroup;
use rustls::{Error, NamedGroup, PeerMisbehaved};
use x25519_dalek::{PublicKey, StaticSecret};

use super::signature::ALGORITHMS;
use crate::entropy::random;
use crate::tls::{kx, provider};

pub(super) fn provider() -> Arc<CryptoProvider> {
    let mut provider = CryptoProvider::clone(&provider::provider());
    provider.kx_groups = vec![&kx::X25519MlKem768, &X25519];
    provider.signature_verification_algorithms = ALGORITHMS;
    Arc::new(provider)
}

/// For peers that do not know ML-KEM yet (RFC 7748, RFC 8446 section 4.2.8.2).
#[derive(Debug)]
struct X25519;

struct Active(StaticSecret, PublicKey);

impl SupportedKxGroup for X25519 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let secret = StaticSecret::from(*random::<32>().map_err(|_| Error::FailedToGetRandomBytes)?);
        let public = PublicKey::from(&secret);
        Ok(Box::new(Active(secret, public)))
    }

    fn start_and_complete(&self, peer: &[u8]) -> Result<CompletedKeyExchange, Error> {
        let secret = StaticSecret::from(*random::<32>().map_err(|_| Error::FailedToGetRandomBytes)?);
        let pub_key = PublicKey::from(&secret).as_bytes().to_vec();
        Ok(CompletedKeyExchange { group: self.name(), pub_key, secret: agree(&secret, peer)? })
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

impl ActiveKeyExchange for Active {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        agree(&self.0, peer)
    }

    fn pub_key(&self) -> &[u8] {
        self.1.as_bytes()
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

fn agree(secret: &StaticSecret, peer: &[u8]) -> Result<SharedSecret, Error> {
    let bad_share = Error::PeerMisbehaved(PeerMisbehaved::InvalidKeyShare);
    let Ok(peer) = <[u8; 32]>::try_from(peer) else { return Err(bad_share) };
    let shared = secret.diffie_hellman(&PublicKey::from(peer));
    // RFC 8446 section 7.4.2: an all-zero result is refused.
    if shared.was_contributory() {
        Ok(SharedSecret::from(shared.as_bytes().as_slice()))
    } else {
        Err(bad_share)
    }
}
