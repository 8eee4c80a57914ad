// SPDX-License-Identifier: Apache-2.0

//! Verifying signatures, behind one small trait: everything that an appraisal computes beyond comparing bytes.
//!
//! [`RustCrypto`] is the implementation for every platform, a Keep and a browser included. [`Remembering`] puts a
//! memory in front of another one, for who appraises evidence of many Keeps under the same vendor's certificates.

mod remembering;
mod rust_crypto;

pub use remembering::Remembering;
pub use rust_crypto::RustCrypto;

/// An RSA public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RsaKey<'a> {
    /// The modulus, big-endian, without leading zeros.
    pub modulus: &'a [u8],
    /// The public exponent, likewise.
    pub exponent: &'a [u8],
}

/// An ECDSA signature over P-384.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct P384Signature<'a> {
    /// The number r, big-endian.
    pub r: &'a [u8; 48],
    /// The number s, big-endian.
    pub s: &'a [u8; 48],
}

/// Verifies signatures. An answer depends on the arguments alone; whatever is malformed is simply not a
/// signature.
pub trait SignatureVerifier {
    /// RSASSA-PSS with SHA-384, MGF1 with SHA-384 and 48 bytes of salt, over a key of 3072 to 4096 bits.
    fn rsa_pss_sha384(&mut self, key: RsaKey<'_>, message: &[u8], signature: &[u8]) -> bool;

    /// ECDSA with SHA-384 under an uncompressed point of P-384.
    fn ecdsa_p384_sha384(&mut self, point: &[u8; 97], message: &[u8], signature: P384Signature<'_>) -> bool;
}
