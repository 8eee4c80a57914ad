// SPDX-License-Identifier: Apache-2.0

//! Implementations of signatures in C and assembly, for where there is an operating system: what the benchmarks choose
//! between.

use core::ops::RangeInclusive;

use enarx_evidence::x509::PublicKey;
use enarx_verifier::crypto::{Hash, RustCrypto, Scheme, SignatureVerifier, Signed};

/// Bytes of a modulus, 2048 to 4096 bits, and of a public exponent, as the trait has it.
const MODULUS: RangeInclusive<usize> = 256..=512;
const MAX_EXPONENT: usize = 4;

/// Modulus and exponent of a key that is neither too small nor too large.
fn rsa<'a>(key: &PublicKey<'a>) -> Option<(&'a [u8], &'a [u8])> {
    let PublicKey::Rsa { modulus, exponent } = *key else { return None };
    let fits = MODULUS.contains(&modulus.len()) && exponent.len() <= MAX_EXPONENT;
    fits.then_some((modulus, exponent))
}

/// An implementation with the interface of *ring*; what it does not have is done by RustCrypto.
macro_rules! implementation {
    ($(#[$doc:meta])* $name:ident by $library:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default)]
        pub struct $name;

        impl SignatureVerifier for $name {
            fn verify(&mut self, signed: &Signed<'_>) -> bool {
                use $library::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};

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
    };
}

implementation!(
    /// By AWS-LC.
    AwsLc by aws_lc_rs
);
implementation!(
    /// By *ring*.
    Ring by ring
);
