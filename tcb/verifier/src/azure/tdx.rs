// SPDX-License-Identifier: Apache-2.0

//! The hardware's side on Intel TDX: the HCL report has a report that only the same processor can check, and a quote
//! made of one is beside it.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use enarx_evidence::azure::TdReport;
use enarx_evidence::dcap::{Body, TdReport as QuotedReport, TeeType};

use super::binding;
use crate::appraisal::Examined;
use crate::binding::Bound;
use crate::claims::AzureMachine;
use crate::crypto::SignatureVerifier;
use crate::refusal::{Findings, Subject};
use crate::{AzureTdxClaims, Claims, Code, DcapClaims, Root, Verification, dcap};

/// Verifies the quote as one of TDX that is bound to the runtime data, and that the report is of the same machine.
pub(super) fn examine(
    report: &TdReport,
    quote: &[u8],
    runtime_data: &[u8],
    verification: &Verification<'_>,
    crypto: &mut dyn SignatureVerifier,
    findings: &mut Findings,
) -> Option<(DcapClaims, Option<Root>)> {
    let report_data = binding::report_data(runtime_data);
    let bound =
        Bound { report_data: &report_data, subject: Subject::RuntimeData, code: Code::RuntimeDataMismatch };
    let examined = dcap::examine_quote(quote, TeeType::Tdx, bound, verification, crypto, findings)?;
    if let Body::Td(quoted) = &examined.0.quote.body {
        agrees(report, quoted, findings);
    }
    Some(examined)
}

/// The report says what the quote says, in every field that both have.
fn agrees(report: &TdReport, quoted: &QuotedReport, findings: &mut Findings) {
    let [rtmr0, rtmr1, rtmr2, rtmr3] = &report.rtmr;
    let [quoted0, quoted1, quoted2, quoted3] = &quoted.rtmr;
    let (attributes, xfam) = (quoted.td_attributes.0.to_le_bytes(), quoted.xfam.0.to_le_bytes());
    let fields: [(&str, &[u8], &[u8]); 14] = [
        ("TEE_TCB_SVN", &report.tee_tcb_svn, &quoted.tee_tcb_svn),
        ("MRSEAM", &report.mr_seam, &quoted.mr_seam),
        ("MRSIGNERSEAM", &report.mr_signer_seam, &quoted.mr_signer_seam),
        ("ATTRIBUTES", &report.attributes, &attributes),
        ("XFAM", &report.xfam, &xfam),
        ("MRTD", &report.mr_td, &quoted.mr_td),
        ("MRCONFIGID", &report.mr_config_id, &quoted.mr_config_id),
        ("MROWNER", &report.mr_owner, &quoted.mr_owner),
        ("MROWNERCONFIG", &report.mr_owner_config, &quoted.mr_owner_config),
        ("RTMR0", rtmr0, quoted0),
        ("RTMR1", rtmr1, quoted1),
        ("RTMR2", rtmr2, quoted2),
        ("RTMR3", rtmr3, quoted3),
        ("REPORTDATA", &report.report_data, &quoted.report_data),
    ];
    let differ = fields.iter().filter(|(_, report, quoted)| report != quoted).map(|(name, _, _)| *name);
    let differ = differ.collect::<Vec<_>>().join(", ");
    let same = differ.is_empty();
    let found = if same { String::from("they agree") } else { differ };
    let expected = "a TDREPORT that agrees with the TD quote";
    findings.check(Subject::TdReport, Code::TdReportMismatch, same, expected, found);
}

pub(super) fn claims((hardware, root): (DcapClaims, Option<Root>), machine: AzureMachine) -> Examined {
    let claims = AzureTdxClaims { hardware, machine };
    Examined { claims: Claims::AzureTdx(Box::new(claims)), root }
}
