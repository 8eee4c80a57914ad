// SPDX-License-Identifier: Apache-2.0

//! What a policy asks of SGX and TDX: what Intel thinks of the platform, and what the TD or enclave was created with.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use enarx_evidence::dcap::{Body, SgxReport, TcbStatus, TdReport, Xfam};

use super::Property;
use crate::dcap::merge;
use crate::policy::{Advisories, ExtendedState, Intel, Policy, TcbInfo, TdAttribute, Vocabulary};
use crate::refusal::{Findings, Subject};
use crate::{Code, DcapClaims, DcapTcb, UnixTime};

pub(super) fn check(claims: &DcapClaims, policy: &Policy, now: UnixTime, findings: &mut Findings) {
    if let Some(judged) = &claims.tcb {
        tcb(judged, policy, now, findings);
    } else {
        let accepted = policy.tcb_info() == TcbInfo::AbsentAccepted;
        let found = if accepted { "unknown, which the policy accepts" } else { "unknown" };
        let expected = "one that the policy names";
        let (entry, code) = (policy.entry("intel.tcb_status"), Code::TcbStatusNotAccepted);
        findings.check_by(entry, Subject::TcbStatus, code, accepted, expected, found);
    }
    versions(claims, policy, findings);
    match &claims.quote.body {
        Body::Sgx(report) => enclave(report, policy, findings),
        Body::Td(report) => td(report, policy, findings),
    }
    // Certificates of the Processor CA do not say it.
    let smt = claims.pck.configuration.and_then(|configuration| configuration.smt_enabled).unwrap_or(true);
    let (subject, code) = (Subject::PlatformSmt, Code::SmtAllowed);
    Property::of(policy, "guest.smt", policy.guest().smt, subject, code).check(smt, findings);
}

fn tcb(tcb: &DcapTcb, policy: &Policy, now: UnixTime, findings: &mut Findings) {
    let intel = policy.intel();
    let graced = Graced::of(tcb, intel, now);
    let names = intel.tcb_status.iter().map(|status| status.name()).collect::<Vec<_>>().join(" or ");
    let accepted = intel.tcb_status.contains(&graced.status);
    let until = graced.until.map_or(String::new(), |until| {
        format!(", which the policy accepts until {until} as if it were {}", graced.status)
    });
    let found = format_args!("{}{until}", tcb.status);
    let (entry, code) = (policy.entry("intel.tcb_status"), Code::TcbStatusNotAccepted);
    findings.check_by(entry, Subject::TcbStatus, code, accepted, names, found);
    advisories(tcb, &graced, policy, findings);

    let (wanted, number) = (intel.minimum_tcb_evaluation_data_number, tcb.evaluation_data_number());
    let expected = format_args!("at least number {wanted}");
    let entry = policy.entry("intel.minimum_tcb_evaluation_data_number");
    let code = Code::TcbEvaluationTooOld;
    findings.check_by(entry, Subject::Evaluation, code, number >= wanted, expected, number);

    let (wanted, date) = (intel.minimum_tcb_date, tcb.date());
    let expected = format_args!("{wanted} or later");
    let entry = policy.entry("intel.minimum_tcb_date");
    findings.check_by(entry, Subject::TcbDate, Code::TcbDateTooOld, date >= wanted, expected, date);
}

/// What the platform is vulnerable to: nothing that the policy refuses, and nothing that it does not name. What a part
/// is vulnerable to because it has been out of date for a short time counts as little as that it is.
fn advisories(tcb: &DcapTcb, graced: &Graced<'_>, policy: &Policy, findings: &mut Findings) {
    let intel = policy.intel();
    let counts = |id: &&str| match intel.advisories {
        _ if intel.advisories_refused.contains(*id) => true,
        Advisories::Checked => !intel.advisories_accepted.contains(*id) && !graced.advisories.contains(id),
        Advisories::NotChecked => false,
    };
    let all = tcb.advisories();
    let refused = all.iter().copied().filter(counts).collect::<Vec<_>>();
    let by_name = refused.iter().any(|id| intel.advisories_refused.contains(*id));
    let expected = match (intel.advisories, intel.advisories_refused.is_empty()) {
        (Advisories::Checked, _) => "none that the policy does not name",
        (Advisories::NotChecked, true) => "any, as the policy says",
        (Advisories::NotChecked, false) => "any but those that the policy refuses",
    };
    let told = match intel.advisories {
        Advisories::NotChecked if refused.is_empty() => {
            all.iter().copied().filter(|id| !intel.advisories_accepted.contains(*id)).collect()
        }
        _ => refused.clone(),
    };
    let found = if told.is_empty() { String::from("none") } else { told.join(", ") };
    let path = if by_name { "intel.advisories_refused" } else { "intel.advisories" };
    let (entry, code) = (policy.entry(path), Code::AdvisoryNotAccepted);
    findings.check_by(entry, Subject::Advisories, code, refused.is_empty(), expected, found);
}

