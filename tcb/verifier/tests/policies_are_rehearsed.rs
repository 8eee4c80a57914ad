// SPDX-License-Identifier: Apache-2.0

//! What a policy for real hardware would say, asked with simulated evidence and with claims that nobody made.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod simulated;

use enarx_evidence::Bundle;
use enarx_verifier::policy::{Crl, Freshness, TcbInfo};
use enarx_verifier::{
    Claims, Code, Policy, Refusals, Rehearsed, Request, Supposition, Verification, rehearse, suppose, verify,
};
use simulated::{MEASUREMENT, POLICY, REPORT_DATA, Relying, Vendor, now};

/// What is refused where nobody says what a name of a measurement means.
const MEASURED: [Code; 2] = [Code::ReferenceValueMissing, Code::MeasurementNotAccepted];

const SIMULATED: &str = "[simulated]\naccept = true\nroots = [\"local\"]\n";

/// The policy for real hardware, with some text replaced by another.
fn genuine(from: &str, to: &str) -> Policy {
    assert!(POLICY.contains(SIMULATED) && POLICY.contains(from), "{from}");
    Policy::parse(&POLICY.replace(SIMULATED, "").replace(from, to)).unwrap()
}

fn rehearsed(relying: &Relying, bundle: &Bundle) -> Result<Rehearsed, Refusals> {
    rehearse(&Request {
        bundle,
        report_data: &relying.report_data,
        anchors: &relying.anchors,
        reference_values: &relying.reference_values,
        policy: &relying.policy,
        advisories: &relying.advisories,
        now: relying.now,
    })
}

/// The codes of a rehearsal; empty if it would be accepted.
fn codes(answer: &Result<Rehearsed, Refusals>) -> Vec<Code> {
    answer.as_ref().err().map_or_else(Vec::new, |refusals| refusals.codes().collect())
}

fn claims(platform: &str) -> Claims {
    let verification = Verification {
        bundle: &Vendor::local().attest(platform),
        report_data: &REPORT_DATA,
        anchors: &Vendor::local().anchors(),
        crl: Crl::Required,
        tcb_info: TcbInfo::Required,
        freshness: Freshness::default(),
        now: now(),
    };
    verify(&verification).unwrap().claims().clone()
}

fn supposed(claims: &Claims, policy: &Policy, leaving_out: &[Code]) -> Result<Rehearsed, Refusals> {
    suppose(&Supposition { claims, policy, leaving_out, now: now() })
}

#[test]
fn a_policy_for_real_hardware_is_rehearsed_and_still_accepts_nothing_simulated() {
    let bundle = Vendor::local().attest("amd/milan");
    let mut relying = Relying::under(genuine("", ""));
    assert_eq!(relying.codes(&bundle), [Code::SimulatedNotAccepted]);
    let rehearsed = rehearsed(&relying, &bundle).unwrap();
    assert_eq!((rehearsed.rule(), rehearsed.measurement_name()), ("any", "`release`"));
    let waived = rehearsed.checks().iter().find(|check| check.expected.contains("rehearsal")).unwrap();
    assert_eq!(waived.expected, "any root, since this is a rehearsal");
    assert!(waived.found.starts_with("the simulated root `local`"), "{}", waived.found);
    assert!(rehearsed.checks().iter().all(|check| check.passed));
}

#[test]
fn a_rehearsal_waives_the_root_and_nothing_else() {
    let milan = Vendor::local().attest("amd/milan");
    let deny = "[[deny]]\nid = \"no-milan\"\nvendor = \"amd\"\nproducts = [\"milan\"]\n[minimum_tcb.milan]";
    let relying = Relying::under(genuine("[minimum_tcb.milan]", deny));
    assert_eq!(codes(&rehearsed(&relying, &milan)), [Code::ProductDenied]);
    assert_eq!(codes(&rehearsed(&relying, &Vendor::local().attest("amd/genoa"))), []);

    let mut other = Relying::under(genuine("", ""));
    other.report_data = [0x12; 64];
    assert_eq!(codes(&rehearsed(&other, &milan)), [Code::ReportDataMismatch]);
    let relying = Relying::under(genuine("", ""));
    let stranger = Vendor::stranger().attest("amd/milan");
    assert_eq!(codes(&rehearsed(&relying, &stranger)), [Code::SimulatedNotAccepted], "nobody named its root");
    let debugged = Vendor::local().attest("amd/milan@debug");
    assert_eq!(codes(&rehearsed(&relying, &debugged)), [Code::DebugAllowed]);
}

#[test]
fn claims_are_supposed_under_policies() {
    let claims = claims("amd/milan");
    let policy = genuine("", "");
    // Nobody says what `release` measures to.
    assert_eq!(codes(&supposed(&claims, &policy, &[])), MEASURED);
    let without = supposed(&claims, &policy, &MEASURED).unwrap();
    assert_eq!(without.rule(), "any");
    let left_out = without.checks().iter().filter(|check| check.expected == "anything, since it is left out");
    assert_eq!(left_out.count(), MEASURED.len());

    let digest = format!("\"sha384:{}\"", hex::encode(MEASUREMENT));
    assert_eq!(codes(&supposed(&claims, &genuine("\"release\"", &digest), &[])), []);
    let newer = genuine("microcode = 219", "microcode = 255");
    assert_eq!(
        codes(&supposed(&claims, &newer, &MEASURED)),
        Relying::with_policy("microcode = 219", "microcode = 255")
            .codes(&Vendor::local().attest("amd/milan"))
    );
}
