// SPDX-License-Identifier: Apache-2.0

//! What a policy asks of SGX and TDX: what Intel thinks of the platform, and what the TD or enclave was created with.

use alloc::string::String;
use alloc::vec::Vec;

use enarx_evidence::dcap::{Body, SgxReport, TdReport, Xfam};

use super::switch;
use crate::policy::{Advisories, Intel, Policy, TcbInfo};
use crate::refusal::{Findings, Subject};
use crate::{Code, DcapClaims, DcapTcb};

pub(super) fn check(claims: &DcapClaims, policy: &Policy, findings: &mut Findings) {
    if let Some(judged) = &claims.tcb {
        tcb(judged, policy.intel(), findings);
    } else {
        let accepted = policy.tcb_info() == TcbInfo::AbsentAccepted;
        let found = if accepted { "unknown, which the policy accepts" } else { "unknown" };
        let expected = "one that the policy names";
        findings.check(Subject::TcbStatus, Code::TcbStatusNotAccepted, accepted, expected, found);
    }
    match &claims.quote.body {
        Body::Sgx(report) => enclave(report, policy, findings),
        Body::Td(report) => td(report, policy, findings),
    }
    // Certificates of the Processor CA do not say it.
    let smt = claims.pck.configuration.and_then(|configuration| configuration.smt_enabled).unwrap_or(true);
    switch(Subject::PlatformSmt, Code::SmtAllowed, policy.guest().smt, smt, findings);
}

fn tcb(tcb: &DcapTcb, intel: &Intel, findings: &mut Findings) {
    let names = intel.tcb_status.iter().map(|status| status.name()).collect::<Vec<_>>().join(" or ");
    let accepted = intel.tcb_status.contains(&tcb.status);
    findings.check(Subject::TcbStatus, Code::TcbStatusNotAccepted, accepted, names, tcb.status);

    let refused = tcb.advisories().into_iter().filter(|id| !intel.advisories_accepted.contains(*id));
    let refused = refused.collect::<Vec<_>>().join(", ");
    let (accepted, expected) = match intel.advisories {
        Advisories::Checked => (refused.is_empty(), "none that the policy does not name"),
        Advisories::NotChecked => (true, "any, as the policy says"),
    };
    let found = if refused.is_empty() { String::from("none") } else { refused };
    findings.check(Subject::Advisories, Code::AdvisoryNotAccepted, accepted, expected, found);

    let (wanted, number) = (intel.minimum_tcb_evaluation_data_number, tcb.evaluation_data_number());
    let expected = format_args!("at least number {wanted}");
    findings.check(Subject::Evaluation, Code::TcbEvaluationTooOld, number >= wanted, expected, number);

    let (wanted, date) = (intel.minimum_tcb_date, tcb.date());
    let expected = format_args!("{wanted} or later");
    findings.check(Subject::TcbDate, Code::TcbDateTooOld, date >= wanted, expected, date);
}

/// TDX ABI, `ATTRIBUTES` and `XFAM`; TDX Quoting, A.3.2 and A.3.3.
fn td(report: &TdReport, policy: &Policy, findings: &mut Findings) {
    let (attributes, guest, intel) = (report.td_attributes, policy.guest(), policy.intel());
    let found = format_args!("{:#x}", attributes.0);
    let known = attributes.unknown() & !0xff == 0;
    let expected = "attributes that are known";
    findings.check(Subject::TdAttributes, Code::AttributesUnknown, known, expected, found);
    extended_state(report.xfam, findings);

    let migratable = attributes.migratable();
    switch(Subject::TdDebug, Code::DebugAllowed, guest.debug, attributes.under_debug(), findings);
    switch(Subject::TdMigration, Code::MigrationAllowed, guest.migration, migratable, findings);
    let sept_ve = !attributes.sept_ve_disable();
    switch(Subject::SeptVe, Code::SeptVeEnabled, intel.sept_ve_enabled, sept_ve, findings);

    service_td(report, intel, findings);

    let accepted = intel.tdx_modules.is_empty() || intel.tdx_modules.contains(&report.mr_seam);
    let expected = if intel.tdx_modules.is_empty() { "any of Intel's" } else { "one that the policy names" };
    let found = hex::encode(report.mr_seam);
    findings.check(Subject::TdxModule, Code::TdxModuleNotAccepted, accepted, expected, found);
}

/// Who may manage the TD beside its host. A report of version 1.0 does not tell, and the host chooses the version; a TD
/// that cannot be migrated has no such manager.
fn service_td(report: &TdReport, intel: &Intel, findings: &mut Findings) {
    let service = report.extension.as_ref().map(|extension| extension.mr_service_td);
    let (accepted, found) = match service {
        None => (!report.td_attributes.migratable(), "not told by a report of version 1.0".into()),
        Some(service) if service == [0; 48] => (true, String::from("none")),
        Some(service) => (intel.service_tds.contains(&service), hex::encode(service)),
    };
    let expected = if intel.service_tds.is_empty() { "none" } else { "none, or one that the policy names" };
    findings.check(Subject::ServiceTd, Code::ServiceTdNotAccepted, accepted, expected, found);
}

/// SDM, volume 3D, sections 34.7.1 and 34.7.2.
fn enclave(report: &SgxReport, policy: &Policy, findings: &mut Findings) {
    let (attributes, misc) = (report.attributes, report.misc_select);
    let running = attributes.init() && attributes.mode_64_bit();
    let known = running && attributes.unknown() == 0 && misc.unknown() == 0;
    let expected = "an initialised enclave of 64 bits with attributes that are known";
    let found = format_args!("attributes {:#x}, options {:#x}", attributes.flags, misc.0);
    findings.check(Subject::EnclaveAttributes, Code::AttributesUnknown, known, expected, found);
    extended_state(attributes.xfrm, findings);
    let (accepted, present) = (policy.guest().debug, attributes.debug());
    switch(Subject::EnclaveDebug, Code::DebugAllowed, accepted, present, findings);
}

fn extended_state(states: Xfam, findings: &mut Findings) {
    let known = states.legacy() && states.unknown() == 0;
    let found = format_args!("{:#x}", states.0);
    let expected = "x87, SSE and others that are known";
    findings.check(Subject::ExtendedState, Code::ExtendedStateUnknown, known, expected, found);
}
