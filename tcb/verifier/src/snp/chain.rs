// SPDX-License-Identifier: Apache-2.0

//! The chain from the key that signed a report to a known root: VCEK, ASK, ARK, or VLEK, ASVK, ARK (57230,
//! chapter 2).
//!
//! A chain is built by names and proved by signatures; the order in which the certificates came means nothing.
//! Several intermediates of one name are usual, since AMD has replaced one. Each is tried, and each try costs two
//! signatures at most, so the work is linear in the number of certificates.

use alloc::format;
use alloc::string::String;

use enarx_evidence::x509::{Certificate, PublicKey, SignatureAlgorithm};
use sha2::{Digest as _, Sha256};

use super::endorsements::Endorsements;
use super::revocation;
use crate::crypto::{RsaKey, SignatureVerifier};
use crate::refusal::{Findings, Subject};
use crate::{Code, Root, TrustAnchors, UnixTime, Verification};

/// A root's certificate, the key in it, and what the relying party knows about that key.
struct RootCertificate<'a, 'b> {
    certificate: &'b Certificate<'a>,
    spki_sha256: [u8; 32],
    known: Option<&'b Root>,
}

/// A way from a key's certificate to a root, as far as it goes.
struct Path<'a, 'b> {
    intermediate: &'b Certificate<'a>,
    root: Option<RootCertificate<'a, 'b>>,
    /// The root signed the intermediate.
    intermediate_signed: bool,
    /// The intermediate signed the key's certificate.
    key_signed: bool,
}

impl Path<'_, '_> {
    /// The best of several ways: known root before signatures before validity before a later end.
    fn rank(&self, now: UnixTime) -> (bool, bool, bool, bool, u64) {
        let known = self.root.as_ref().is_some_and(|root| root.known.is_some());
        let valid = is_valid(self.intermediate, now);
        (known, self.intermediate_signed, self.key_signed, valid, self.intermediate.not_after)
    }
}

/// Verifies the chain of a key's certificate and notes every check. The root is that of the chain, if it is
/// known and every signature up to it is good.
pub(super) fn verify(
    key: &Certificate<'_>,
    endorsements: &Endorsements<'_>,
    verification: &Verification<'_>,
    crypto: &mut dyn SignatureVerifier,
    findings: &mut Findings,
) -> Option<Root> {
    let now = verification.now;
    check_certificate(key, now, findings);
    let Some(path) = best_path(key, endorsements, verification.anchors, now, crypto) else {
        let expected = format_args!("a certificate of {}", key.issuer_common_name());
        findings.refuse(Subject::Chain, Code::IssuerMissing, expected, "none");
        return None;
    };
    let intermediate = path.intermediate;
    check_signature(key, path.key_signed, findings);
    check_certificate(intermediate, now, findings);
    check_authority(intermediate, findings);
    let Some(root) = path.root else {
        let expected = format_args!("a certificate of {}", intermediate.issuer_common_name());
        findings.refuse(Subject::Chain, Code::RootMissing, expected, "none");
        return None;
    };
    check_signature(intermediate, path.intermediate_signed, findings);
    let root_signed = is_issued(root.certificate, root.certificate, crypto);
    check_signature(root.certificate, root_signed, findings);
    check_certificate(root.certificate, now, findings);
    check_authority(root.certificate, findings);
    check_root(&root, findings);
    revocation::check(root.certificate, intermediate, endorsements, verification, crypto, findings);
    let proved = path.key_signed && path.intermediate_signed && root_signed;
    root.known.filter(|_| proved).cloned()
}

fn best_path<'a, 'b>(
    key: &Certificate<'a>,
    endorsements: &'b Endorsements<'a>,
    anchors: &'b TrustAnchors,
    now: UnixTime,
    crypto: &mut dyn SignatureVerifier,
) -> Option<Path<'a, 'b>> {
    let mut best: Option<Path<'a, 'b>> = None;
    for intermediate in &endorsements.certificates {
        if intermediate.subject != key.issuer || is_self_issued(intermediate) {
            continue;
        }
        let root = find_root(intermediate, endorsements, anchors, now);
        let intermediate_signed =
            root.as_ref().is_some_and(|root| is_issued(intermediate, root.certificate, crypto));
        let key_signed = is_issued(key, intermediate, crypto);
        let path = Path { intermediate, root, intermediate_signed, key_signed };
        if best.as_ref().is_none_or(|best| path.rank(now) > best.rank(now)) {
            best = Some(path);
        }
    }
    best
}

