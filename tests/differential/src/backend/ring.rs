// SPDX-License-Identifier: Apache-2.0

//! Signatures by *ring*; what it does not have, by RustCrypto.

use enarx_evidence::x509::PublicKey;
use enarx_verifier::crypto::{Hash, RustCrypto, Scheme, SignatureVerifier, Signed};
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};

use super::rsa;

/// The *ring* implementation.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ring;

impl SignatureVerifier for Ring {
    fn verify(&mut self, signed: &Signed<'_>) -> bool {
        let Signed { key, scheme, message, signature } = *signed;
        let parameters = match (key, scheme) {
            (PublicKey::P256(point), Scheme::Ecdsa(Hash::Sha256)) => {
                let key = UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point);
                return key.verify(message, signature).is_ok();
            }
            (PublicKey::P384(point), Scheme::Ecdsa(Hash::Sha384)) => {
                let key = UnparsedPublicKey::new(&signature::ECDSA_P384_SHA384_FIXED, point);
                return key.verify(message, signature).is_ok();
            }
            (_, Scheme::RsaPss(Hash::Sha256)) => &signature::RSA_PSS_2048_8192_SHA256,
            (_, Scheme::RsaPss(Hash::Sha384)) => &signature::RSA_PSS_2048_8192_SHA384,
            (_, Scheme::RsaPss(Hash::Sha512)) => &signature::RSA_PSS_2048_8192_SHA512,
            (_, Scheme::RsaPkcs1(Hash::Sha256)) => &signature::RSA_PKCS1_2048_8192_SHA256,
            (_, Scheme::RsaPkcs1(Hash::Sha384)) => &signature::RSA_PKCS1_2048_8192_SHA384,
            (_, Scheme::RsaPkcs1(Hash::Sha512)) => &signature::RSA_PKCS1_2048_8192_SHA512,
            _ => return RustCrypto.verify(signed),
        };
        rsa(&key).is_some_and(|(n, e)| {
            RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).is_ok()
        })
    }
}