/// What counts of a judgement if parts that have been out of date for a short time count as up to date.
struct Graced<'t> {
    status: TcbStatus,
    /// What those parts are vulnerable to, and no other.
    advisories: BTreeSet<&'t str>,
    /// Until when it counts, if anything was out of date.
    until: Option<UnixTime>,
}

impl<'t> Graced<'t> {
    fn of(tcb: &'t DcapTcb, intel: &Intel, now: UnixTime) -> Self {
        const DAY: u64 = 24 * 60 * 60;
        use TcbStatus::{ConfigurationNeeded, OutOfDate, OutOfDateConfigurationNeeded, UpToDate};
        let as_it_is = Self { status: tcb.status, advisories: BTreeSet::new(), until: None };
        if !matches!(tcb.status, OutOfDate | OutOfDateConfigurationNeeded) {
            return as_it_is;
        }
        let grace = u64::from(intel.out_of_date_accepted_for_days).saturating_mul(DAY);
        let (mut status, mut until) = (UpToDate, None);
        let (mut old, mut others) = (BTreeSet::new(), BTreeSet::new());
        for part in tcb.parts() {
            let advisories = part.advisories.iter().map(String::as_str);
            let counted = match part.status {
                OutOfDate | OutOfDateConfigurationNeeded => {
                    let end = part.behind_since.map(|since| UnixTime(since.0.saturating_add(grace)));
                    let Some(end) = end.filter(|end| now < *end) else { return as_it_is };
                    until = until.map_or(Some(end), |until: UnixTime| Some(until.min(end)));
                    old.extend(advisories);
                    if part.status == OutOfDate { UpToDate } else { ConfigurationNeeded }
                }
                status => {
                    others.extend(advisories);
                    status
                }
            };
            status = merge(status, counted);
        }
        old.retain(|id| !others.contains(id));
        Self { status, advisories: old, until }
    }
}

/// The least versions of what vouches for the platform. They are checked where the policy asks for them.
fn versions(claims: &DcapClaims, policy: &Policy, findings: &mut Findings) {
    let intel = policy.intel();
    let versions = [
        (
            "intel.minimum_pce_svn",
            Subject::PceVersion,
            Code::PceTooOld,
            intel.minimum_pce_svn,
            claims.pck.tcb.pce_svn,
        ),
        (
            "intel.minimum_qe_svn",
            Subject::QeLeast,
            Code::QeTooOld,
            intel.minimum_qe_svn,
            claims.quote.signature.qe.report.isv_svn,
        ),
    ];
    for (path, subject, code, wanted, found) in
        versions.into_iter().filter(|(_, _, _, wanted, _)| *wanted > 0)
    {
        let expected = format_args!("at least {wanted}");
        findings.check_by(policy.entry(path), subject, code, found >= wanted, expected, found);
    }
}

/// TDX ABI, `ATTRIBUTES` and `XFAM`; TDX Quoting, A.3.2 and A.3.3.
fn td(report: &TdReport, policy: &Policy, findings: &mut Findings) {
    let (attributes, guest, intel) = (report.td_attributes, policy.guest(), policy.intel());
    let found = format_args!("{:#x}", attributes.0);
    let known = attributes.unknown() & !0xff == 0;
    let expected = "attributes that are known";
    findings.check(Subject::TdAttributes, Code::AttributesUnknown, known, expected, found);
    let optional = TdAttribute::ALL.iter().copied().filter(|attribute| attribute.is_in(attributes));
    let refused = optional.filter(|attribute| !intel.td_attributes.contains(attribute)).collect::<Vec<_>>();
    if intel.td_attributes.len() < TdAttribute::ALL.len() {
        let (entry, code) = (policy.entry("intel.td_attributes"), Code::AttributeNotAccepted);
        let expected = "none that the policy does not name";
        findings.check_by(entry, Subject::TdFeatures, code, refused.is_empty(), expected, list(&refused));
    }
    extended_state(report.xfam, policy, findings);

    let sept_ve = !attributes.sept_ve_disable();
    let properties = [
        ("guest.debug", guest.debug, Subject::TdDebug, Code::DebugAllowed, attributes.under_debug()),
        (
            "guest.migration",
            guest.migration,
            Subject::TdMigration,
            Code::MigrationAllowed,
            attributes.migratable(),
        ),
        ("intel.sept_ve_enabled", intel.sept_ve_enabled, Subject::SeptVe, Code::SeptVeEnabled, sept_ve),
    ];
    for (path, switch, subject, code, present) in properties {
        Property::of(policy, path, switch, subject, code).check(present, findings);
    }
    service_td(report, policy, findings);
    module(report, policy, findings);
}

