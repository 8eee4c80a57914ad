// SPDX-License-Identifier: Apache-2.0

//! The quote itself: its signature, what it is bound to, and the registers that it is about.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use enarx_evidence::tpm::{HashAlgorithm, PcrValues, Quote, RsaPadding, Signature};
use enarx_evidence::x509::PublicKey;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use crate::Code;
use crate::binding::carries;
use crate::claims::QuoteClaims;
use crate::crypto::{Hash, Scheme, SignatureVerifier, Signed};
use crate::refusal::{Findings, Subject};

/// Checks a quote against the key that should have signed it.
pub(crate) fn check(
    quote: &Quote,
    key: PublicKey<'_>,
    report_data: &[u8; 64],
    crypto: &mut dyn SignatureVerifier,
    findings: &mut Findings,
) -> QuoteClaims {
    let signed = is_signed(quote, key, crypto);
    let found = if signed { "a good signature" } else { "a signature that does not verify" };
    let expected = "a signature by the attestation key";
    findings.check(Subject::TpmQuote, Code::TpmSignatureInvalid, signed, expected, found);

    let extra_data = &quote.attest.extra_data;
    let expected = format_args!("the SHA-256 of {}", hex::encode(report_data));
    let bound = carries(extra_data, report_data);
    findings.check(Subject::QuoteData, Code::ReportDataMismatch, bound, expected, hex::encode(extra_data));

    let values = values(quote, findings);
    QuoteClaims { attest: quote.attest.clone(), hash: quote.signature.hash(), values }
}

/// Whether a key signed a quote.
pub(super) fn is_signed(quote: &Quote, key: PublicKey<'_>, crypto: &mut dyn SignatureVerifier) -> bool {
    let hash = match quote.signature.hash() {
        HashAlgorithm::Sha1 => Hash::Sha1,
        HashAlgorithm::Sha256 => Hash::Sha256,
        HashAlgorithm::Sha384 => Hash::Sha384,
        HashAlgorithm::Sha512 => Hash::Sha512,
    };
    let message = quote.attest.encode();
    let mut verify =
        |scheme, signature: &[u8]| crypto.verify(&Signed { key, scheme, message: &message, signature });
    match (&quote.signature, key) {
        (Signature::Rsa { padding: RsaPadding::Pkcs1, signature, .. }, PublicKey::Rsa { .. }) => {
            verify(Scheme::RsaPkcs1(hash), signature)
        }
        // The salt is as long as the digest, as FIPS 186-5 limits it.
        (Signature::Rsa { padding: RsaPadding::Pss, signature, .. }, PublicKey::Rsa { .. }) => {
            verify(Scheme::RsaPss(hash), signature)
        }
        (Signature::Ecdsa { r, s, .. }, PublicKey::P256(_)) => {
            numbers(r, s, 32).is_some_and(|signature| verify(Scheme::Ecdsa(hash), &signature))
        }
        (Signature::Ecdsa { r, s, .. }, PublicKey::P384(_)) => {
            numbers(r, s, 48).is_some_and(|signature| verify(Scheme::Ecdsa(hash), &signature))
        }
        _ => false,
    }
}

/// Two numbers, each in as many bytes as the curve has; TPMs leave out leading zeros.
fn numbers(r: &[u8], s: &[u8], len: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for number in [r, s] {
        let zeros = len.checked_sub(number.len())?;
        out.resize(out.len().checked_add(zeros)?, 0);
        out.extend_from_slice(number);
    }
    Some(out)
}

/// The values that the quote is about, if they were sent; then they have to be those of its digest, which is made
/// with the hash function of the signature, whatever that of the bank.
fn values(quote: &Quote, findings: &mut Findings) -> Option<PcrValues> {
    let (mut selected, mut absent) = (PcrValues::default(), Vec::new());
    let mut message = Vec::new();
    for selection in &quote.attest.pcr_select {
        for register in selection.numbers() {
            match quote.values.get(selection.bank, register) {
                Some(value) => {
                    message.extend_from_slice(value);
                    selected.banks.entry(selection.bank).or_default().insert(register, value.to_vec());
                }
                None => absent.push(format!("pcr{register} of {}", selection.bank)),
            }
        }
    }
    if selected.banks.is_empty() && !absent.is_empty() {
        return None;
    }
    let found: String =
        if absent.is_empty() { "all of them".into() } else { format!("no {}", absent.join(", ")) };
    let expected = "the value of every register that the quote selects";
    findings.check(Subject::Registers, Code::PcrValuesMissing, absent.is_empty(), expected, found);
    if !absent.is_empty() {
        return None;
    }
    let digest = digest(quote.signature.hash(), &message);
    let same = digest == quote.attest.pcr_digest;
    let expected = format_args!("values with the digest {}", hex::encode(&quote.attest.pcr_digest));
    findings.check(Subject::Registers, Code::PcrDigestMismatch, same, expected, hex::encode(&digest));
    Some(selected)
}

pub(super) fn digest(hash: HashAlgorithm, message: &[u8]) -> Vec<u8> {
    match hash {
        HashAlgorithm::Sha1 => Sha1::digest(message).to_vec(),
        HashAlgorithm::Sha256 => Sha256::digest(message).to_vec(),
        HashAlgorithm::Sha384 => Sha384::digest(message).to_vec(),
        HashAlgorithm::Sha512 => Sha512::digest(message).to_vec(),
    }
}
