// SPDX-License-Identifier: Apache-2.0

//! Verification of AMD SEV-SNP evidence: is this report genuine, and what does it say?
//!
//! In order: the report parses; the endorsements parse; the certificate that goes with the report is among them;
//! a chain leads from it to a root that is known; nobody in it is revoked; product, chip and TCB version of
//! certificate and report agree; the certified key signed the report; the report is bound to this session.
//! A check that cannot be made because an earlier one failed is left out; every other one is made.

mod binding;
mod key;

use alloc::boxed::Box;

use enarx_evidence::snp::{Report, SigningKey};

use crate::appraisal::Examined;
use crate::binding::Bound;
use crate::chain::{self, Profile, Revocable};
use crate::crypto::SignatureVerifier;
use crate::endorsements::{self, Endorsements};
use crate::refusal::{Findings, Subject};
use crate::{Claims, Code, Root, SnpClaims, Verification};

/// The chains of AMD: VCEK, ASK, ARK, or VLEK, ASVK, ARK (57230, chapter 2).
///
/// The root signs one list for each generation, which names revoked intermediates: ASKs and ASVKs. Keys of single
/// chips are in no list, their serial number is always 0, and an intermediate may not sign lists (its key usage
/// says so); a key whose firmware became unsafe is refused by the minimum TCB instead.
const CHAIN: Profile = Profile {
    max_intermediates: 1,
    revocable: Revocable::Authorities,
    root: |root| matches!(root, Root::Amd(_)),
};

/// Verifies a report and its endorsements, and notes every check. `None` if the report says nothing that could be
/// understood.
pub(crate) fn examine(
    verification: &Verification<'_>,
    crypto: &mut dyn SignatureVerifier,
    findings: &mut Findings,
) -> Option<Examined> {
    let bytes = &verification.bundle.evidence.bytes;
    let opened = endorsements::open(&verification.bundle.endorsements, findings);
    let endorsements = Endorsements::read(&opened, findings);
    let (claims, root) = examine_report(
        bytes,
        Bound::session(verification.report_data),
        &endorsements,
        verification,
        crypto,
        findings,
    )?;
    Some(Examined { claims: Claims::SevSnp(Box::new(claims)), root })
}

/// Verifies a report that is bound to something, wherever it came from. Without a root nothing is proved.
pub(crate) fn examine_report(
    bytes: &[u8],
    bound: Bound<'_>,
    endorsements: &Endorsements<'_>,
    verification: &Verification<'_>,
    crypto: &mut dyn SignatureVerifier,
    findings: &mut Findings,
) -> Option<(SnpClaims, Option<Root>)> {
    let report = parse(bytes, findings)?;
    let key = signing_key(&report, findings)
        .then(|| key::certificate(endorsements, &report, verification.now, findings))
        .flatten();
    let root = key.as_ref().and_then(|key| {
        chain::verify(&key.certificate, endorsements, &CHAIN, verification, crypto, findings)
    });

    let generation = binding::generation(&report, key.as_ref(), root.as_ref(), findings);
    if let (Some(key), Some(generation)) = (&key, generation) {
        binding::tcb(&report, key, generation, findings);
        binding::chip_id(&report, key, generation, findings);
    }
    if let Some(key) = &key {
        binding::signature(&report, bytes, key, crypto, findings);
    }
    binding::report_data(&report, bound, findings);

    let generation = generation?;
    let [current_tcb, committed_tcb, launch_tcb, reported_tcb] =
        binding::tcb_versions(&report, generation, findings)?;
    let claims = SnpClaims {
        generation,
        product: binding::product(&report),
        current_tcb,
        committed_tcb,
        launch_tcb,
        reported_tcb,
        csp_id: key.and_then(|key| key.extensions.csp_id),
        report,
    };
    Some((claims, root))
}

fn parse(bytes: &[u8], findings: &mut Findings) -> Option<Report> {
    let expected = "an SNP attestation report of version 2 to 5";
    match Report::parse(bytes) {
        Ok(report) => {
            let found = format_args!("version {}", report.version.number());
            findings.check(Subject::Evidence, Code::EvidenceMalformed, true, expected, found);
            Some(report)
        }
        Err(error) => {
            findings.refuse(Subject::Evidence, Code::EvidenceMalformed, expected, error);
            None
        }
    }
}

fn signing_key(report: &Report, findings: &mut Findings) -> bool {
    let key = report.key_info.signing_key;
    let signed = key != SigningKey::None;
    findings.check(Subject::SigningKey, Code::SigningKeyNone, signed, "vcek or vlek", key);
    signed
}
