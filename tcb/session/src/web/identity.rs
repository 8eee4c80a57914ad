// SPDX-License-Identifier: Apache-2.0

//! The key that a Keep's listeners show to the world: ECDSA on P-256, which every client knows.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use rustls::pki_types::CertificateDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::{CertifiedKey, Signer, SigningKey as TlsSigningKey};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};
use spin::Mutex;

use super::certificate;
use crate::entropy::random;

/// A key of a listener that cannot be made, or a certificate that is not for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// No randomness.
    #[error("the system gave no randomness")]
    Entropy,
    /// The certificate is not for this key.
    #[error("the certificate is not for the key of this Keep")]
    AnotherKey,
}

/// A key made in the Keep, and the certificate for it once there is one.
#[derive(Clone)]
pub struct ServerIdentity {
    key: Arc<SigningKey>,
    shown: Arc<Shown>,
}

struct Shown(Mutex<Option<Arc<CertifiedKey>>>);

impl ServerIdentity {
    /// Makes a key. Until there is a certificate every handshake fails.
    pub fn generate() -> Result<Self, IdentityError> {
        // One in 2^32 seeds is not a scalar of the curve.
        for _ in 0..4 {
            let seed = random::<32>().map_err(|_| IdentityError::Entropy)?;
            if let Ok(key) = SigningKey::from_slice(seed.as_slice()) {
                return Ok(Self { key: Arc::new(key), shown: Arc::new(Shown(Mutex::new(None))) });
            }
        }
        Err(IdentityError::Entropy)
    }

    /// The request for a certificate (PKCS #10, RFC 2986), signed with the key.
    pub fn request(&self) -> Vec<u8> {
        certificate::request(&self.key)
    }

    /// Shows this certificate from now on.
    pub fn install(&self, certificate: &[u8]) -> Result<(), IdentityError> {
        let point = self.key.verifying_key().to_sec1_point(false);
        let spki = certificate::spki(point.as_bytes());
        // What is installed came from the owner; a certificate for another key would only fail every handshake.
        if !certificate.windows(spki.len()).any(|window| window == spki) {
            return Err(IdentityError::AnotherKey);
        }
        let chain = vec![CertificateDer::from(certificate.to_vec())];
        let certified = CertifiedKey::new(chain, Arc::new(Key(Arc::clone(&self.key))));
        *self.shown.0.lock() = Some(Arc::new(certified));
        Ok(())
    }

    pub(super) fn resolver(&self) -> Arc<dyn ResolvesServerCert> {
        self.shown.clone()
    }
}

impl fmt::Debug for ServerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerIdentity([redacted])")
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shown")
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.lock().clone()
    }
}

struct Key(Arc<SigningKey>);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key([redacted])")
    }
}

impl TlsSigningKey for Key {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered
            .contains(&SignatureScheme::ECDSA_NISTP256_SHA256)
            .then(|| Box::new(Self(Arc::clone(&self.0))) as Box<dyn Signer>)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

impl Signer for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let signature: Signature = self.0.sign(message);
        Ok(signature.to_der().as_bytes().to_vec())
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ECDSA_NISTP256_SHA256
    }
}