/// The TDX module: which it is, how old, and who signed it.
fn module(report: &TdReport, policy: &Policy, findings: &mut Findings) {
    let intel = policy.intel();
    let accepted = intel.tdx_modules.is_empty() || intel.tdx_modules.contains(&report.mr_seam);
    let expected = if intel.tdx_modules.is_empty() { "any of Intel's" } else { "one that the policy names" };
    let found = hex::encode(report.mr_seam);
    let (entry, code) = (policy.entry("intel.tdx_modules"), Code::TdxModuleNotAccepted);
    findings.check_by(entry, Subject::TdxModule, code, accepted, expected, found);

    let [svn, version, ..] = report.tee_tcb_svn;
    let (wanted_version, wanted_svn) = intel.minimum_tdx_module;
    if intel.minimum_tdx_module > (0, 0) {
        let expected = format_args!("at least version {wanted_version} with svn {wanted_svn}");
        let found = format_args!("version {version} with svn {svn}");
        let (entry, code) = (policy.entry("intel.minimum_tdx_module"), Code::TdxModuleTooOld);
        let enough = (version, svn) >= intel.minimum_tdx_module;
        findings.check_by(entry, Subject::ModuleLeast, code, enough, expected, found);
    }
    if !intel.tdx_module_signers.is_empty() {
        let accepted = intel.tdx_module_signers.contains(&report.mr_signer_seam);
        let found = hex::encode(report.mr_signer_seam);
        let (entry, code) = (policy.entry("intel.tdx_module_signers"), Code::TdxModuleSignerNotAccepted);
        let expected = "one that the policy names";
        findings.check_by(entry, Subject::ModuleSignerNamed, code, accepted, expected, found);
    }
}

fn list<T: Vocabulary>(words: &[T]) -> String {
    if words.is_empty() {
        return String::from("none");
    }
    words.iter().map(|word| word.name()).collect::<Vec<_>>().join(", ")
}

/// Who may manage the TD beside its host. A report of version 1.0 does not tell, and the host chooses the version; a TD
/// that cannot be migrated has no such manager.
fn service_td(report: &TdReport, policy: &Policy, findings: &mut Findings) {
    let intel = policy.intel();
    let service = report.extension.as_ref().map(|extension| extension.mr_service_td);
    let (accepted, found) = match service {
        None => (!report.td_attributes.migratable(), "not told by a report of version 1.0".into()),
        Some(service) if service == [0; 48] => (true, String::from("none")),
        Some(service) => (intel.service_tds.contains(&service), hex::encode(service)),
    };
    let expected = if intel.service_tds.is_empty() { "none" } else { "none, or one that the policy names" };
    let (entry, code) = (policy.entry("intel.service_tds"), Code::ServiceTdNotAccepted);
    findings.check_by(entry, Subject::ServiceTd, code, accepted, expected, found);
}

/// SDM, volume 3D, sections 34.7.1 and 34.7.2.
fn enclave(report: &SgxReport, policy: &Policy, findings: &mut Findings) {
    let (attributes, misc) = (report.attributes, report.misc_select);
    let running = attributes.init() && attributes.mode_64_bit();
    let known = running && attributes.unknown() == 0 && misc.unknown() == 0;
    let expected = "an initialised enclave of 64 bits with attributes that are known";
    let found = format_args!("attributes {:#x}, options {:#x}", attributes.flags, misc.0);
    findings.check(Subject::EnclaveAttributes, Code::AttributesUnknown, known, expected, found);
    extended_state(attributes.xfrm, policy, findings);
    let (debug, code) = (policy.guest().debug, Code::DebugAllowed);
    let property = Property::of(policy, "guest.debug", debug, Subject::EnclaveDebug, code);
    property.check(attributes.debug(), findings);
}

fn extended_state(states: Xfam, policy: &Policy, findings: &mut Findings) {
    let known = states.legacy() && states.unknown() == 0;
    let found = format_args!("{:#x}", states.0);
    let expected = "x87, SSE and others that are known";
    findings.check(Subject::ExtendedState, Code::ExtendedStateUnknown, known, expected, found);
    let accepted = &policy.intel().extended_states;
    if accepted.len() < ExtendedState::ALL.len() {
        let on = ExtendedState::ALL.iter().copied().filter(|state| state.is_in(states));
        let refused = on.filter(|state| !accepted.contains(state)).collect::<Vec<_>>();
        let (entry, code) = (policy.entry("intel.extended_states"), Code::ExtendedStateNotAccepted);
        let expected = "none that the policy does not name";
        findings.check_by(entry, Subject::StateFeatures, code, refused.is_empty(), expected, list(&refused));
    }
}
