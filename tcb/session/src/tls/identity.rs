// SPDX-License-Identifier: Apache-2.0

//! The Keep's identity in the handshake: an Ed25519 raw public key (RFC 7250), no certificate.
//!
//! Which key is acceptable is not a question of names or authorities here: the evidence inside the session binds the
//! key, or the tenant knows it from an earlier, attested session.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::AlwaysResolvesServerRawPublicKeys;
use rustls::sign::{CertifiedKey, Signer, SigningKey as TlsSigningKey};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureAlgorithm, SignatureScheme};

use crate::KeepId;

/// `SubjectPublicKeyInfo` of an Ed25519 key up to the key itself (RFC 8410 section 4).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// The key in a raw public key as the peer sent it.
pub(super) fn keep_id(spki: &[u8]) -> Option<KeepId> {
    let key = spki.strip_prefix(SPKI_PREFIX.as_slice())?;
    Some(KeepId(key.try_into().ok()?))
}

/// Presents `key` to every client.
pub(super) fn resolver(key: &SigningKey) -> Arc<AlwaysResolvesServerRawPublicKeys> {
    let mut spki = SPKI_PREFIX.to_vec();
    spki.extend_from_slice(key.verifying_key().as_bytes());
    let certified = CertifiedKey::new(
        vec![CertificateDer::from(spki.clone())],
        Arc::new(Identity { key: key.clone(), spki }),
    );
    Arc::new(AlwaysResolvesServerRawPublicKeys::new(Arc::new(certified)))
}

struct Identity {
    key: SigningKey,
    spki: Vec<u8>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity([redacted])")
    }
}

impl TlsSigningKey for Identity {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered
            .contains(&SignatureScheme::ED25519)
            .then(|| Box::new(Self { key: self.key.clone(), spki: Vec::new() }) as Box<dyn Signer>)
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(SubjectPublicKeyInfoDer::from(self.spki.as_slice()))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ED25519
    }
}

impl Signer for Identity {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.key.sign(message).to_bytes().to_vec())
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}

/// Accepts one known Keep, or any key that the handshake proves to be held.
#[derive(Debug)]
pub(super) struct Verifier {
    pub(super) expected: Option<KeepId>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let found = keep_id(end_entity).ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))?;
        match self.expected {
            Some(expected) if expected != found => {
                Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 is not spoken".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let invalid = || Error::InvalidCertificate(CertificateError::BadSignature);
        if signed.scheme != SignatureScheme::ED25519 {
            return Err(invalid());
        }
        let key = keep_id(cert).ok_or_else(invalid)?;
        let key = VerifyingKey::from_bytes(&key.0).map_err(|_| invalid())?;
        let signature = Signature::from_slice(signed.signature()).map_err(|_| invalid())?;
        key.verify_strict(message, &signature).map_err(|_| invalid())?;
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
