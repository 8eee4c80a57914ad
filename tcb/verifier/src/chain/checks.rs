// SPDX-License-Identifier: Apache-2.0

//! What holds for each certificate of a chain, whoever issued it.

use alloc::format;
use alloc::string::String;

use enarx_evidence::x509::{Certificate, SignatureAlgorithm};

use super::search::{Top, is_valid};
use crate::refusal::{Findings, Subject};
use crate::{Code, UnixTime};

pub(super) fn signature(certificate: &Certificate<'_>, signed: bool, findings: &mut Findings) {
    let expected =
        format_args!("{}, signed by {}", certificate.common_name(), certificate.issuer_common_name());
    let found = match (signed, certificate.algorithm) {
        (true, _) => "a good signature",
        (false, SignatureAlgorithm::Other) => "a signature by an algorithm that no vendor uses",
        (false, _) => "a signature that does not verify",
    };
    findings.check(Subject::Chain, Code::CertificateSignatureInvalid, signed, expected, found);
}

/// It is valid now, and nothing critical in it is overlooked.
pub(super) fn certificate(certificate: &Certificate<'_>, now: UnixTime, findings: &mut Findings) {
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

/// What holds for who issues certificates (RFC 5280, section 6.1.4, k to n), with so many authorities below it.
pub(super) fn authority(certificate: &Certificate<'_>, below: usize, findings: &mut Findings) {
    let constraints = certificate.extensions.basic_constraints();
    let ca = constraints.is_some_and(|constraints| constraints.ca);
    let cert_sign = certificate.extensions.key_usage().is_some_and(|usage| usage.cert_sign);
    let expected = format_args!("{}, an authority that signs certificates", certificate.common_name());
    let found = if ca && cert_sign { "it is" } else { "it is not" };
    findings.check(Subject::Authority, Code::IssuerNotAuthority, ca && cert_sign, expected, found);

    let limit = constraints.and_then(|constraints| constraints.path_len);
    if let Some(limit) = limit.filter(|limit| below > usize::from(*limit)) {
        let expected =
            format_args!("{}, with at most {limit} authorities below it", certificate.common_name());
        findings.refuse(Subject::Authority, Code::IssuerNotAuthority, expected, below);
    }
}

pub(super) fn root(certificate: &Certificate<'_>, top: &Top<'_>, findings: &mut Findings) {
    let name = certificate.common_name();
    let found: String = match (top.known, top.foreign) {
        (Some(root), _) => format!("{root}"),
        (None, Some(root)) => format!("{root}, which is for another kind of evidence"),
        (None, None) => format!("`{name}`, sha256:{}", hex::encode(top.spki_sha256)),
    };
    // What a root calls itself decides nothing: both codes refuse. It only tells people which of the two it is.
    let unknown = top.known.is_none() && top.foreign.is_none();
    let (subject, code) = if unknown && name.to_ascii_lowercase().contains("simulated") {
        (Subject::Simulated, Code::SimulatedNotAccepted)
    } else {
        (Subject::Root, Code::RootNotTrusted)
    };
    let expected = "a vendor's root, or one that the policy names";
    findings.check(subject, code, top.known.is_some(), expected, found);
}
