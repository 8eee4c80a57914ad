// SPDX-License-Identifier: Apache-2.0

//! Revocation (RFC 5280, section 6.3): each authority of a chain says by a list which certificates it takes back.

use alloc::vec::Vec;

use enarx_evidence::x509::{Certificate, Extensions, RevocationList};

use super::{Proved, Revocable, Statement};
use crate::crypto::SignatureVerifier;
use crate::endorsements::Endorsements;
use crate::policy::Crl;
use crate::refusal::{Findings, Subject};
use crate::{Code, UnixTime, Verification};

/// Checks a chain, from leaf to root, against the lists of its authorities. A certificate that any genuine list
/// names is revoked, even if the list is old; that nothing is revoked only a current list can say.
pub(super) fn check<'a>(
    chain: &[&Certificate<'a>],
    endorsements: &Endorsements<'a>,
    revocable: Revocable,
    verification: &Verification<'_>,
    crypto: &mut dyn SignatureVerifier,
    findings: &mut Findings,
) {
    // The root first: whether a list further down counts depends on who signed it.
    let last = chain.len().saturating_sub(1);
    for (position, pair) in chain.windows(2).enumerate().rev() {
        let [subject, issuer] = pair else { continue };
        let listed = match revocable {
            Revocable::Everyone => true,
            // A list that nobody asked for is nevertheless believed if it revokes.
            Revocable::WhoeverNamesAList => {
                subject.extensions.iter().any(|found| found.oid == Extensions::CRL_DISTRIBUTION_POINTS)
                    || endorsements.lists.iter().any(|list| list.issuer == issuer.subject)
            }
            Revocable::Authorities => position > 0,
            Revocable::Nobody => false,
        };
        if listed {
            let is_root = position.saturating_add(1) == last;
            let subjects = [Some(*subject), is_root.then_some(*issuer)];
            check_issuer(issuer, &subjects, endorsements, verification, crypto, findings);
        }
    }
}

/// Checks certificates against every list of one authority.
fn check_issuer<'a>(
    issuer: &Certificate<'a>,
    subjects: &[Option<&Certificate<'a>>],
    endorsements: &Endorsements<'a>,
    verification: &Verification<'_>,
    crypto: &mut dyn SignatureVerifier,
    findings: &mut Findings,
) {
    let now = verification.now;
    let name = issuer.common_name();
    let mut genuine = Vec::new();
    for list in endorsements.lists.iter().filter(|list| list.issuer == issuer.subject) {
        if check_list(list, issuer, &endorsements.proved, crypto, findings) {
            genuine.push(list);
        }
    }
    if !genuine.is_empty() {
        for subject in subjects.iter().flatten() {
            check_serial(subject, &genuine, findings);
        }
    }
    let accepted = verification.crl == Crl::AbsentAccepted;
    let freshness = verification.freshness;
    let expected = format_args!("a revocation list of {name}, current at {now}");
    let Some(list) = genuine.into_iter().max_by_key(|list| (is_current(list, now), list.this_update)) else {
        let found = if accepted { "none, which the policy accepts" } else { "none" };
        findings.check(Subject::Revocation, Code::CrlMissing, accepted, expected, found);
        return;
    };
    let code = if now.0 < list.this_update { Code::CrlNotYetValid } else { Code::CrlExpired };
    let current = is_current(list, now);
    let accepted_late = accepted || (list.this_update..freshness.until(list.next_update)).contains(&now.0);
    let note = if accepted_late && !current { ", which the policy accepts" } else { "" };
    let found = format_args!("from {} to {}{note}", UnixTime(list.this_update), UnixTime(list.next_update));
    findings.check(Subject::Revocation, code, current || accepted_late, expected, found);
    if let Some(end) = freshness.too_old(list.this_update) {
        let young = now.0 < end || accepted;
        let days = freshness.maximum_age_days.unwrap_or_default();
        let expected = format_args!("a revocation list of {name} made in the last {days} days");
        let found = format_args!("made at {}", UnixTime(list.this_update));
        findings.check(Subject::CrlAge, Code::CrlTooOld, young, expected, found);
    }
}

fn is_current(list: &RevocationList<'_>, now: UnixTime) -> bool {
    (list.this_update..list.next_update).contains(&now.0)
}

/// Whether a list is one that the authority signed and that can be understood. One that is not refuses: the host
/// has no reason to send it.
fn check_list<'a>(
    list: &RevocationList<'a>,
    issuer: &Certificate<'a>,
    proved: &Proved<'a>,
    crypto: &mut dyn SignatureVerifier,
    findings: &mut Findings,
) -> bool {
    let name = issuer.common_name();
    let may_sign = issuer.extensions.key_usage().is_some_and(|usage| usage.crl_sign);
    let critical = list.extensions.unknown_critical().or(list.critical_entry);
    if let Some(oid) = critical {
        let expected = format_args!("a revocation list of {name} with critical extensions that are known");
        findings.refuse(Subject::Revocation, Code::CrlUnsupported, expected, oid);
    } else if !may_sign {
        let expected = "an authority that may sign revocation lists";
        findings.refuse(Subject::Revocation, Code::CrlUnsupported, expected, name);
    }
    let RevocationList { algorithm, tbs: message, signature, .. } = *list;
    let signed = proved.check(Statement { signature, message, algorithm, key: issuer.key }, crypto);
    let expected = format_args!("a revocation list signed by {name}");
    let found = if signed { "a good signature" } else { "a signature that does not verify" };
    findings.check(Subject::Revocation, Code::CrlSignatureInvalid, signed, expected, found);
    signed && may_sign && critical.is_none()
}

fn check_serial(certificate: &Certificate<'_>, lists: &[&RevocationList<'_>], findings: &mut Findings) {
    let serial = certificate.serial;
    let revoked = lists.iter().any(|list| list.revoked().any(|revoked| revoked == serial));
    let expected = format_args!("{}, not revoked", certificate.common_name());
    let digits = hex::encode(serial);
    let digits = digits.trim_start_matches('0');
    let found = if revoked { "revoked" } else { "in no list" };
    let found = format_args!("serial number 0x{digits}, {found}");
    findings.check(Subject::Revocation, Code::CertificateRevoked, !revoked, expected, found);
}
