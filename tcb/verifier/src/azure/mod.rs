// SPDX-License-Identifier: Apache-2.0

//! Verification of Azure's confidential virtual machines: does genuine hardware vouch for this virtual TPM, and does
//! the TPM vouch for this session?
//!
//! In order: the evidence parses; the report of the hardware is genuine, as it would be on its own; it is bound to the
//! runtime data, which name the attestation key; it is the paravisor's report and not the guest's; where a certificate
//! of that key was sent, its chain is good; the key signed the quote; the quote is bound to this session; the values
//! of the registers are those of the quote.

mod binding;
mod snp;
mod tdx;

use enarx_evidence::azure::{AzureEvidence, HardwareReport, RuntimeData};

use crate::appraisal::Examined;
use crate::crypto::SignatureVerifier;
use crate::endorsements::{self, Endorsements};
use crate::refusal::{Findings, Subject};
use crate::{Code, Verification};

/// Verifies the evidence of a machine on SEV-SNP, and notes every check. `None` if it says nothing that could be
/// understood.
pub(crate) fn examine_snp(
    verification: &Verification<'_>,
    crypto: &mut dyn SignatureVerifier,
    findings: &mut Findings,
) -> Option<Examined> {
    let (evidence, runtime) = parse(&verification.bundle.evidence.bytes, findings)?;
    let HardwareReport::Snp(report) = &evidence.hcl_report.hardware else {
        let expected = "an HCL report with a report of SEV-SNP";
        findings.refuse(Subject::HclReport, Code::EvidenceMalformed, expected, "one of TDX");
        return None;
    };
    let opened = endorsements::open(&verification.bundle.endorsements, findings);
    let endorsements = Endorsements::read(&opened, findings);
    let hardware = snp::examine(
        report,
        &evidence.hcl_report.runtime_data,
        &endorsements,
        verification,
        crypto,
        findings,
    );
    let machine = binding::machine(&evidence.quote, runtime, &endorsements, verification, crypto, findings);
    Some(snp::claims(hardware?, machine))
}

/// The same of a machine on TDX.
pub(crate) fn examine_tdx(
    verification: &Verification<'_>,
    crypto: &mut dyn SignatureVerifier,
    findings: &mut Findings,
) -> Option<Examined> {
    let (evidence, runtime) = parse(&verification.bundle.evidence.bytes, findings)?;
    let AzureEvidence { hcl_report, quote, td_quote } = &evidence;
    let (HardwareReport::Tdx(report), Some(td_quote)) = (&hcl_report.hardware, td_quote) else {
        let expected = "an HCL report with a report of TDX";
        findings.refuse(Subject::HclReport, Code::EvidenceMalformed, expected, "one of SEV-SNP");
        return None;
    };
    let hardware = tdx::examine(report, td_quote, &hcl_report.runtime_data, verification, crypto, findings);
    // The quote's verification has read the endorsements, and noted what is wrong with them.
    let mut noted = Findings::default();
    let opened = endorsements::open(&verification.bundle.endorsements, &mut noted);
    let endorsements = Endorsements::read(&opened, &mut noted);
    let machine = binding::machine(quote, runtime, &endorsements, verification, crypto, findings);
    Some(tdx::claims(hardware?, machine))
}

/// The evidence, and the runtime data in it.
fn parse(bytes: &[u8], findings: &mut Findings) -> Option<(AzureEvidence, RuntimeData)> {
    let expected = "an HCL report with runtime data, and a TPM quote";
    let parsed = AzureEvidence::decode(bytes).and_then(|evidence| {
        RuntimeData::parse(&evidence.hcl_report.runtime_data).map(|data| (evidence, data))
    });
    match parsed {
        Ok(parsed) => {
            findings.check(Subject::HclReport, Code::EvidenceMalformed, true, expected, "they are there");
            Some(parsed)
        }
        Err(error) => {
            findings.refuse(Subject::HclReport, Code::EvidenceMalformed, expected, error);
            None
        }
    }
}
