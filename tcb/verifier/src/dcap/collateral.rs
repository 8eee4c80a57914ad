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
    age: Subject,
    too_old: Code,
}

const TCB_INFO: &Kind = &Kind {
    subject: Subject::TcbInfo,
    missing: Code::TcbInfoMissing,
    signature: Code::TcbInfoSignatureInvalid,
    expired: Code::TcbInfoExpired,
    not_yet_valid: Code::TcbInfoNotYetValid,
    age: Subject::TcbInfoAge,
    too_old: Code::TcbInfoTooOld,
};

const QE_IDENTITY: &Kind = &Kind {
    subject: Subject::QeIdentity,
    missing: Code::QeIdentityMissing,
    signature: Code::QeIdentitySignatureInvalid,
    expired: Code::QeIdentityExpired,
    not_yet_valid: Code::QeIdentityNotYetValid,
    age: Subject::QeIdentityAge,
    too_old: Code::QeIdentityTooOld,
};

/// How many signatures are verified at most to find out which documents are genuine. A genuine set needs two.
const BUDGET: usize = 64;

/// The certificates that may be of the TCB signing key, the best first, and what may be spent on trying them.
struct Signers<'a, 'b, 'c> {
    certificates: Vec<&'b Certificate<'a>>,
    crypto: &'c mut dyn SignatureVerifier,
    budget: usize,
}

/// A document, and the certificate of the key that signed it, if there is one.
struct Chosen<'a, 'b, T> {
    content: &'b T,
    signer: Option<&'b Certificate<'a>>,
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
    let mut signers = Signers::new(endorsements, now, crypto);
    let info = signers.choose(&endorsements.tcb_infos, |info| rank_info(info, quote, pck, now));
    let identity = signers.choose(&endorsements.identities, |identity| rank_identity(identity, quote, now));
    let best = signers.certificates.first().copied();

    let said = info.as_ref().map(|info| (info.signer, info.content.issue_date, info.content.next_update));
    check(TCB_INFO, said, best, verification, findings);
    let said =
        identity.as_ref().map(|found| (found.signer, found.content.issue_date, found.content.next_update));
    check(QE_IDENTITY, said, best, verification, findings);
    let used = [info.as_ref().map(|info| info.signer), identity.as_ref().map(|identity| identity.signer)];
    // Without the right one, any: it may be a damaged copy of it.
    let mut used = used.into_iter().flatten().filter_map(|signer| signer.or(best)).collect::<Vec<_>>();
    used.dedup_by_key(|signer| signer.der);
    for signer in used {
        let signed_by =
            chain::verify(signer, endorsements, &TCB_SIGNING_CHAIN, verification, crypto, findings);
        same_root(signed_by.as_ref(), root, findings);
    }
    let info = info.map(|info| info.content).filter(|info| is_about(info, quote, pck, findings));
    let identity = identity.map(|identity| identity.content).filter(|found| is_of(found, quote, findings));
    Collateral { info, identity }
}

/// How well TCB info goes with the platform: whether it is about it, then how nearly, whether it is current, and when
/// Intel judged.
fn rank_info(info: &TcbInfo, quote: &Quote, pck: &Pck<'_>, now: UnixTime) -> (bool, impl Ord + use<>) {
    let (tee, fmspc) = (info.tee == quote.body.tee(), info.fmspc == pck.extensions.fmspc);
    let current = (info.issue_date..info.next_update).contains(&now.0);
    let matches = tee && fmspc && info.pce_id == pck.extensions.pce_id;
    (matches, (tee, fmspc, current, info.evaluation_data_number, info.issue_date))
}

fn rank_identity(identity: &EnclaveIdentity, quote: &Quote, now: UnixTime) -> (bool, impl Ord + use<>) {
    let current = (identity.issue_date..identity.next_update).contains(&now.0);
    let matches = identity.id == quoting_enclave::id(quote);
    (matches, (current, identity.evaluation_data_number, identity.issue_date))
}

