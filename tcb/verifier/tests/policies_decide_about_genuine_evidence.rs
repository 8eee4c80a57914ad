// SPDX-License-Identifier: Apache-2.0

//! Simulated platforms, each with one property that a policy refuses: it refuses exactly that, and accepts it
//! when it says so.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod simulated;

use enarx_evidence::snp::Generation;
use enarx_verifier::policy::{Tee, Vendor as Maker};
use enarx_verifier::{Claims, Code, Policy, Root, UnixTime};
use simulated::{MEASUREMENT, REPORT_DATA, Relying, Vendor};

fn refused(platform: &str, from: &str, to: &str) -> Vec<Code> {
    Relying::with_policy(from, to).codes(&Vendor::local().attest(platform))
}

fn by_default(platform: &str) -> Vec<Code> {
    refused(platform, "", "")
}

/// No reason to refuse.
const ACCEPTED: [Code; 0] = [];

const MINIMUM_OF_MILAN: &str = "[minimum_tcb.milan]\nbootloader = 4\ntee = 0\nsnp = 27\nmicrocode = 219\n";

#[test]
fn what_nothing_speaks_against_is_accepted() {
    for platform in ["amd/milan", "amd/genoa", "amd/siena", "amd/turin"] {
        for version in ["", "@version=4", "@version=3"] {
            assert_eq!(by_default(&format!("{platform}{version}")), ACCEPTED, "{platform}{version}");
        }
    }
    assert_eq!(by_default("amd/milan@version=2"), ACCEPTED);
    assert_eq!(by_default("amd/turin@version=2"), ACCEPTED);
}

#[test]
fn a_result_says_what_was_accepted_and_that_it_is_simulated() {
    let mut relying = Relying::party();
    let result = relying.appraise(&Vendor::local().attest("amd/genoa")).unwrap();
    assert_eq!(result.simulated(), Some("local"));
    assert_eq!(result.tee(), Tee::SevSnp);
    assert_eq!(result.vendor(), Maker::Amd);
    assert_eq!(result.product(), "genoa");
    assert_eq!(result.rule(), "any");
    assert_eq!(result.report_data(), &REPORT_DATA);
    assert_eq!(result.measurement(), MEASUREMENT);
    assert_eq!(result.measurement_name(), "`release`");
    assert_eq!(result.policy_digest(), relying.policy.digest());
    assert_eq!(result.appraised_at(), relying.now);
    assert!(matches!(result.root(), Root::Simulated { name, .. } if name == "local"));
    assert!(!result.checks().is_empty() && result.checks().iter().all(|check| check.passed));
    let Claims::SevSnp(claims) = result.claims() else { panic!("another TEE") };
    assert_eq!(claims.generation, Generation::Genoa);

    let json = serde_json::to_value(&result).unwrap();
    assert_eq!(json["verdict"], "accepted");
    assert_eq!(json["simulated"], true);
    assert_eq!(json["simulated_root"], "local");
    assert_eq!(json["vendor"], "amd");
    assert_eq!(json["tee"], "sev-snp");
    assert_eq!(json["claims"]["tee"], "sev-snp");
    assert_eq!(json["claims"]["reported_tcb"], "bootloader=10,tee=0,snp=27,microcode=86");
    assert_eq!(json["measurement"], hex::encode(MEASUREMENT));
    assert_eq!(json["checks"].as_array().unwrap().len(), result.checks().len());
}

#[test]
fn a_refusal_says_everything_that_speaks_against() {
    let refusals = Relying::party()
        .appraise(&Vendor::local().attest("amd/milan@debug,migration,vmpl=2,microcode=1"))
        .unwrap_err();
    let expected = [
        Code::TcbTooOld,
        Code::TcbTooOld,
        Code::TcbTooOld,
        Code::TcbTooOld,
        Code::DebugAllowed,
        Code::MigrationAllowed,
        Code::VmplNotAccepted,
    ];
    assert_eq!(refusals.codes().collect::<Vec<_>>(), expected);
    assert_eq!(refusals.to_string().lines().count(), expected.len());
    assert_eq!(
        refusals.to_string().lines().next(),
        Some(
            "tcb-too-old: current TCB: expected at least bootloader=4,tee=0,snp=27,microcode=219, \
             found bootloader=4,tee=0,snp=27,microcode=1; decided by `minimum_tcb.milan` in line 12 of the policy"
        )
    );
    let line = simulated::POLICY.lines().position(|line| line == "[minimum_tcb.milan]").unwrap() + 1;
    assert_eq!(line, 12);
    let json = serde_json::to_value(&refusals).unwrap();
    assert_eq!(json["verdict"], "refused");
    assert_eq!(json["refusals"][0]["code"], "tcb-too-old");
    assert_eq!(json["refusals"][0]["claim"], "current TCB");
    assert_eq!(json["refusals"][0]["section"], "56860, section 2.2");
    assert_eq!(json["refusals"][0]["policy"]["entry"], "minimum_tcb.milan");
    assert_eq!(json["refusals"][0]["policy"]["line"], 12);
    let failed = refusals.checks().iter().filter(|check| !check.passed).count();
    assert_eq!(failed, expected.len());
}

