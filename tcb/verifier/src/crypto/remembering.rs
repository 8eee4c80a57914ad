// SPDX-License-Identifier: Apache-2.0

//! A memory of certificate signatures that were verified before.

use alloc::collections::VecDeque;

use sha2::{Digest as _, Sha256};

use super::{P384Signature, RsaKey, SignatureVerifier};

/// How many signatures are remembered: those of eight chains with their revocation lists.
const CAPACITY: usize = 32;

/// Remembers the RSA signatures, those of certificates and lists, that another implementation verified.
///
/// What is remembered is that one signature over one message verifies under one key, which stays true: validity
/// periods, revocation and everything else that a decision depends on is checked anew each time. Signatures that
/// did not verify are not remembered, and neither are those of evidence, which are never seen again.
#[derive(Debug, Clone, Default)]
pub struct Remembering<V> {
    inner: V,
    /// Digests of key, message and signature, oldest first.
    known: VecDeque<[u8; 32]>,
}

impl<V: SignatureVerifier> Remembering<V> {
    /// Puts an empty memory in front of `inner`.
    pub fn new(inner: V) -> Self {
        Self { inner, known: VecDeque::with_capacity(CAPACITY) }
    }
}

impl<V: SignatureVerifier> SignatureVerifier for Remembering<V> {
    fn rsa_pss_sha384(&mut self, key: RsaKey<'_>, message: &[u8], signature: &[u8]) -> bool {
        let digest = digest([key.modulus, key.exponent, message, signature]);
        if self.known.contains(&digest) {
            return true;
        }
        let valid = self.inner.rsa_pss_sha384(key, message, signature);
        if valid {
            if self.known.len() >= CAPACITY {
                self.known.pop_front();
            }
            self.known.push_back(digest);
        }
        valid
    }

    fn ecdsa_p384_sha384(&mut self, point: &[u8; 97], message: &[u8], signature: P384Signature<'_>) -> bool {
        self.inner.ecdsa_p384_sha384(point, message, signature)
    }
}

/// Each part with its length, so that no two lists of parts have the same digest.
fn digest(parts: [&[u8]; 4]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
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
        fn rsa_pss_sha384(&mut self, _: RsaKey<'_>, _: &[u8], signature: &[u8]) -> bool {
            self.asked += 1;
            signature.first() == Some(&1)
        }

        fn ecdsa_p384_sha384(&mut self, _: &[u8; 97], _: &[u8], _: P384Signature<'_>) -> bool {
            self.asked += 1;
            true
        }
    }

    const KEY: RsaKey<'_> = RsaKey { modulus: &[3], exponent: &[1] };

    #[test]
    fn a_good_signature_is_asked_for_once_and_a_bad_one_each_time() {
        let mut crypto = Remembering::new(Counting::default());
        for _ in 0..3 {
            assert!(crypto.rsa_pss_sha384(KEY, b"message", &[1]));
        }
        assert_eq!(crypto.inner.asked, 1);
        for _ in 0..3 {
            assert!(!crypto.rsa_pss_sha384(KEY, b"message", &[2]));
        }
        assert_eq!(crypto.inner.asked, 4);
    }

    #[test]
    fn another_key_or_message_is_another_signature() {
        let mut crypto = Remembering::new(Counting::default());
        assert!(crypto.rsa_pss_sha384(KEY, b"message", &[1]));
        assert!(crypto.rsa_pss_sha384(KEY, b"messag", &[1]));
        assert!(crypto.rsa_pss_sha384(RsaKey { modulus: &[3, 1], exponent: &[] }, b"message", &[1]));
        assert_eq!(crypto.inner.asked, 3);
    }

    #[test]
    fn memory_is_bounded() {
        let mut crypto = Remembering::new(Counting::default());
        for number in 0..1000_u32 {
            assert!(crypto.rsa_pss_sha384(KEY, &number.to_be_bytes(), &[1]));
        }
        assert_eq!(crypto.known.len(), CAPACITY);
    }
}