/// The root that an intermediate names, a known one before any other. No signature is verified to find it.
fn find_root<'a, 'b>(
    intermediate: &Certificate<'a>,
    endorsements: &'b Endorsements<'a>,
    anchors: &'b TrustAnchors,
    now: UnixTime,
) -> Option<RootCertificate<'a, 'b>> {
    let named = endorsements
        .certificates
        .iter()
        .filter(|certificate| certificate.subject == intermediate.issuer && is_self_issued(certificate));
    named
        .map(|certificate| {
            let spki_sha256 = Sha256::digest(certificate.spki).into();
            RootCertificate { certificate, spki_sha256, known: anchors.find(&spki_sha256) }
        })
        .max_by_key(|root| (root.known.is_some(), is_valid(root.certificate, now)))
}

fn is_self_issued(certificate: &Certificate<'_>) -> bool {
    certificate.issuer == certificate.subject
}

fn is_valid(certificate: &Certificate<'_>, now: UnixTime) -> bool {
    (certificate.not_before..=certificate.not_after).contains(&now.0)
}

fn is_issued(
    certificate: &Certificate<'_>,
    issuer: &Certificate<'_>,
    crypto: &mut dyn SignatureVerifier,
) -> bool {
    is_signed(certificate.algorithm, certificate.tbs, certificate.signature, issuer, crypto)
}

/// Whether an authority signed something. AMD's sign by RSASSA-PSS with SHA-384 only (57230, chapter 3).
pub(super) fn is_signed(
    algorithm: SignatureAlgorithm,
    message: &[u8],
    signature: &[u8],
    issuer: &Certificate<'_>,
    crypto: &mut dyn SignatureVerifier,
) -> bool {
    match (algorithm, issuer.key) {
        (SignatureAlgorithm::RsaPssSha384, PublicKey::Rsa { modulus, exponent }) => {
            crypto.rsa_pss_sha384(RsaKey { modulus, exponent }, message, signature)
        }
        _ => false,
    }
}

fn check_signature(certificate: &Certificate<'_>, signed: bool, findings: &mut Findings) {
    let expected =
        format_args!("{}, signed by {}", certificate.common_name(), certificate.issuer_common_name());
    let found = match (signed, certificate.algorithm) {
        (true, _) => "a good signature",
        (false, SignatureAlgorithm::RsaPssSha384) => "a signature that does not verify",
        (false, _) => "another algorithm than RSASSA-PSS with SHA-384",
    };
    findings.check(Subject::Chain, Code::CertificateSignatureInvalid, signed, expected, found);
}

/// What holds for every certificate of a chain: it is valid now, and nothing critical in it is overlooked.
fn check_certificate(certificate: &Certificate<'_>, now: UnixTime, findings: &mut Findings) {
    let (name, start, end) = (certificate.common_name(), certificate.not_before, certificate.not_after);
    let code = if now.0 < start { Code::CertificateNotYetValid } else { Code::CertificateExpired };
    let expected = format_args!("{name}, valid at {now}");
    let found = format_args!("valid from {} to {}", UnixTime(start), UnixTime(end));
    findings.check(Subject::Validity, code, is_valid(certificate, now), expected, found);
    if let Some(oid) = certificate.extensions.unknown_critical() {
        let expected = format_args!("{name}, with critical extensions that are known");
        findings.refuse(Subject::Chain, Code::CertificateUnsupported, expected, oid);
    }
}

/// What holds for who issues certificates (RFC 5280, section 6.1.4, k and n). The path length needs no check:
/// every chain has one intermediate.
fn check_authority(certificate: &Certificate<'_>, findings: &mut Findings) {
    let ca = certificate.extensions.basic_constraints().is_some_and(|constraints| constraints.ca);
    let cert_sign = certificate.extensions.key_usage().is_some_and(|usage| usage.cert_sign);
    let expected = format_args!("{}, an authority that signs certificates", certificate.common_name());
    let found = if ca && cert_sign { "it is" } else { "it is not" };
    findings.check(Subject::Authority, Code::IssuerNotAuthority, ca && cert_sign, expected, found);
}

fn check_root(root: &RootCertificate<'_, '_>, findings: &mut Findings) {
    let name = root.certificate.common_name();
    let found: String = match root.known {
        Some(Root::Amd(generation)) => format!("AMD's root of {generation}"),
        Some(Root::Simulated { name, .. }) => format!("the simulated root `{name}`"),
        None => format!("`{name}`, sha256:{}", hex::encode(root.spki_sha256)),
    };
    // What a root calls itself decides nothing: both codes refuse. It only tells people which of the two it is.
    let says_simulated = root.known.is_none() && name.to_ascii_lowercase().contains("simulated");
    let (subject, code) = if says_simulated {
        (Subject::Simulated, Code::SimulatedNotAccepted)
    } else {
        (Subject::Root, Code::RootNotTrusted)
    };
    findings.check(
        subject,
        code,
        root.known.is_some(),
        "a vendor's root, or one that the policy names",
        found,
    );
}
