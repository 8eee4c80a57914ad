// SPDX-License-Identifier: Apache-2.0

//! Revocation (57230, chapter 4; RFC 5280, section 6.3).
//!
//! AMD's root signs one list for each generation, which names revoked intermediates: ASKs and ASVKs. Keys of
//! single chips are in no list, their serial number is always 0, and an intermediate may not sign lists (its key
//! usage says so); a key whose firmware became unsafe is refused by the minimum TCB instead.

use alloc::vec::Vec;

use enarx_evidence::x509::{Certificate, RevocationList};

use super::chain::is_signed;
use super::endorsements::Endorsements;
use crate::crypto::SignatureVerifier;
use crate::policy::Crl;
use crate::refusal::{Findings, Subject};
use crate::{Code, UnixTime, Verification};

/// Checks an intermediate and its root against every list of the root. A certificate that any genuine list names
/// is revoked, even if the list is old; that nothing is revoked only a current list can say.
pub(super) fn check(
    root: &Certificate<'_>,
    intermediate: &Certificate<'_>,
    endorsements: &Endorsements<'_>,
    verification: &Verification<'_>,
    crypto: &mut dyn SignatureVerifier,
    findings: &mut Findings,
) {
    let now = verification.now;
    let name = root.common_name();
    let mut genuine = Vec::new();
    for list in endorsements.lists.iter().filter(|list| list.issuer == root.subject) {
        if check_list(list, root, crypto, findings) {
            genuine.push(list);
        }
    }
    if !genuine.is_empty() {
        check_serial(intermediate, &genuine, findings);
        check_serial(root, &genuine, findings);
    }
    let accepted = verification.crl == Crl::AbsentAccepted;
    let expected = format_args!("a revocation list of {name}, current at {now}");
    let Some(list) = genuine.into_iter().max_by_key(|list| (is_current(list, now), list.this_update)) else {
        let found = if accepted { "none, which the policy accepts" } else { "none" };
        findings.check(Subject::Revocation, Code::CrlMissing, accepted, expected, found);
        return;
    };
    let code = if now.0 < list.this_update { Code::CrlNotYetValid } else { Code::CrlExpired };
    let current = is_current(list, now);
    let note = if accepted && !current { ", which the policy accepts" } else { "" };
    let found = format_args!("from {} to {}{note}", UnixTime(list.this_update), UnixTime(list.next_update));
    findings.check(Subject::Revocation, code, current || accepted, expected, found);
}

fn is_current(list: &RevocationList<'_>, now: UnixTime) -> bool {
    (list.this_update..list.next_update).contains(&now.0)
}

/// Whether a list is one that the root signed and that can be understood. One that is not refuses: the host
/// has no reason to send it.
fn check_list(
    list: &RevocationList<'_>,
    root: &Certificate<'_>,
    crypto: &mut dyn SignatureVerifier,
    findings: &mut Findings,
) -> bool {
    let name = root.common_name();
    let may_sign = root.extensions.key_usage().is_some_and(|usage| usage.crl_sign);
    let critical = list.extensions.unknown_critical().or(list.critical_entry);
    if let Some(oid) = critical {
        let expected = format_args!("a revocation list of {name} with critical extensions that are known");
        findings.refuse(Subject::Revocation, Code::CrlUnsupported, expected, oid);
    } else if !may_sign {
        let expected = "a root that may sign revocation lists";
        findings.refuse(Subject::Revocation, Code::CrlUnsupported, expected, name);
    }
    let signed = is_signed(list.algorithm, list.tbs, list.signature, root, crypto);
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
