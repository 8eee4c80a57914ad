// SPDX-License-Identifier: Apache-2.0

//! Signatures of COSE messages.

use enarx_evidence::cose::{Algorithm, EcKey, Sign1};
use enarx_evidence::x509::{Certificate, PublicKey};

use crate::Code;
use crate::crypto::{Hash, Scheme, SignatureVerifier, Signed};
use crate::refusal::{Findings, Subject};

/// What a check of a signature is about.
pub(crate) struct About<'a> {
    /// The message.
    pub(crate) subject: Subject,
    /// The code of a signature that does not verify.
    pub(crate) code: Code,
    /// Whose key it is.
    pub(crate) signer: &'a str,
}

/// Checks that a message names the algorithm that goes with the key's curve (RFC 9053, section 2.1), and that the
/// key signed it.
pub(crate) fn check(
    message: &Sign1<'_>,
    key: PublicKey<'_>,
    about: &About<'_>,
    crypto: &mut dyn SignatureVerifier,
    findings: &mut Findings,
) {
    check_signed(message, key, is_signed(message, key, crypto), about, findings);
}

/// The same, where it is known whether the key signed.
pub(crate) fn check_signed(
    message: &Sign1<'_>,
    key: PublicKey<'_>,
    signed: bool,
    about: &About<'_>,
    findings: &mut Findings,
) {
    let Some(wanted) = algorithm(key) else {
        let expected = "a key on P-256 or P-384";
        findings.refuse(about.subject, Code::KeyUnsupported, expected, "another kind of key");
        return;
    };
    let named = message.algorithm();
    let known = named == Ok(wanted);
    let code = Code::SignatureAlgorithmUnsupported;
    match named {
        Ok(named) => findings.check(Subject::CoseAlgorithm, code, known, wanted, named),
        Err(error) => findings.refuse(Subject::CoseAlgorithm, code, wanted, error),
    }
    let signed = known && signed;
    let expected = format_args!("a signature by {}", about.signer);
    let found = if signed { "a good signature" } else { "a signature that does not verify" };
    findings.check(about.subject, about.code, signed, expected, found);
}

/// Whether a key signed a message, by the algorithm that goes with its curve.
pub(crate) fn is_signed(message: &Sign1<'_>, key: PublicKey<'_>, crypto: &mut dyn SignatureVerifier) -> bool {
    let hash = match algorithm(key) {
        Some(Algorithm::Es256) => Hash::Sha256,
        Some(Algorithm::Es384) => Hash::Sha384,
        _ => return false,
    };
    let (scheme, text) = (Scheme::Ecdsa(hash), message.to_be_signed());
    crypto.verify(&Signed { key, scheme, message: &text, signature: message.signature })
}

/// A key as certificates have it.
pub(crate) fn public_key(key: &EcKey) -> PublicKey<'_> {
    match key {
        EcKey::P256(point) => PublicKey::P256(point),
        EcKey::P384(point) => PublicKey::P384(point),
    }
}

/// Checks that a certificate is that of a key for signing evidence: the key may sign data, and its owner is no
/// authority (RFC 5280, sections 4.2.1.3 and 4.2.1.9).
pub(crate) fn check_usage(certificate: &Certificate<'_>, subject: Subject, findings: &mut Findings) {
    let extensions = certificate.extensions;
    let signs = extensions.key_usage().is_some_and(|usage| usage.digital_signature && !usage.cert_sign);
    let authority = extensions.basic_constraints().is_some_and(|constraints| constraints.ca);
    let expected = format_args!("{}, whose key signs evidence", certificate.common_name());
    let found = match (authority, signs) {
        (true, _) => "the key of an authority",
        (false, true) => "it does",
        (false, false) => "another usage of the key",
    };
    findings.check(subject, Code::KeyUnsupported, signs && !authority, expected, found);
}

fn algorithm(key: PublicKey<'_>) -> Option<Algorithm> {
    match key {
        PublicKey::P256(_) => Some(Algorithm::Es256),
        PublicKey::P384(_) => Some(Algorithm::Es384),
        _ => None,
    }
}