#[test]
fn each_tcb_has_to_reach_the_minimum() {
    for name in ["current", "committed", "launch", "reported"] {
        for component in ["bootloader=3", "snp=26", "microcode=218"] {
            let platform = format!("amd/milan@{name}.{component}");
            assert_eq!(by_default(&platform), [Code::TcbTooOld], "{platform}");
        }
    }
    assert_eq!(by_default("amd/turin@current.fmc=0"), [Code::TcbTooOld]);
    assert_eq!(by_default("amd/milan@microcode=220"), ACCEPTED);
    let unchecked =
        ("vendor = \"amd\"", "vendor = \"amd\"\nproducts = [\"milan\"]\nminimum_tcb = \"not-checked\"");
    let policy = POLICY_WITHOUT_MINIMA.replace(unchecked.0, unchecked.1);
    let mut relying = Relying::under(Policy::parse(&policy).unwrap());
    assert_eq!(relying.codes(&Vendor::local().attest("amd/milan@microcode=1")), ACCEPTED);
}

const POLICY_WITHOUT_MINIMA: &str = r#"
version = 1
[keep]
measurements = ["release"]
[simulated]
accept = true
roots = ["local"]
[[allow]]
id = "any"
vendor = "amd"
tee = "sev-snp"
"#;

#[test]
fn debugging() {
    assert_eq!(by_default("amd/milan@debug"), [Code::DebugAllowed]);
    assert_eq!(refused("amd/milan@debug", "[[allow]]", "[guest]\ndebug = \"accept\"\n[[allow]]"), ACCEPTED);
}

#[test]
fn migration() {
    assert_eq!(by_default("amd/milan@migration"), [Code::MigrationAllowed]);
    assert_eq!(
        refused("amd/milan@migration", "[[allow]]", "[guest]\nmigration = \"accept\"\n[[allow]]"),
        ACCEPTED
    );
}

#[test]
fn privilege_levels() {
    assert_eq!(by_default("amd/milan@vmpl=1"), [Code::VmplNotAccepted]);
    assert_eq!(by_default("amd/milan@vmpl=4294967295"), [Code::VmplNotAccepted]);
    let only_one = "[guest]\nvmpl = [1]\n[[allow]]";
    assert_eq!(refused("amd/milan@vmpl=1", "[[allow]]", only_one), ACCEPTED);
    assert_eq!(refused("amd/milan", "[[allow]]", only_one), [Code::VmplNotAccepted]);
}

#[test]
fn loaded_keys() {
    assert_eq!(by_default("amd/milan@vlek"), [Code::VlekNotAccepted]);
    assert_eq!(refused("amd/milan@vlek", "[[allow]]", "[guest]\nvlek = \"accept\"\n[[allow]]"), ACCEPTED);
}

#[test]
fn simultaneous_multi_threading() {
    let refuse = "[guest]\nsmt = \"refuse\"\n[[allow]]";
    assert_eq!(refused("amd/milan", "[[allow]]", refuse), [Code::SmtAllowed]);
    assert_eq!(refused("amd/milan@no-smt", "[[allow]]", refuse), ACCEPTED);
}

#[test]
fn a_denied_generation_is_refused_and_another_is_not() {
    let deny =
        "[[deny]]\nid = \"no-milan\"\nvendor = \"amd\"\nproducts = [\"milan\"]\nreason = \"old\"\n[[allow]]";
    assert_eq!(refused("amd/milan", "[[allow]]", deny), [Code::ProductDenied]);
    assert_eq!(refused("amd/genoa", "[[allow]]", deny), ACCEPTED);
    let refusals =
        Relying::with_policy("[[allow]]", deny).appraise(&Vendor::local().attest("amd/milan")).unwrap_err();
    assert_eq!(refusals.iter().next().unwrap().found, "rule `no-milan`: old");

    // A denied product needs no minimum TCB, and is not refused for the lack of one.
    let policy = simulated::POLICY.replace("[[allow]]", deny).replace(MINIMUM_OF_MILAN, "");
    let mut relying = Relying::under(Policy::parse(&policy).unwrap());
    assert_eq!(relying.codes(&Vendor::local().attest("amd/milan")), [Code::ProductDenied]);
}

