// SPDX-License-Identifier: Apache-2.0

//! A memory of certificate signatures that were verified before.

use alloc::collections::VecDeque;

use sha2::{Digest as _, Sha256};

use enarx_evidence::x509::PublicKey;

use super::{Hash, Scheme, SignatureVerifier, Signed};

/// How many signatures are remembered: those of eight chains with their lists and other collateral.
const CAPACITY: usize = 64;

/// Remembers the signatures of endorsements that another implementation verified.
///
/// What is remembered is that one signature over one message verifies under one key, which stays true: validity
/// periods, revocation and everything else that a decision depends on is checked anew each time. Signatures that
/// did not verify are not remembered, and neither are those of evidence, which are never seen again.
#[derive(Debug, Clone, Default)]
pub struct Remembering<V> {
    inner: V,
    /// Digests of scheme, key, message and signature, oldest first.
    known: VecDeque<[u8; 32]>,
}

impl<V: SignatureVerifier> Remembering<V> {
    /// Puts an empty memory in front of `inner`.
    pub fn new(inner: V) -> Self {
        Self { inner, known: VecDeque::with_capacity(CAPACITY) }
    }
}

impl<V: SignatureVerifier> SignatureVerifier for Remembering<V> {
    fn verify(&mut self, signed: &Signed<'_>) -> bool {
        self.inner.verify(signed)
    }

    fn verify_endorsement(&mut self, signed: &Signed<'_>) -> bool {
        let digest = digest(signed);
        if self.known.contains(&digest) {
            return true;
        }
        let valid = self.inner.verify_endorsement(signed);
        if valid {
            if self.known.len() >= CAPACITY {
                self.known.pop_front();
            }
            self.known.push_back(digest);
        }
        valid
    }
}

/// Each part with its length, so that no two statements have the same digest.
fn digest(signed: &Signed<'_>) -> [u8; 32] {
    let (family, hash) = match signed.scheme {
        Scheme::RsaPss(hash) => (0, hash),
        Scheme::RsaPkcs1(hash) => (1, hash),
        Scheme::Ecdsa(hash) => (2, hash),
    };
    let hash = match hash {
        Hash::Sha1 => 0,
        Hash::Sha256 => 1,
        Hash::Sha384 => 2,
        Hash::Sha512 => 3,
    };
    let (kind, key): (u8, [&[u8]; 2]) = match signed.key {
        PublicKey::Rsa { modulus, exponent } => (0, [modulus, exponent]),
        PublicKey::P256(point) => (1, [point, &[]]),
        PublicKey::P384(point) => (2, [point, &[]]),
        _ => (3, [&[], &[]]),
    };
    let mut digest = Sha256::new();
    for part in [&[family, hash, kind], key[0], key[1], signed.message, signed.signature] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says yes to one signature and counts how often it is asked.
    #[derive(Default)]
    struct Counting {
        asked: usize,
    }

    impl SignatureVerifier for Counting {
        fn verify(&mut self, signed: &Signed<'_>) -> bool {
            self.asked += 1;
            signed.signature.first() == Some(&1)
        }
    }

    const KEY: PublicKey<'_> = PublicKey::Rsa { modulus: &[3], exponent: &[1] };

    fn signed<'a>(message: &'a [u8], signature: &'a [u8]) -> Signed<'a> {
        Signed { key: KEY, scheme: Scheme::RsaPss(Hash::Sha384), message, signature }
    }

    #[test]
    fn a_good_signature_is_asked_for_once_and_a_bad_one_each_time() {
        let mut crypto = Remembering::new(Counting::default());
        for _ in 0..3 {
            assert!(crypto.verify_endorsement(&signed(b"message", &[1])));
        }
        assert_eq!(crypto.inner.asked, 1);
        for _ in 0..3 {
            assert!(!crypto.verify_endorsement(&signed(b"message", &[2])));
        }
        assert_eq!(crypto.inner.asked, 4);
    }

    #[test]
    fn signatures_of_evidence_are_not_remembered() {
        let mut crypto = Remembering::new(Counting::default());
        for _ in 0..3 {
            assert!(crypto.verify(&signed(b"message", &[1])));
        }
        assert_eq!(crypto.inner.asked, 3);
    }

    #[test]
    fn another_key_scheme_or_message_is_another_signature() {
        let mut crypto = Remembering::new(Counting::default());
        let first = signed(b"message", &[1]);
        let others = [
            signed(b"messag", &[1]),
            Signed { key: PublicKey::Rsa { modulus: &[3, 1], exponent: &[] }, ..first },
            Signed { scheme: Scheme::RsaPss(Hash::Sha256), ..first },
            Signed { scheme: Scheme::RsaPkcs1(Hash::Sha384), ..first },
        ];
        assert!(crypto.verify_endorsement(&first));
        for other in &others {
            assert!(crypto.verify_endorsement(other));
        }
        assert_eq!(crypto.inner.asked, 5);
    }

    #[test]
    fn memory_is_bounded() {
        let mut crypto = Remembering::new(Counting::default());
        for number in 0..1000_u32 {
            assert!(crypto.verify_endorsement(&signed(&number.to_be_bytes(), &[1])));
        }
        assert_eq!(crypto.known.len(), CAPACITY);
    }
}
