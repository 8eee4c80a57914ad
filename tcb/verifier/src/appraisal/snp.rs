// SPDX-License-Identifier: Apache-2.0

//! What a policy asks of SEV-SNP: patch levels, and what the guest was launched to allow.

use alloc::format;
use alloc::string::String;

use enarx_evidence::snp::{self, SigningKey};

use super::rules::Ruling;
use super::switch;
use crate::policy::{MinimumTcb, Policy, Product, Vocabulary as _};
use crate::refusal::{Findings, Subject};
use crate::{Code, SnpClaims};

pub(super) fn check(claims: &SnpClaims, ruling: &Ruling, policy: &Policy, findings: &mut Findings) {
    check_under_paravisor(claims, ruling, policy, findings);
    vmpl(claims, policy, findings);
}

/// What is asked of a machine whose report a paravisor asked for: verification has found its level.
pub(super) fn check_under_paravisor(
    claims: &SnpClaims,
    ruling: &Ruling,
    policy: &Policy,
    findings: &mut Findings,
) {
    for (product, minimum) in &ruling.minimums {
        tcb(claims, *product, *minimum, policy, findings);
    }
    guest(claims, policy, findings);
}

/// The minimum applies unless every rule that allows the product says that it does not. Every TCB version has to
/// reach it.
fn tcb(claims: &SnpClaims, product: Product, minimum: MinimumTcb, policy: &Policy, findings: &mut Findings) {
    let checked = minimum == MinimumTcb::Checked;
    let minimum = policy.minimum_tcb(product);
    if checked && minimum.is_none() {
        let expected = format_args!("a minimum TCB of {}", product.name());
        findings.refuse(Subject::ReportedTcb, Code::TcbMinimumMissing, expected, "none in the policy");
    }
    let versions = [
        (Subject::CurrentTcb, claims.current_tcb),
        (Subject::CommittedTcb, claims.committed_tcb),
        (Subject::LaunchTcb, claims.launch_tcb),
        (Subject::ReportedTcb, claims.reported_tcb),
    ];
    for (subject, tcb) in versions {
        match minimum.filter(|_| checked) {
            Some(minimum) => {
                let expected = format_args!("at least {minimum}");
                findings.check(subject, Code::TcbTooOld, tcb.at_least(minimum), expected, tcb);
            }
            None if !checked => {
                findings.check(subject, Code::TcbTooOld, true, "any, as the policy says", tcb);
            }
            None => {}
        }
    }
}

/// What the guest was launched to allow (56860, section 4.3).
fn guest(claims: &SnpClaims, policy: &Policy, findings: &mut Findings) {
    let (report, guest) = (&claims.report, policy.guest());
    let bits = report.policy;
    let unknown = bits.unknown();
    let found = format_args!("{:#x}", bits.0);
    let expected = "permissions that are known";
    findings.check(Subject::GuestPolicy, Code::GuestPolicyUnknown, unknown == 0, expected, found);

    let vlek = report.key_info.signing_key == SigningKey::Vlek;
    switch(Subject::Debug, Code::DebugAllowed, guest.debug, bits.debug(), findings);
    switch(Subject::Migration, Code::MigrationAllowed, guest.migration, bits.migrate_ma(), findings);
    switch(Subject::Smt, Code::SmtAllowed, guest.smt, bits.smt(), findings);
    switch(Subject::Vlek, Code::VlekNotAccepted, guest.vlek, vlek, findings);
}

/// Who asked for the report (56860, section 7.3).
fn vmpl(claims: &SnpClaims, policy: &Policy, findings: &mut Findings) {
    let (report, guest) = (&claims.report, policy.guest());
    let level = u8::try_from(report.vmpl).ok();
    let accepted = level.is_some_and(|level| guest.vmpl.contains(&level));
    let expected = format_args!("one of {:?}", guest.vmpl);
    let found = match report.vmpl {
        snp::Report::VMPL_HOST => String::from("the host"),
        level => format!("{level}"),
    };
    findings.check(Subject::Vmpl, Code::VmplNotAccepted, accepted, expected, found);
}
