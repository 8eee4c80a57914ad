// SPDX-License-Identifier: Apache-2.0

//! Which certificate goes with a report.

use enarx_evidence::snp::cert::KeyExtensions;
use enarx_evidence::snp::{Report, SigningKey};
use enarx_evidence::x509::Certificate;

use super::binding;
use crate::endorsements::{Endorsements, malformed};
use crate::refusal::{Findings, Subject};
use crate::{Code, UnixTime};

/// The certificate of the key that signed a report.
pub(super) struct KeyCertificate<'a> {
    pub(super) certificate: Certificate<'a>,
    pub(super) extensions: KeyExtensions,
}

/// The certificate of the kind of key that signed the report. Among several (one chip can have one for each
/// TCB version, and valid and expired ones) it is the one that agrees best with the report, so that what is
/// refused then is what nothing else would have satisfied.
pub(super) fn certificate<'a>(
    endorsements: &Endorsements<'a>,
    report: &Report,
    now: UnixTime,
    findings: &mut Findings,
) -> Option<KeyCertificate<'a>> {
    let kind = report.key_info.signing_key;
    let mut best = None;
    for certificate in &endorsements.certificates {
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

/// A VCEK's certificate names a chip, a VLEK's a provider (57230, chapter 3).
fn kind_of(extensions: &KeyExtensions) -> Option<SigningKey> {
    match (&extensions.hwid, &extensions.csp_id) {
        (Some(_), None) => Some(SigningKey::Vcek),
        (None, Some(_)) => Some(SigningKey::Vlek),
        _ => None,
    }
}
