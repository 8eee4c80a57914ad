// SPDX-License-Identifier: Apache-2.0

//! Signatures in certificates and handshakes, in the words of rustls, verified by the code that verifies evidence.

use ed25519_dalek::VerifyingKey;
use enarx_evidence::x509::PublicKey;
use enarx_verifier::crypto::{Hash, RustCrypto, Scheme, SignatureVerifier as _, Signed};
use rustls::SignatureScheme;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};

use super::der;

/// One key and one way to sign with it.
#[derive(Debug)]
struct Algorithm {
    key: AlgorithmIdentifier,
    signature: AlgorithmIdentifier,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    P256,
    P384,
    Ed25519,
    Rsa(Scheme),
}

const fn algorithm(key: AlgorithmIdentifier, signature: AlgorithmIdentifier, kind: Kind) -> Algorithm {
    Algorithm { key, signature, kind }
}

static P256: Algorithm = algorithm(alg_id::ECDSA_P256, alg_id::ECDSA_SHA256, Kind::P256);
static P384: Algorithm = algorithm(alg_id::ECDSA_P384, alg_id::ECDSA_SHA384, Kind::P384);
static ED25519: Algorithm = algorithm(alg_id::ED25519, alg_id::ED25519, Kind::Ed25519);
static PSS_256: Algorithm =
    algorithm(alg_id::RSA_ENCRYPTION, alg_id::RSA_PSS_SHA256, Kind::Rsa(Scheme::RsaPss(Hash::Sha256)));
static PSS_384: Algorithm =
    algorithm(alg_id::RSA_ENCRYPTION, alg_id::RSA_PSS_SHA384, Kind::Rsa(Scheme::RsaPss(Hash::Sha384)));
static PSS_512: Algorithm =
    algorithm(alg_id::RSA_ENCRYPTION, alg_id::RSA_PSS_SHA512, Kind::Rsa(Scheme::RsaPss(Hash::Sha512)));
static PKCS1_256: Algorithm =
    algorithm(alg_id::RSA_ENCRYPTION, alg_id::RSA_PKCS1_SHA256, Kind::Rsa(Scheme::RsaPkcs1(Hash::Sha256)));
static PKCS1_384: Algorithm =
    algorithm(alg_id::RSA_ENCRYPTION, alg_id::RSA_PKCS1_SHA384, Kind::Rsa(Scheme::RsaPkcs1(Hash::Sha384)));
static PKCS1_512: Algorithm =
    algorithm(alg_id::RSA_ENCRYPTION, alg_id::RSA_PKCS1_SHA512, Kind::Rsa(Scheme::RsaPkcs1(Hash::Sha512)));

/// What chains may be signed with, and of that what TLS 1.3 allows in a handshake (RFC 8446 section 4.2.3).
pub(super) const ALGORITHMS: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &[&P256, &P384, &ED25519, &PSS_256, &PSS_384, &PSS_512, &PKCS1_256, &PKCS1_384, &PKCS1_512],
    mapping: &[
        (SignatureScheme::ECDSA_NISTP256_SHA256, &[&P256]),
        (SignatureScheme::ECDSA_NISTP384_SHA384, &[&P384]),
        (SignatureScheme::ED25519, &[&ED25519]),
        (SignatureScheme::RSA_PSS_SHA256, &[&PSS_256]),
        (SignatureScheme::RSA_PSS_SHA384, &[&PSS_384]),
        (SignatureScheme::RSA_PSS_SHA512, &[&PSS_512]),
    ],
};

impl SignatureVerificationAlgorithm for Algorithm {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        if self.verifies(public_key, message, signature).unwrap_or(false) {
            Ok(())
        } else {
            Err(InvalidSignature)
        }
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.key
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.signature
    }
}

impl Algorithm {
    fn verifies(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Option<bool> {
        let verify =
            |key, scheme, signature: &[u8]| RustCrypto.verify(&Signed { key, scheme, message, signature });
        Some(match self.kind {
            Kind::P256 => {
                let fixed = p256::ecdsa::Signature::from_der(signature).ok()?.to_bytes();
                verify(PublicKey::P256(key.try_into().ok()?), Scheme::Ecdsa(Hash::Sha256), fixed.as_slice())
            }
            Kind::P384 => {
                let fixed = p384::ecdsa::Signature::from_der(signature).ok()?.to_bytes();
                verify(PublicKey::P384(key.try_into().ok()?), Scheme::Ecdsa(Hash::Sha384), fixed.as_slice())
            }
            Kind::Ed25519 => {
                let key = VerifyingKey::from_bytes(key.try_into().ok()?).ok()?;
                let signature = ed25519_dalek::Signature::from_slice(signature).ok()?;
                key.verify_strict(message, &signature).is_ok()
            }
            Kind::Rsa(scheme) => {
                let (modulus, exponent) = der::rsa_public_key(key)?;
                verify(PublicKey::Rsa { modulus, exponent }, scheme, signature)
            }
        })
    }
}
