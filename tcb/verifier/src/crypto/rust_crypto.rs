// SPDX-License-Identifier: Apache-2.0

//! Signatures by the RustCrypto crates: pure Rust, no allocation of a size that the input chooses.

use core::ops::RangeInclusive;

use p384::ecdsa::signature::Verifier as _;
use rsa::BoxedUint;
use sha2::Sha384;

use super::{P384Signature, RsaKey, SignatureVerifier};

/// Bits of a modulus: AMD's keys have 4096, and no vendor's root is shorter than 3072.
const RSA_BITS: RangeInclusive<usize> = 3072..=4096;
/// Bytes of a public exponent; 65537 has three. Longer ones only cost time.
const MAX_EXPONENT: usize = 4;
const SALT: usize = 48;

/// The RustCrypto implementation.
#[derive(Debug, Clone, Copy, Default)]
pub struct RustCrypto;

impl SignatureVerifier for RustCrypto {
    fn rsa_pss_sha384(&mut self, key: RsaKey<'_>, message: &[u8], signature: &[u8]) -> bool {
        rsa_pss_sha384(key, message, signature).unwrap_or(false)
    }

    fn ecdsa_p384_sha384(&mut self, point: &[u8; 97], message: &[u8], signature: P384Signature<'_>) -> bool {
        let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(point);
        let signature = p384::ecdsa::Signature::from_scalars(*signature.r, *signature.s);
        match (key, signature) {
            (Ok(key), Ok(signature)) => key.verify(message, &signature).is_ok(),
            _ => false,
        }
    }
}

fn rsa_pss_sha384(key: RsaKey<'_>, message: &[u8], signature: &[u8]) -> Option<bool> {
    let len = key.modulus.len();
    if len.checked_mul(8)? > *RSA_BITS.end() || key.exponent.len() > MAX_EXPONENT || signature.len() != len {
        return None;
    }
    let modulus = BoxedUint::from_be_slice_vartime(key.modulus);
    let exponent = BoxedUint::from_be_slice_vartime(key.exponent);
    let key = rsa::PublicKey::new_with_size_limits(modulus, exponent, RSA_BITS).ok()?;
    let key = rsa::pss::VerifyingKey::<Sha384>::new_with_salt_len(key, SALT);
    let signature = rsa::pss::Signature::try_from(signature).ok()?;
    Some(key.verify(message, &signature).is_ok())
}
