// SPDX-License-Identifier: Apache-2.0

//! What Intel says about platforms and quoting enclaves: whether Intel said it, when, and whether it is about this
//! platform.

use alloc::vec::Vec;

use enarx_evidence::dcap::{EnclaveIdentity, Quote, Signed, TcbInfo};
use enarx_evidence::x509::Certificate;

use super::certification::Pck;
use super::quoting_enclave;
use crate::chain::{self, Profile, Revocable};
use crate::crypto::{self, Hash, Scheme, SignatureVerifier};
use crate::endorsements::Endorsements;
use crate::policy::TcbInfo as Asked;
use crate::refusal::{Findings, Subject};
use crate::{Code, Root, UnixTime, Verification};

/// The chain of the key that signs collateral: TCB signing, root (PCS, appendix B).
const TCB_SIGNING_CHAIN: Profile = Profile {
    max_intermediates: 0,
    revocable: Revocable::Everyone,
    root: |root| matches!(root, Root::Intel),
};

/// What the subject of a certificate of that key is called.
const TCB_SIGNING: &str = "SGX TCB Signing";

/// The documents that are about this platform. Whether to believe them is noted in the findings.
pub(super) struct Collateral<'b> {
    pub(super) info: Option<&'b TcbInfo>,
    pub(super) identity: Option<&'b EnclaveIdentity>,
}

/// One of the two kinds of documents, as findings see it.
struct Kind {
    subject: Subject,
    missing: Code,
    signature: Code,
    expired: Code,
    not_yet_valid: Code,
}

const TCB_INFO: &Kind = &Kind {
    subject: Subject::TcbInfo,
    missing: Code::TcbInfoMissing,
    signature: Code::TcbInfoSignatureInvalid,
    expired: Code::TcbInfoExpired,
    not_yet_valid: Code::TcbInfoNotYetValid,
};

const QE_IDENTITY: &Kind = &Kind {
    subject: Subject::QeIdentity,
    missing: Code::QeIdentityMissing,
    signature: Code::QeIdentitySignatureInvalid,
    expired: Code::QeIdentityExpired,
    not_yet_valid: Code::QeIdentityNotYetValid,
};

/// A signed document as far as both kinds are alike.
struct Document<'b> {
    kind: &'static Kind,
    signed: &'b [u8],
    signature: &'b [u8; 64],
    issued: u64,
    next: u64,
}

/// Chooses the documents that are about this platform, verifies them and notes every check.
pub(super) fn verify<'b>(
    quote: &Quote,
    pck: &Pck<'_>,
    root: Option<&Root>,
    endorsements: &'b Endorsements<'_>,
    verification: &Verification<'_>,
    crypto: &mut dyn SignatureVerifier,
    findings: &mut Findings,
) -> Collateral<'b> {
    let now = verification.now;
    let info = choose_info(quote, pck, endorsements, now);
    let identity = choose_identity(quote, endorsements, now);
    let documents = [
        (
            TCB_INFO,
            info.map(|found| document(TCB_INFO, found, found.content.issue_date, found.content.next_update)),
        ),
        (
            QE_IDENTITY,
            identity.map(|found| {
                document(QE_IDENTITY, found, found.content.issue_date, found.content.next_update)
            }),
        ),
    ];
    let signers = signers(endorsements, now);
    let mut used = Vec::<&Certificate<'_>>::new();
    for (kind, document) in &documents {
        match document {
            Some(document) => {
                check_dates(document, verification, findings);
                used.extend(check_signature(document, &signers, crypto, findings));
            }
            None => missing(kind, verification, findings),
        }
    }
    used.dedup_by_key(|signer| signer.der);
    for signer in used {
        let signed_by =
            chain::verify(signer, endorsements, &TCB_SIGNING_CHAIN, verification, crypto, findings);
        same_root(signed_by.as_ref(), root, findings);
    }
    let info = info.filter(|info| is_about(&info.content, quote, pck, findings));
    let identity = identity.filter(|identity| is_of(&identity.content, quote, findings));
    Collateral { info: info.map(|info| &info.content), identity: identity.map(|identity| &identity.content) }
}

fn document<'b, T>(kind: &'static Kind, found: &'b Signed<'_, T>, issued: u64, next: u64) -> Document<'b> {
    Document { kind, signed: found.signed, signature: &found.signature, issued, next }
}

/// Among several, the one that agrees best with the platform; then a current one, and the one by which Intel judged
/// last.
fn choose_info<'a, 'b>(
    quote: &Quote,
    pck: &Pck<'_>,
    endorsements: &'b Endorsements<'a>,
    now: UnixTime,
) -> Option<&'b Signed<'a, TcbInfo>> {
    endorsements.tcb_infos.iter().max_by_key(|info| {
        let info = &info.content;
        let tee = info.tee == quote.body.tee();
        let (fmspc, pce_id) = (info.fmspc == pck.extensions.fmspc, info.pce_id == pck.extensions.pce_id);
        let current = (info.issue_date..info.next_update).contains(&now.0);
        (tee && fmspc && pce_id, tee, fmspc, current, info.evaluation_data_number, info.issue_date)
    })
}