#[test]
fn what_no_rule_allows_is_refused() {
    let only = "vendor = \"amd\"\nproducts = [\"genoa\", \"siena\", \"turin\"]";
    let policy = simulated::POLICY.replace("vendor = \"amd\"", only).replace(MINIMUM_OF_MILAN, "");
    let mut relying = Relying::under(Policy::parse(&policy).unwrap());
    assert_eq!(relying.codes(&Vendor::local().attest("amd/milan")), [Code::PlatformNotAllowed]);
    assert_eq!(relying.codes(&Vendor::local().attest("amd/genoa")), ACCEPTED);
}

#[test]
fn a_report_that_does_not_tell_two_products_apart_counts_as_both() {
    let deny = "[[deny]]\nid = \"no-siena\"\nvendor = \"amd\"\nproducts = [\"siena\"]\n[[allow]]";
    assert_eq!(refused("amd/genoa@version=3", "[[allow]]", deny), ACCEPTED);
    assert_eq!(refused("amd/siena@version=3", "[[allow]]", deny), [Code::ProductDenied]);
    assert_eq!(refused("amd/genoa@version=2", "[[allow]]", deny), [Code::ProductDenied]);
    // The minimum of Genoa applies to what may be a Siena, whose microcode has lower numbers.
    assert_eq!(by_default("amd/siena@version=2"), [Code::TcbTooOld; 4]);
}

#[test]
fn measurements() {
    let mut relying = Relying::party();
    relying.reference_values[0].measurement[47] ^= 1;
    let bundle = Vendor::local().attest("amd/milan");
    assert_eq!(relying.codes(&bundle), [Code::MeasurementNotAccepted]);

    relying.reference_values.clear();
    assert_eq!(relying.codes(&bundle), [Code::ReferenceValueMissing, Code::MeasurementNotAccepted]);

    let exact = format!("\"sha384:{}\"", hex::encode(MEASUREMENT));
    relying.policy = Relying::with_policy("\"release\"", &exact).policy;
    assert_eq!(relying.codes(&bundle), ACCEPTED);

    // A longer or shorter reference value is another one.
    let mut relying = Relying::party();
    relying.reference_values[0].measurement.push(0);
    assert_eq!(relying.codes(&bundle), [Code::MeasurementNotAccepted]);
    let other = format!("\"sha384:{}\"", "00".repeat(48));
    assert_eq!(refused("amd/milan", "\"release\"", &other), [Code::MeasurementNotAccepted]);
}

#[test]
fn simulated_roots_are_accepted_by_name_or_by_key_only() {
    let bundle = Vendor::local().attest("amd/milan");
    let section = "[simulated]\naccept = true\nroots = [\"local\"]";
    assert_eq!(refused("amd/milan", section, ""), [Code::SimulatedNotAccepted]);
    assert_eq!(refused("amd/milan", "\"local\"", "\"other\""), [Code::SimulatedNotAccepted]);

    // The policy names the key: the caller need not know the root.
    let key = format!("\"sha256:{}\"", hex::encode(Vendor::local().root(Generation::Milan)));
    let mut relying = Relying::with_policy("\"local\"", &key);
    relying.anchors = enarx_verifier::TrustAnchors::vendors();
    assert_eq!(relying.appraise(&bundle).unwrap().simulated().map(String::from), Some(key.replace('"', "")));
    assert_eq!(relying.codes(&Vendor::local().attest("amd/genoa")), [Code::SimulatedNotAccepted]);
    assert_eq!(relying.codes(&Vendor::stranger().attest("amd/milan")), [Code::SimulatedNotAccepted]);
}

#[test]
fn the_closed_policy_refuses_everything() {
    let mut relying = Relying::under(Policy::closed());
    let expected = [Code::SimulatedNotAccepted, Code::PlatformNotAllowed, Code::MeasurementNotAccepted];
    assert_eq!(relying.codes(&Vendor::local().attest("amd/milan")), expected);
}

#[test]
fn unsigned_reports() {
    assert_eq!(by_default("amd/milan@unsigned"), [Code::SigningKeyNone]);
}

#[test]
fn report_data_of_another_session() {
    let mut relying = Relying::party();
    relying.report_data[63] ^= 1;
    assert_eq!(relying.codes(&Vendor::local().attest("amd/milan")), [Code::ReportDataMismatch]);
}

#[test]
fn collateral_that_ran_out() {
    let bundle = Vendor::local().attest("amd/milan");
    let mut relying = Relying::party();
    relying.now = UnixTime(relying.now.0 + 100 * 24 * 3600);
    assert_eq!(relying.codes(&bundle), [Code::CrlExpired]);
    relying.policy =
        Relying::with_policy("[[allow]]", "[collateral]\ncrl = \"absent-accepted\"\n[[allow]]").policy;
    assert_eq!(relying.codes(&bundle), ACCEPTED);
    relying.now = UnixTime(0);
    assert_eq!(relying.codes(&bundle), [Code::CertificateNotYetValid; 3]);
}
