// SPDX-License-Identifier: Apache-2.0

//! The hardware's side on AMD SEV-SNP.

use alloc::boxed::Box;

use enarx_evidence::snp::Report;

use super::binding;
use crate::appraisal::Examined;
use crate::binding::Bound;
use crate::claims::AzureMachine;
use crate::crypto::SignatureVerifier;
use crate::endorsements::Endorsements;
use crate::refusal::{Findings, Subject};
use crate::{AzureSnpClaims, Claims, Code, Root, SnpClaims, Verification, snp};

/// The level of the paravisor. Code of other levels, which is the guest's, can have reports made about any runtime
/// data it makes up.
const PARAVISOR: u32 = 0;

/// Verifies the report as one of SEV-SNP that is bound to the runtime data.
pub(super) fn examine(
    report: &Report,
    runtime_data: &[u8],
    endorsements: &Endorsements<'_>,
    verification: &Verification<'_>,
    crypto: &mut dyn SignatureVerifier,
    findings: &mut Findings,
) -> Option<(SnpClaims, Option<Root>)> {
    let report_data = binding::report_data(runtime_data);
    let bound =
        Bound { report_data: &report_data, subject: Subject::RuntimeData, code: Code::RuntimeDataMismatch };
    let vmpl = report.vmpl;
    let examined = snp::examine_report(&report.encode(), bound, endorsements, verification, crypto, findings);
    let expected = "0, that of the paravisor";
    findings.check(Subject::Paravisor, Code::VmplNotAccepted, vmpl == PARAVISOR, expected, vmpl);
    examined
}

pub(super) fn claims((hardware, root): (SnpClaims, Option<Root>), machine: AzureMachine) -> Examined {
    let claims = AzureSnpClaims { hardware, machine };
    Examined { claims: Claims::AzureSnp(Box::new(claims)), root }
}
