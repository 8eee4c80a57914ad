// SPDX-License-Identifier: Apache-2.0

//! Signatures under certificates and lists, each verified once in an appraisal: two chains may share an authority.

use alloc::vec::Vec;
use core::cell::RefCell;

use enarx_evidence::x509::{EcdsaSignature, PublicKey, SignatureAlgorithm};

use crate::crypto::{Hash, Scheme, SignatureVerifier, Signed};

/// What somebody is said to have signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Statement<'a> {
    /// The signature, as certificates and lists have it.
    pub(crate) signature: &'a [u8],
    /// What would be signed.
    pub(crate) message: &'a [u8],
    /// How it would be signed.
    pub(crate) algorithm: SignatureAlgorithm,
    /// Whose signature it would be.
    pub(crate) key: PublicKey<'a>,
}

/// The statements that were found to be true.
#[derive(Debug, Default)]
pub(crate) struct Proved<'a>(RefCell<Vec<Statement<'a>>>);

impl<'a> Proved<'a> {
    /// Whether a statement is true.
    pub(crate) fn check(&self, statement: Statement<'a>, crypto: &mut dyn SignatureVerifier) -> bool {
        if self.0.borrow().contains(&statement) {
            return true;
        }
        let signed = statement.verify(crypto);
        if signed {
            self.0.borrow_mut().push(statement);
        }
        signed
    }
}

impl Statement<'_> {
    fn verify(&self, crypto: &mut dyn SignatureVerifier) -> bool {
        let Self { signature, message, algorithm, key } = *self;
        let mut verify =
            |scheme, signature: &[u8]| crypto.verify_endorsement(&Signed { key, scheme, message, signature });
        let mut ecdsa = |hash| match key {
            PublicKey::P256(_) => EcdsaSignature::<32>::from_der(signature)
                .is_ok_and(|EcdsaSignature { r, s }| verify(Scheme::Ecdsa(hash), &[r, s].concat())),
            PublicKey::P384(_) => EcdsaSignature::<48>::from_der(signature)
                .is_ok_and(|EcdsaSignature { r, s }| verify(Scheme::Ecdsa(hash), &[r, s].concat())),
            _ => false,
        };
        match algorithm {
            SignatureAlgorithm::EcdsaSha256 => ecdsa(Hash::Sha256),
            SignatureAlgorithm::EcdsaSha384 => ecdsa(Hash::Sha384),
            SignatureAlgorithm::RsaPssSha256 => verify(Scheme::RsaPss(Hash::Sha256), signature),
            SignatureAlgorithm::RsaPssSha384 => verify(Scheme::RsaPss(Hash::Sha384), signature),
            SignatureAlgorithm::RsaPkcs1Sha256 => verify(Scheme::RsaPkcs1(Hash::Sha256), signature),
            SignatureAlgorithm::RsaPkcs1Sha384 => verify(Scheme::RsaPkcs1(Hash::Sha384), signature),
            SignatureAlgorithm::RsaPkcs1Sha512 => verify(Scheme::RsaPkcs1(Hash::Sha512), signature),
            // Certificates can be forged where collisions can be made: SHA-1 certifies nothing.
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says yes to signatures that start with 1 and counts how often it is asked.
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

    const GOOD: Statement<'_> = Statement {
        signature: &[1],
        message: b"message",
        algorithm: SignatureAlgorithm::RsaPssSha384,
        key: PublicKey::Rsa { modulus: &[3], exponent: &[1] },
    };

    #[test]
    fn a_true_statement_is_verified_once_and_a_false_one_each_time() {
        let (proved, mut crypto) = (Proved::default(), Counting::default());
        let bad = Statement { signature: &[2], ..GOOD };
        for _ in 0..3 {
            assert!(proved.check(GOOD, &mut crypto));
        }
        assert_eq!(crypto.asked, 1);
        for _ in 0..3 {
            assert!(!proved.check(bad, &mut crypto));
        }
        assert_eq!(crypto.asked, 4);
    }

    #[test]
    fn another_signature_message_algorithm_or_key_is_another_statement() {
        let (proved, mut crypto) = (Proved::default(), Counting::default());
        let others = [
            GOOD,
            Statement { signature: &[1, 1], ..GOOD },
            Statement { message: b"messag", ..GOOD },
            Statement { algorithm: SignatureAlgorithm::RsaPssSha256, ..GOOD },
            Statement { key: PublicKey::Rsa { modulus: &[3], exponent: &[2] }, ..GOOD },
        ];
        for statement in others {
            assert!(proved.check(statement, &mut crypto));
        }
        assert_eq!(crypto.asked, 5);
    }
}
