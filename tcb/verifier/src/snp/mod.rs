// SPDX-License-Identifier: Apache-2.0

//! Verification of AMD SEV-SNP evidence: is this report genuine, and what does it say?
//!
//! In order: the report parses; the endorsements parse; the certificate that goes with the report is among them;
//! a chain leads from it to a root that is known; nobody in it is revoked; product, chip and TCB version of
//! certificate and report agree; the certified key signed the report; the report is bound to this session.
//! A check that cannot be made because an earlier one failed is left out; every other one is made.

mod binding;
mod chain;
mod endorsements;
mod revocation;

use alloc::boxed::Box;

use enarx_evidence::snp::{Report, SigningKey};

use crate::appraisal::Examined;
use crate::crypto::SignatureVerifier;
use crate::refusal::{Findings, Subject};
use crate::{Claims, Code, SnpClaims, Verification};

/// Verifies a report and its endorsements, and notes every check. `None` if the report says nothing that could be
/// understood.
pub(crate) fn examine(
    verification: &Verification<'_>,
    crypto: &mut dyn SignatureVerifier,
    findings: &mut Findings,
) -> Option<Examined> {
    let bytes = &verification.bundle.evidence.bytes;
    let report = parse(bytes, findings)?;

    let opened = endorsements::open(&verification.bundle.endorsements, findings);
    let endorsements = endorsements::Endorsements::read(&opened, findings);
    let key = signing_key(&report, findings)
        .then(|| endorsements.key_certificate(&report, verification.now, findings))
        .flatten();
    let root = key
        .as_ref()
        .and_then(|key| chain::verify(&key.certificate, &endorsements, verification, crypto, findings));

    let generation = binding::generation(&report, key.as_ref(), root.as_ref(), findings);
    if let (Some(key), Some(generation)) = (&key, generation) {
        binding::tcb(&report, key, generation, findings);
        binding::chip_id(&report, key, generation, findings);
    }
    if let Some(key) = &key {
        binding::signature(&report, bytes, key, crypto, findings);
    }
    binding::report_data(&report, verification.report_data, findings);

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
    Some(Examined { claims: Claims::SevSnp(Box::new(claims)), root })
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
