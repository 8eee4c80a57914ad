// SPDX-License-Identifier: Apache-2.0

//! Sorting what the host sent: certificates and lists, DER or PEM, in any order, some of them twice, some for
//! other machines.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use enarx_evidence::snp::cert::KeyExtensions;
use enarx_evidence::snp::{Report, SigningKey};
use enarx_evidence::x509::{Certificate, Document, RevocationList, documents};
use enarx_evidence::{Bundle, Endorsements as Items};

use super::binding;
use crate::refusal::{Findings, Subject};
use crate::{Code, UnixTime};

/// Limit of all certificates and lists together: it bounds the number of signatures that are verified.
const MAX_DOCUMENTS: usize = Bundle::MAX_ENDORSEMENTS;

/// Everything readable that the host sent.
pub(super) struct Endorsements<'a> {
    pub(super) certificates: Vec<Certificate<'a>>,
    pub(super) lists: Vec<RevocationList<'a>>,
}

/// The certificate of the key that signed a report.
pub(super) struct KeyCertificate<'a> {
    pub(super) certificate: Certificate<'a>,
    pub(super) extensions: KeyExtensions,
}

/// The documents in DER, each once.
pub(super) fn open<'a>(items: &'a Items, findings: &mut Findings) -> Vec<Cow<'a, [u8]>> {
    let mut opened = Vec::new();
    for item in &items.items {
        let room = MAX_DOCUMENTS.saturating_sub(opened.len());
        if room == 0 || item.len() > Bundle::MAX_ENDORSEMENT {
            let expected = format_args!(
                "at most {MAX_DOCUMENTS} documents of at most {} bytes",
                Bundle::MAX_ENDORSEMENT
            );
            findings.refuse(Subject::Endorsements, Code::EndorsementsTooMany, expected, "more");
            break;
        }
        match documents(item, room) {
            Ok(documents) => opened.extend(documents),
            Err(error) => malformed(error, findings),
        }
    }
    opened.sort_unstable();
    opened.dedup();
    opened
}

impl<'a> Endorsements<'a> {
    /// Reads each document.
    pub(super) fn read(opened: &'a [Cow<'_, [u8]>], findings: &mut Findings) -> Self {
        let mut endorsements = Self { certificates: Vec::new(), lists: Vec::new() };
        for der in opened {
            match Document::parse(der) {
                Ok(Document::Certificate(certificate)) => endorsements.certificates.push(certificate),
                Ok(Document::RevocationList(list)) => endorsements.lists.push(list),
                Err(error) => malformed(error, findings),
            }
        }
        endorsements
    }

    /// The certificate of the kind of key that signed the report. Among several (one chip can have one for each
    /// TCB version, and valid and expired ones) it is the one that agrees best with the report, so that what is
    /// refused then is what nothing else would have satisfied.
    pub(super) fn key_certificate(
        &self,
        report: &Report,
        now: UnixTime,
        findings: &mut Findings,
    ) -> Option<KeyCertificate<'a>> {
        let kind = report.key_info.signing_key;
        let mut best = None;
        for certificate in &self.certificates {
            let extensions = certificate.extensions.iter().map(|found| (found.oid, found.value));
            let extensions = match KeyExtensions::parse(extensions) {
                Ok(Some(extensions)) => extensions,
                Ok(None) => continue,
                Err(error) => {
                    malformed(error, findings);
                    continue;
                }
            };
            if kind_of(&extensions) != Some(kind) {
                continue;
            }
            let rank = (
                binding::agrees(report, &extensions),
                (certificate.not_before..=certificate.not_after).contains(&now.0),
                certificate.not_after,
            );
            if best.as_ref().is_none_or(|(highest, _)| rank > *highest) {
                best = Some((rank, KeyCertificate { certificate: *certificate, extensions }));
            }
        }
        let found = best.map(|(_, key)| key);
        let name = found.as_ref().map_or("none", |key| key.certificate.common_name());
        let expected = format_args!("a certificate of a {kind}");
        findings.check(Subject::KeyCertificate, Code::KeyCertificateMissing, found.is_some(), expected, name);
        found
    }
}

/// A VCEK's certificate names a chip, a VLEK's a provider (57230, chapter 3).
fn kind_of(extensions: &KeyExtensions) -> Option<SigningKey> {
    match (&extensions.hwid, &extensions.csp_id) {
        (Some(_), None) => Some(SigningKey::Vcek),
        (None, Some(_)) => Some(SigningKey::Vlek),
        _ => None,
    }
}

fn malformed(error: impl core::fmt::Display, findings: &mut Findings) {
    let expected = "certificates and revocation lists";
    findings.refuse(Subject::Endorsements, Code::EndorsementMalformed, expected, error);
}
