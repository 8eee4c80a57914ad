// SPDX-License-Identifier: Apache-2.0

//! Signatures by the RustCrypto crates: pure Rust, no allocation of a size that the input chooses.

use core::ops::RangeInclusive;

use enarx_evidence::x509::PublicKey;
use p384::ecdsa::signature::Verifier as _;
use p384::ecdsa::signature::hazmat::PrehashVerifier as _;
use rsa::BoxedUint;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::{Hash, Scheme, SignatureVerifier, Signed};

/// Bits of a modulus: those of TPMs have 2048, AMD's 4096.
const RSA_BITS: RangeInclusive<usize> = 2048..=4096;
/// Bytes of a public exponent; 65537 has three. Longer ones only cost time.
const MAX_EXPONENT: usize = 4;

/// The RustCrypto implementation.
#[derive(Debug, Clone, Copy, Default)]
pub struct RustCrypto;

impl SignatureVerifier for RustCrypto {
    fn verify(&mut self, signed: &Signed<'_>) -> bool {
        let Signed { key, scheme, message, signature } = *signed;
        match (key, scheme) {
            (PublicKey::Rsa { modulus, exponent }, Scheme::RsaPss(hash)) => {
                rsa_key(modulus, exponent).is_some_and(|key| rsa_pss(key, hash, message, signature))
            }
            (PublicKey::Rsa { modulus, exponent }, Scheme::RsaPkcs1(hash)) => {
                rsa_key(modulus, exponent).is_some_and(|key| rsa_pkcs1(key, hash, message, signature))
            }
            (PublicKey::P256(point), Scheme::Ecdsa(hash)) => {
                with_digest(hash, message, |digest| ecdsa_p256(point, digest, signature))
            }
            (PublicKey::P384(point), Scheme::Ecdsa(hash)) => {
                with_digest(hash, message, |digest| ecdsa_p384(point, digest, signature))
            }
            _ => false,
        }
    }
}

fn rsa_key(modulus: &[u8], exponent: &[u8]) -> Option<rsa::PublicKey> {
    if modulus.len().checked_mul(8)? > *RSA_BITS.end() || exponent.len() > MAX_EXPONENT {
        return None;
    }
    let (modulus, exponent) =
        (BoxedUint::from_be_slice_vartime(modulus), BoxedUint::from_be_slice_vartime(exponent));
    rsa::PublicKey::new_with_size_limits(modulus, exponent, RSA_BITS).ok()
}

fn rsa_pss(key: rsa::PublicKey, hash: Hash, message: &[u8], signature: &[u8]) -> bool {
    use rsa::pss::{Signature, VerifyingKey};
    let Ok(signature) = Signature::try_from(signature) else { return false };
    match hash {
        Hash::Sha1 => VerifyingKey::<Sha1>::new(key).verify(message, &signature).is_ok(),
        Hash::Sha256 => VerifyingKey::<Sha256>::new(key).verify(message, &signature).is_ok(),
        Hash::Sha384 => VerifyingKey::<Sha384>::new(key).verify(message, &signature).is_ok(),
        Hash::Sha512 => VerifyingKey::<Sha512>::new(key).verify(message, &signature).is_ok(),
    }
}

fn rsa_pkcs1(key: rsa::PublicKey, hash: Hash, message: &[u8], signature: &[u8]) -> bool {
    use rsa::pkcs1v15::{Signature, VerifyingKey};
    let Ok(signature) = Signature::try_from(signature) else { return false };
    match hash {
        Hash::Sha1 => VerifyingKey::<Sha1>::new(key).verify(message, &signature).is_ok(),
        Hash::Sha256 => VerifyingKey::<Sha256>::new(key).verify(message, &signature).is_ok(),
        Hash::Sha384 => VerifyingKey::<Sha384>::new(key).verify(message, &signature).is_ok(),
        Hash::Sha512 => VerifyingKey::<Sha512>::new(key).verify(message, &signature).is_ok(),
    }
}

fn with_digest(hash: Hash, message: &[u8], verify: impl FnOnce(&[u8]) -> bool) -> bool {
    match hash {
        Hash::Sha1 => verify(&Sha1::digest(message)),
        Hash::Sha256 => verify(&Sha256::digest(message)),
        Hash::Sha384 => verify(&Sha384::digest(message)),
        Hash::Sha512 => verify(&Sha512::digest(message)),
    }
}

fn ecdsa_p256(point: &[u8; 65], digest: &[u8], signature: &[u8]) -> bool {
    let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(point);
    let signature = p256::ecdsa::Signature::from_slice(signature);
    match (key, signature) {
        (Ok(key), Ok(signature)) => key.verify_prehash(digest, &signature).is_ok(),
        _ => false,
    }
}

fn ecdsa_p384(point: &[u8; 97], digest: &[u8], signature: &[u8]) -> bool {
    let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(point);
    let signature = p384::ecdsa::Signature::from_slice(signature);
    match (key, signature) {
        (Ok(key), Ok(signature)) => key.verify_prehash(digest, &signature).is_ok(),
        _ => false,
    }
}
