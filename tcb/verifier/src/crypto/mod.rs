// SPDX-License-Identifier: Apache-2.0

//! Verifying signatures, behind one small trait: everything that an appraisal computes beyond hashing and
//! comparing bytes.
//!
//! [`RustCrypto`] is the implementation for every platform, a Keep and a browser included. [`Remembering`] puts a
//! memory in front of another one, for who appraises evidence of many Keeps under the same vendor's certificates.

mod remembering;
mod rust_crypto;

use enarx_evidence::x509::PublicKey;

pub use remembering::Remembering;
pub use rust_crypto::RustCrypto;

/// A hash function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hash {
    /// SHA-1, which TPMs of old still use. Collisions can be made: a policy has to accept it by name.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// How a message is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// RSASSA-PSS, MGF1 with the same hash, and a salt as long as the hash (RFC 8017, section 8.1).
    RsaPss(Hash),
    /// RSASSA-PKCS1-v1_5 (RFC 8017, section 8.2).
    RsaPkcs1(Hash),
    /// ECDSA over the curve of the key. The signature is r and s, big-endian, each as long as the curve's order.
    Ecdsa(Hash),
}

/// A message that somebody is said to have signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed<'a> {
    /// Whose signature it would be.
    pub key: PublicKey<'a>,
    /// How it would be made.
    pub scheme: Scheme,
    /// What would be signed.
    pub message: &'a [u8],
    /// The signature, in the form that the scheme says.
    pub signature: &'a [u8],
}

/// Verifies signatures. An answer depends on the arguments alone; whatever is malformed, or of a scheme or size that
/// no vendor uses, is simply not a signature.
pub trait SignatureVerifier {
    /// Whether evidence was signed. RSA keys have 2048 to 4096 bits, and an exponent below 2^32.
    fn verify(&mut self, signed: &Signed<'_>) -> bool;

    /// Whether a certificate, list or other endorsement was signed: the same answer, about something that will be
    /// asked for again.
    fn verify_endorsement(&mut self, signed: &Signed<'_>) -> bool {
        self.verify(signed)
    }
}

impl<V: SignatureVerifier + ?Sized> SignatureVerifier for &mut V {
    fn verify(&mut self, signed: &Signed<'_>) -> bool {
        (**self).verify(signed)
    }

    fn verify_endorsement(&mut self, signed: &Signed<'_>) -> bool {
        (**self).verify_endorsement(signed)
    }
}
