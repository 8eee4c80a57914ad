// SPDX-License-Identifier: Apache-2.0

//! Evidence that leaves something out, or that somebody with less to say vouches for: a hidden chip, a report too old to
//! name a manager, a certificate of somebody else. What is not said is not taken for good.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod machines;

use enarx_evidence::Bundle;
use enarx_evidence::dcap::{Body, QuoteVersion};
use enarx_evidence::snp::Generation;
use enarx_simulator::{SimulatedMachine, SimulatedQuote};
use enarx_verifier::{Code, Policy, TrustAnchors};
use machines::{MEASUREMENT, REPORT_DATA, Relying, local, set};

/// A policy about one TEE.
fn policy(vendor: &str, tee: &str, more: &str) -> Policy {
    let long = hex::encode(MEASUREMENT);
    let text = format!(
        r#"
version = 1
[keep]
measurements = ["sha384:{long}"]
[simulated]
accept = true
roots = ["local"]
[[allow]]
id = "one"
vendor = "{vendor}"
tee = "{tee}"
minimum_tcb = "not-checked"
{more}
"#
    );
    Policy::parse(&text).unwrap_or_else(|error| panic!("{error}"))
}

fn snp(platform: &str) -> Bundle {
    local().attest(&platform.parse().unwrap(), &REPORT_DATA, &MEASUREMENT, &[0; 32]).unwrap()
}

#[test]
fn a_chip_that_is_hidden() {
    let relying = Relying::under(policy("amd", "sev-snp", ""));
    let (hidden, shown) = (snp("amd/milan@hidden-chip"), snp("amd/milan@chip=0011"));
    // That its key signed proves which chip it is to whom it concerns.
    assert_eq!(relying.codes(&hidden), set(&[]));
    assert_eq!(relying.codes(&shown), set(&[]));
    // Hiding the chip does not make another chip's certificate fit, and showing none is not showing any.
    let with = |evidence: &Bundle, endorsements: &Bundle| {
        let mut mixed = evidence.clone();
        mixed.endorsements = endorsements.endorsements.clone();
        relying.codes(&mixed)
    };
    assert_eq!(with(&hidden, &shown), set(&[Code::ReportSignatureInvalid]));
    assert_eq!(with(&shown, &hidden), set(&[Code::ChipIdMismatch, Code::ReportSignatureInvalid]));
    let mut erased = shown;
    erased.evidence.bytes[0x1a0..0x1e0].fill(0);
    assert_eq!(relying.codes(&erased), set(&[Code::ReportSignatureInvalid]));
}

#[test]
fn a_td_whose_manager_is_hidden() {
    let attest = |version, extended, migratable| {
        let platform = SimulatedQuote { version, extended, ..SimulatedQuote::default() };
        let change = |content: &mut enarx_simulator::DcapContent| {
            let Body::Td(report) = &mut content.quote.body else { panic!("not a TD") };
            report.td_attributes = report.td_attributes.with(29, migratable);
        };
        local().attest_quote(&platform, &REPORT_DATA, &MEASUREMENT, change).unwrap()
    };
    let strict = Relying::under(policy("intel", "tdx", ""));
    let migrating = Relying::under(policy("intel", "tdx", "[guest]\nmigration = \"accept\"\n"));
    let digest = "07".repeat(48);
    let named = format!("[guest]\nmigration = \"accept\"\n[intel]\nservice_tds = [\"sha384:{digest}\"]\n");
    let named = Relying::under(policy("intel", "tdx", &named));
    let told = attest(QuoteVersion::V5, true, true);
    assert_eq!(strict.codes(&told), set(&[Code::MigrationAllowed]));
    assert_eq!(migrating.codes(&told), set(&[]));
    for hidden in [attest(QuoteVersion::V4, false, true), attest(QuoteVersion::V5, false, true)] {
        assert_eq!(strict.codes(&hidden), set(&[Code::MigrationAllowed, Code::ServiceTdNotAccepted]));
        // Who accepts migration does not thereby accept everybody who could do it.
        assert_eq!(migrating.codes(&hidden), set(&[Code::ServiceTdNotAccepted]));
        assert_eq!(named.codes(&hidden), set(&[Code::ServiceTdNotAccepted]));
    }
    // A TD that cannot be migrated has none.
    assert_eq!(strict.codes(&attest(QuoteVersion::V4, false, false)), set(&[]));
}

#[test]
fn a_key_that_a_simulator_certified() {
    let machine = SimulatedMachine { certified: true };
    let attested = [
        local()
            .attest_azure_snp(&"amd/milan".parse().unwrap(), &machine, &REPORT_DATA, &MEASUREMENT, |_| {})
            .unwrap(),
        local().attest_azure_tdx(&machine, &REPORT_DATA, &MEASUREMENT, |_| {}, |_| {}).unwrap(),
    ];
    let mut relying = Relying::party();
    for bundle in &attested {
        assert_eq!(relying.codes(bundle), set(&[]));
    }
    // The hardware's roots are accepted, and that of the certificate is known but not.
    let hardware = [local().root_spki_sha256(Generation::Milan), local().dcap_root_spki_sha256()];
    let hardware = hardware.into_iter().map(Result::unwrap);
    relying.anchors = hardware
        .fold(TrustAnchors::vendors(), |anchors, root| anchors.with_simulated("local", root))
        .with_simulated("elsewhere", local().tpm_root_spki_sha256().unwrap());
    for bundle in &attested {
        assert_eq!(relying.codes(bundle), set(&[Code::SimulatedNotAccepted]));
    }
}
