// SPDX-License-Identifier: Apache-2.0

//! What a policy asks of SEV-SNP: patch levels, and what the guest was launched to allow.

use alloc::format;
use alloc::string::String;

use enarx_evidence::snp::{self, SigningKey};

use super::Property;
use super::rules::Ruling;
use crate::policy::{MinimumTcb, Policy, Product, Switch, TcbKind, Vocabulary as _};
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
/// reach its own.
fn tcb(claims: &SnpClaims, product: Product, minimum: MinimumTcb, policy: &Policy, findings: &mut Findings) {
    let checked = minimum == MinimumTcb::Checked;
    let floor = policy.floor(product);
    if checked && floor.is_none() {
        let expected = format_args!("a minimum TCB of {}", product.name());
        findings.refuse(Subject::ReportedTcb, Code::TcbMinimumMissing, expected, "none in the policy");
    }
    let versions = [
        (Subject::CurrentTcb, TcbKind::Current, claims.current_tcb),
        (Subject::CommittedTcb, TcbKind::Committed, claims.committed_tcb),
        (Subject::LaunchTcb, TcbKind::Launch, claims.launch_tcb),
        (Subject::ReportedTcb, TcbKind::Reported, claims.reported_tcb),
    ];
    for (subject, kind, tcb) in versions {
        match floor.filter(|_| checked) {
            Some(floor) => {
                let minimum = floor.of(kind);
                let own = if floor.own.contains_key(&kind) { format!(".{kind}") } else { String::new() };
                let entry = policy.entry(&format!("minimum_tcb.{product}{own}"));
                let (enough, expected) = (tcb.at_least(minimum), format_args!("at least {minimum}"));
                findings.check_by(entry, subject, Code::TcbTooOld, enough, expected, tcb);
            }
            None if !checked => {
                findings.check(subject, Code::TcbTooOld, true, "any, as the policy says", tcb);
            }
            None => {}
        }
    }
}

/// What the guest was launched to allow (56860, section 4.3), and what the platform has switched on (section 7.3).
fn guest(claims: &SnpClaims, policy: &Policy, findings: &mut Findings) {
    let (report, guest) = (&claims.report, policy.guest());
    let (bits, platform) = (report.policy, report.platform_info);
    let unknown = bits.unknown();
    let found = format_args!("{:#x}", bits.0);
    let expected = "permissions that are known";
    findings.check(Subject::GuestPolicy, Code::GuestPolicyUnknown, unknown == 0, expected, found);

    let vlek = report.key_info.signing_key == SigningKey::Vlek;
    // What the guest asks for, the firmware keeps to; what the platform has on, it cannot switch off under a guest.
    let visible = !bits.ciphertext_hiding() && !platform.ciphertext_hiding();
    let power = !bits.rapl_dis() && !platform.rapl_disabled();
    let aliases = !platform.alias_check_complete();
    let properties = [
        ("guest.debug", guest.debug, Subject::Debug, Code::DebugAllowed, bits.debug()),
        ("guest.migration", guest.migration, Subject::Migration, Code::MigrationAllowed, bits.migrate_ma()),
        ("guest.smt", guest.smt, Subject::Smt, Code::SmtAllowed, bits.smt()),
        ("guest.vlek", guest.vlek, Subject::Vlek, Code::VlekNotAccepted, vlek),
    ];
    // Those that came later are told where a policy asks for them.
    let later = [
        (
            "guest.several_sockets",
            guest.several_sockets,
            Subject::SeveralSockets,
            Code::SeveralSocketsAllowed,
            !bits.single_socket(),
        ),
        (
            "guest.ciphertext_visible",
            guest.ciphertext_visible,
            Subject::CiphertextVisible,
            Code::CiphertextVisible,
            visible,
        ),
        (
            "guest.aliases_unchecked",
            guest.aliases_unchecked,
            Subject::AliasesUnchecked,
            Code::AliasesUnchecked,
            aliases,
        ),
        (
            "guest.power_readings",
            guest.power_readings,
            Subject::PowerReadings,
            Code::PowerReadingsAllowed,
            power,
        ),
        ("guest.cxl", guest.cxl, Subject::Cxl, Code::CxlAllowed, bits.cxl_allow()),
    ];
    let later = later.into_iter().filter(|(_, switch, ..)| *switch == Switch::Refuse);
    for (path, switch, subject, code, present) in properties.into_iter().chain(later) {
        Property::of(policy, path, switch, subject, code).check(present, findings);
    }
    if guest.launch_keys == Switch::Refuse {
        launch_keys(claims, policy, findings);
    }
}

/// Keys that whoever launched the guest put into the report (56860, section 4.6): none, or ones that the policy names.
fn launch_keys(claims: &SnpClaims, policy: &Policy, findings: &mut Findings) {
    let (report, snp) = (&claims.report, policy.snp());
    let author = if report.key_info.author_key_en { report.author_key_digest } else { [0; 48] };
    let keys = [
        (Subject::IdKey, "snp.id_keys", &snp.id_keys, report.id_key_digest),
        (Subject::AuthorKey, "snp.author_keys", &snp.author_keys, author),
    ];
    for (subject, path, accepted, found) in keys {
        let none = found == [0; 48];
        let expected = if accepted.is_empty() { "none" } else { "none, or one that the policy names" };
        let entry = policy.entry(if accepted.is_empty() { "guest.launch_keys" } else { path });
        let good = none || accepted.contains(&found);
        let found = if none { String::from("none") } else { hex::encode(found) };
        findings.check_by(entry, subject, Code::LaunchKeyNotAccepted, good, expected, found);
    }
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
    findings.check_by(
        policy.entry("guest.vmpl"),
        Subject::Vmpl,
        Code::VmplNotAccepted,
        accepted,
        expected,
        found,
    );
}