impl<'a, 'b, 'c> Signers<'a, 'b, 'c> {
    fn new(endorsements: &'b Endorsements<'a>, now: UnixTime, crypto: &'c mut dyn SignatureVerifier) -> Self {
        let is_signer = |certificate: &&Certificate<'_>| {
            let extensions = &certificate.extensions;
            let authority = extensions.basic_constraints().is_some_and(|constraints| constraints.ca);
            let signs = extensions.key_usage().is_some_and(|usage| usage.digital_signature);
            certificate.common_name().contains(TCB_SIGNING) && signs && !authority
        };
        let mut certificates = endorsements.certificates.iter().filter(is_signer).collect::<Vec<_>>();
        certificates.sort_by_key(|certificate| {
            let valid = (certificate.not_before..=certificate.not_after).contains(&now.0);
            core::cmp::Reverse((valid, certificate.not_after))
        });
        Self { certificates, crypto, budget: BUDGET }
    }

    /// Among documents that go equally with the platform, the best that is signed; otherwise the best.
    fn choose<T, R: Ord>(
        &mut self,
        documents: &'b [Signed<'a, T>],
        rank: impl Fn(&T) -> (bool, R),
    ) -> Option<Chosen<'a, 'b, T>> {
        let mut ranked = documents.iter().map(|found| (rank(&found.content), found)).collect::<Vec<_>>();
        ranked.sort_by(|(one, _), (other, _)| other.cmp(one));
        let ((matches, _), best) = ranked.first()?;
        for ((also, _), document) in &ranked {
            let signer = if also == matches { self.find(document) } else { None };
            if signer.is_some() {
                return Some(Chosen { content: &document.content, signer });
            }
        }
        Some(Chosen { content: &best.content, signer: None })
    }

    /// The certificate of the key that signed a document.
    fn find<T>(&mut self, document: &Signed<'_, T>) -> Option<&'b Certificate<'a>> {
        for certificate in &self.certificates {
            self.budget = self.budget.checked_sub(1)?;
            let signed = crypto::Signed {
                key: certificate.key,
                scheme: Scheme::Ecdsa(Hash::Sha256),
                message: document.signed,
                signature: &document.signature,
            };
            if self.crypto.verify_endorsement(&signed) {
                return Some(certificate);
            }
        }
        None
    }
}

/// Whether there is a document, it is current, and Intel signed it. For its time the same rule holds as for revocation
/// lists: an old one is as good as none.
fn check(
    kind: &Kind,
    said: Option<(Option<&Certificate<'_>>, u64, u64)>,
    best: Option<&Certificate<'_>>,
    verification: &Verification<'_>,
    findings: &mut Findings,
) {
    let accepted = verification.tcb_info == Asked::AbsentAccepted;
    let now = verification.now;
    let Some((signer, issued, next)) = said else {
        let found = if accepted { "none, which the policy accepts" } else { "none" };
        findings.check(kind.subject, kind.missing, accepted, "one that Intel signed", found);
        return;
    };
    let current = (issued..next).contains(&now.0);
    let code = if now.0 < issued { kind.not_yet_valid } else { kind.expired };
    let freshness = verification.freshness;
    let accepted_late = accepted || (issued..freshness.until(next)).contains(&now.0);
    let note = if accepted_late && !current { ", which the policy accepts" } else { "" };
    let expected = format_args!("current at {now}");
    let found = format_args!("from {} to {}{note}", UnixTime(issued), UnixTime(next));
    findings.check(kind.subject, code, current || accepted_late, expected, found);
    if let Some(end) = freshness.too_old(issued) {
        let days = freshness.maximum_age_days.unwrap_or_default();
        let (expected, found) = (format_args!("made in the last {days} days"), UnixTime(issued));
        findings.check(
            kind.age,
            kind.too_old,
            now.0 < end || accepted,
            expected,
            format_args!("made at {found}"),
        );
    }
    if best.is_none() {
        let expected = "the certificate of the TCB signing key";
        findings.refuse(kind.subject, Code::TcbSignerMissing, expected, "none");
        return;
    }
    let valid = signer.is_some();
    let found = if valid { "a good signature" } else { "a signature that does not verify" };
    let expected = "a signature by the TCB signing key";
    findings.check(kind.subject, kind.signature, valid, expected, found);
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