fn choose_identity<'a, 'b>(
    quote: &Quote,
    endorsements: &'b Endorsements<'a>,
    now: UnixTime,
) -> Option<&'b Signed<'a, EnclaveIdentity>> {
    let id = quoting_enclave::id(quote);
    endorsements.identities.iter().max_by_key(|identity| {
        let identity = &identity.content;
        let current = (identity.issue_date..identity.next_update).contains(&now.0);
        (identity.id == id, current, identity.evaluation_data_number, identity.issue_date)
    })
}

/// The certificates that may be of the TCB signing key, the best first.
fn signers<'a, 'b>(endorsements: &'b Endorsements<'a>, now: UnixTime) -> Vec<&'b Certificate<'a>> {
    let is_signer = |certificate: &&Certificate<'_>| {
        let extensions = &certificate.extensions;
        let authority = extensions.basic_constraints().is_some_and(|constraints| constraints.ca);
        let signs = extensions.key_usage().is_some_and(|usage| usage.digital_signature);
        certificate.common_name().contains(TCB_SIGNING) && signs && !authority
    };
    let mut signers = endorsements.certificates.iter().filter(is_signer).collect::<Vec<_>>();
    signers.sort_by_key(|certificate| {
        let valid = (certificate.not_before..=certificate.not_after).contains(&now.0);
        core::cmp::Reverse((valid, certificate.not_after))
    });
    signers
}

/// Whether the document is what Intel signed; the certificate to go on with, which need not be the right one.
fn check_signature<'a, 'b>(
    document: &Document<'_>,
    signers: &[&'b Certificate<'a>],
    crypto: &mut dyn SignatureVerifier,
    findings: &mut Findings,
) -> Option<&'b Certificate<'a>> {
    let mut is_signed_by = |signer: &&&Certificate<'_>| {
        crypto.verify_endorsement(&crypto::Signed {
            key: signer.key,
            scheme: Scheme::Ecdsa(Hash::Sha256),
            message: document.signed,
            signature: document.signature,
        })
    };
    let signer = signers.iter().find(|signer| is_signed_by(signer));
    if signers.is_empty() {
        let expected = "the certificate of the TCB signing key";
        findings.refuse(document.kind.subject, Code::TcbSignerMissing, expected, "none");
        return None;
    }
    let valid = signer.is_some();
    let found = if valid { "a good signature" } else { "a signature that does not verify" };
    let expected = "a signature by the TCB signing key";
    findings.check(document.kind.subject, document.kind.signature, valid, expected, found);
    signer.or(signers.first()).copied()
}

/// The same rule as for revocation lists: an old document is as good as none.
fn check_dates(document: &Document<'_>, verification: &Verification<'_>, findings: &mut Findings) {
    let now = verification.now;
    let Document { kind, issued, next, .. } = document;
    let current = (*issued..*next).contains(&now.0);
    let accepted = verification.tcb_info == Asked::AbsentAccepted;
    let code = if now.0 < *issued { kind.not_yet_valid } else { kind.expired };
    let note = if accepted && !current { ", which the policy accepts" } else { "" };
    let expected = format_args!("current at {now}");
    let found = format_args!("from {} to {}{note}", UnixTime(*issued), UnixTime(*next));
    findings.check(kind.subject, code, current || accepted, expected, found);
}

fn missing(kind: &Kind, verification: &Verification<'_>, findings: &mut Findings) {
    let accepted = verification.tcb_info == Asked::AbsentAccepted;
    let found = if accepted { "none, which the policy accepts" } else { "none" };
    findings.check(kind.subject, kind.missing, accepted, "one that Intel signed", found);
}

/// The platform and what is said about it have one maker: a simulated one says nothing about Intel's platforms.
fn same_root(signer: Option<&Root>, platform: Option<&Root>, findings: &mut Findings) {
    if let (Some(signer), Some(platform)) = (signer, platform) {
        let expected = format_args!("{platform}, which certified the platform");
        findings.check(Subject::TcbSigner, Code::TcbSignerMismatch, signer == platform, expected, signer);
    }
}

/// Whether TCB info is about this platform.
fn is_about(info: &TcbInfo, quote: &Quote, pck: &Pck<'_>, findings: &mut Findings) -> bool {
    let (tee, extensions) = (quote.body.tee(), &pck.extensions);
    let same_tee = info.tee == tee;
    findings.check(Subject::TcbInfo, Code::TcbInfoMismatch, same_tee, format_args!("about {tee}"), info.tee);
    let same_family = info.fmspc == extensions.fmspc;
    let (expected, found) = (hex::encode(extensions.fmspc), hex::encode(info.fmspc));
    findings.check(Subject::Fmspc, Code::FmspcMismatch, same_family, expected, found);
    let same_pce = info.pce_id == extensions.pce_id;
    let (expected, found) = (hex::encode(extensions.pce_id), hex::encode(info.pce_id));
    findings.check(Subject::PceId, Code::PceIdMismatch, same_pce, expected, found);
    same_tee && same_family && same_pce
}

/// Whether an identity is of the enclave that makes such quotes.
fn is_of(identity: &EnclaveIdentity, quote: &Quote, findings: &mut Findings) -> bool {
    let (expected, found) = (quoting_enclave::id(quote), identity.id);
    let same = expected == found;
    findings.check(Subject::QeIdentity, Code::QeIdentityMismatch, same, expected, found);
    same
}
