// SPDX-License-Identifier: Apache-2.0

//! Each simulated platform before the real verifier: accepted by a policy that names it, and refused, with the
//! right code, by each policy that should refuse it.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeSet;
use std::time::SystemTime;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use common::simulator;
use enarx_evidence::Bundle;
use enarx_evidence::snp::{Generation, Product};
use enarx_simulator::SimulatedPlatform;
use enarx_verifier::advisory::{Draft, Feed, IssuerKey};
use enarx_verifier::policy::{self, Policy};
use enarx_verifier::{
    AttestationResult, ReferenceValue, Refusals, Request, Root, TrustAnchors, UnixTime, appraise,
};

const REPORT_DATA: [u8; 64] = [1; 64];
const MEASUREMENT: [u8; 48] = [2; 48];
const HOST_DATA: [u8; 32] = [3; 32];

const LISTED: &str = r#"["milan", "genoa", "turin"]"#;
const ALL: &str = r#"["milan", "genoa", "siena", "turin"]"#;

/// What the template lacks for the product that it does not list.
const SIENA: &str = "
    [minimum_tcb.siena]
    bootloader = 10
    tee = 0
    snp = 27
    microcode = 27
";

const SIMULATED: &str = r#"
    [simulated]
    accept = true
    roots = ["local"]
"#;

/// The policy that `enarx policy new` writes, opened for simulated platforms, and for Siena.
fn accepting() -> String {
    let template = policy::template().replace(LISTED, ALL);
    format!("{template}{SIENA}{SIMULATED}")
}

/// The same with one piece replaced.
fn with(from: &str, to: &str) -> String {
    let policy = accepting();
    assert!(policy.contains(from), "`{from}` is not in the policy");
    policy.replacen(from, to, 1)
}

/// The same with another rule or table.
fn and(more: &str) -> String {
    accepting() + more
}

/// The same without any minimum TCB.
fn unchecked() -> String {
    let open = with(ALL, &format!("{ALL}\nminimum_tcb = \"not-checked\""));
    let (before, rest) = open.split_once("[minimum_tcb.milan]").unwrap();
    let (_, guest) = rest.split_once("[guest]").unwrap();
    format!("{before}[guest]{guest}").replace(SIENA, "")
}

fn bundle(platform: &str) -> Bundle {
    let platform: SimulatedPlatform = platform.parse().unwrap();
    simulator().attest(&platform, &REPORT_DATA, &MEASUREMENT, &HOST_DATA).unwrap()
}

/// The anchors of somebody who knows the simulator as `local`.
fn anchors() -> TrustAnchors {
    Generation::ALL.into_iter().fold(TrustAnchors::vendors(), |anchors, generation| {
        anchors.with_simulated("local", simulator().root_spki_sha256(generation).unwrap())
    })
}

fn judge(bundle: &Bundle, anchors: &TrustAnchors, policy: &str) -> Result<AttestationResult, Refusals> {
    judge_with(bundle, anchors, policy, &[])
}

fn judge_with(
    bundle: &Bundle,
    anchors: &TrustAnchors,
    policy: &str,
    advisories: &[Feed],
) -> Result<AttestationResult, Refusals> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    appraise(&Request {
        bundle,
        report_data: &REPORT_DATA,
        anchors,
        reference_values: &[ReferenceValue { name: "release".into(), measurement: MEASUREMENT.to_vec() }],
        policy: &Policy::parse(policy).unwrap(),
        advisories,
        now: UnixTime(now),
    })
}

/// The codes of all refusals, or none.
fn codes(bundle: &Bundle, anchors: &TrustAnchors, policy: &str) -> Vec<&'static str> {
    match judge(bundle, anchors, policy) {
        Ok(_) => Vec::new(),
        Err(refusals) => refusals.codes().map(enarx_verifier::Code::as_str).collect(),
    }
}

fn refused(platform: &str, policy: &str) -> Vec<&'static str> {
    codes(&bundle(platform), &anchors(), policy)
}

const ACCEPTED: [&str; 0] = [];

/// The feed that comes with the project, signed by somebody; it may have expired by the day of the test.
fn shipped_feed() -> Feed {
    let draft = Draft::parse(include_str!("../../../advisories/amd-sev-snp.toml")).unwrap();
    let key = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let issuer = IssuerKey(key.public_key().as_ref().try_into().unwrap());
    let signature = key.sign(&draft.message()).as_ref().try_into().unwrap();
    draft.signed(issuer, signature).unwrap().accepting_expired()
}

#[test]
fn sound_platforms_meet_the_template_and_the_advisories_that_come_with_it() {
    let feeds = [shipped_feed()];
    let template = format!("{}{SIMULATED}", policy::template());
    for platform in ["amd/milan", "amd/genoa", "amd/turin"] {
        let result = judge_with(&bundle(platform), &anchors(), &template, &feeds);
        assert!(result.is_ok(), "{platform}: {:?}", result.unwrap_err().codes().collect::<Vec<_>>());
    }
    assert!(judge_with(&bundle("amd/siena"), &anchors(), &accepting(), &feeds).is_ok());
    // Below what the template asks for, an advisory says why.
    for platform in ["amd/genoa@microcode=85", "amd/turin@microcode=80", "amd/milan@snp=26"] {
        let refusals = judge_with(&bundle(platform), &anchors(), &template, &feeds).unwrap_err();
        let codes: BTreeSet<&str> = refusals.codes().map(enarx_verifier::Code::as_str).collect();
        assert_eq!(codes, BTreeSet::from(["tcb-too-old", "advisory-denies"]), "{platform}");
    }
}

#[test]
fn every_product_in_every_report_version_is_accepted_and_called_simulated() {
    for product in Product::ALL {
        for version in [2, 3, 4, 5] {
            // A report of version 2 does not tell a Siena from a Genoa, so that its TCB must do for both.
            let options = if version == 2 && product == Product::Siena { ",microcode=86" } else { "" };
            let bundle = bundle(&format!("amd/{product}@version={version}{options}"));
            let result = judge(&bundle, &anchors(), &accepting()).unwrap();
            assert_eq!(result.simulated(), Some("local"));
            assert_eq!(result.report_data(), &REPORT_DATA);
            assert_eq!(result.measurement(), MEASUREMENT);
            let json = serde_json::to_value(&result).unwrap();
            assert_eq!((&json["verdict"], &json["simulated"]), (&"accepted".into(), &true.into()));
            let expected = if version == 2 { product.generation().name() } else { product.name() };
            assert_eq!(json["product"], expected);
        }
    }
}

#[test]
fn a_key_lent_to_a_cloud_provider_is_accepted_where_the_policy_says_so() {
    let accepting = with("vlek = \"refuse\"", "vlek = \"accept\"");
    for product in Product::ALL {
        let platform = format!("amd/{product}@vlek");
        assert_eq!(refused(&platform, &accepting), ACCEPTED, "{product}");
        assert_eq!(refused(&platform, &self::accepting()), ["vlek-not-accepted"], "{product}");
    }
}

#[test]
fn a_root_named_by_its_digest_needs_no_anchor() {
    for generation in Generation::ALL {
        let digest = simulator().root_spki_sha256(generation).unwrap();
        let name = format!("sha256:{}", hex::encode(digest));
        let policy = accepting().replace(SIMULATED, &SIMULATED.replace("local", &name));
        let result = judge(&bundle(&format!("amd/{generation}")), &TrustAnchors::vendors(), &policy).unwrap();
        assert_eq!(result.simulated(), Some(name.as_str()));
        assert_eq!(result.root(), &Root::Simulated { name, spki_sha256: digest });
    }
}

#[test]
fn simulated_roots_are_refused_where_nobody_names_them() {
    for product in Product::ALL {
        let bundle = bundle(&format!("amd/{product}"));
        let other = TrustAnchors::vendors().with_simulated("local", [7; 32]);
        let renamed = TrustAnchors::vendors()
            .with_simulated("other", simulator().root_spki_sha256(product.generation()).unwrap());
        let closed = accepting().replace(SIMULATED, "");
        for (anchors, policy) in [
            (TrustAnchors::vendors(), closed.clone()),
            (TrustAnchors::vendors(), accepting()),
            (anchors(), closed),
            (other, accepting()),
            (renamed, accepting()),
        ] {
            assert_eq!(codes(&bundle, &anchors, &policy), ["simulated-not-accepted"], "{product}");
        }
    }
}

#[test]
fn a_denied_generation_is_refused_and_the_others_go_on() {
    let no_milan = and("[[deny]]\nid = \"no-milan\"\nvendor = \"amd\"\nproducts = [\"milan\"]\n");
    assert_eq!(refused("amd/milan", &no_milan), ["product-denied"]);
    for other in ["amd/genoa", "amd/siena", "amd/turin"] {
        assert_eq!(refused(other, &no_milan), ACCEPTED, "{other}");
    }
}

#[test]
fn an_old_report_format_does_not_hide_a_denied_product() {
    let no_siena = and("[[deny]]\nid = \"no-siena\"\nvendor = \"amd\"\nproducts = [\"siena\"]\n");
    assert_eq!(refused("amd/siena", &no_siena), ["product-denied"]);
    assert_eq!(refused("amd/siena@version=2,microcode=86", &no_siena), ["product-denied"]);
    assert_eq!(refused("amd/genoa", &no_siena), ACCEPTED);
}

#[test]
fn each_policy_refuses_with_its_code() {
    for (platform, policy, expected) in [
        ("amd/milan", accepting(), &[][..]),
        ("amd/milan", with(ALL, "[\"genoa\", \"turin\"]"), &["platform-not-allowed"]),
        ("amd/milan@debug", accepting(), &["debug-allowed"]),
        ("amd/milan@debug", with("debug = \"refuse\"", "debug = \"accept\""), &[]),
        ("amd/milan@migration", accepting(), &["migration-allowed"]),
        ("amd/milan@migration", with("migration = \"refuse\"", "migration = \"accept\""), &[]),
        ("amd/milan@vmpl=2", accepting(), &["vmpl-not-accepted"]),
        ("amd/milan@vmpl=2", with("vmpl = [0]", "vmpl = [0, 2]"), &[]),
        ("amd/milan@vmpl=4294967295", with("vmpl = [0]", "vmpl = [0, 1, 2, 3]"), &["vmpl-not-accepted"]),
        ("amd/milan", with("smt = \"accept\"", "smt = \"refuse\""), &["smt-allowed"]),
        ("amd/milan@no-smt", with("smt = \"accept\"", "smt = \"refuse\""), &[]),
        (
            "amd/milan",
            with("\"release\"", &format!("\"sha384:{}\"", "00".repeat(48))),
            &["measurement-not-accepted"],
        ),
        ("amd/milan", with("[\"release\"]", &format!("[\"sha384:{}\"]", "02".repeat(48))), &[]),
        (
            "amd/milan",
            with("[\"release\"]", &format!("[\"sha384:{}\"]", "03".repeat(48))),
            &["measurement-not-accepted"],
        ),
        (
            "amd/milan",
            with("[\"release\"]", "[\"next\"]"),
            &["reference-value-missing", "measurement-not-accepted"],
        ),
        ("amd/milan@unsigned", accepting(), &["signing-key-none"]),
        // What is given up has to be said.
        ("amd/milan@snp=26", with("snp = 27", "snp = 26"), &[]),
        ("amd/milan@bootloader=0,snp=0,microcode=0", unchecked(), &[]),
    ] {
        assert_eq!(refused(platform, &policy), expected, "{platform} by {policy}");
    }
}

#[test]
fn every_component_of_every_tcb_version_must_reach_the_minimum() {
    for product in Product::ALL {
        let tcb = SimulatedPlatform::new(product).reported_tcb;
        let components = [
            ("fmc", tcb.fmc.unwrap_or(0)),
            ("bootloader", tcb.bootloader),
            ("tee", tcb.tee),
            ("snp", tcb.snp),
            ("microcode", tcb.microcode),
        ];
        for (component, level) in components {
            // Nothing is below zero.
            let Some(below) = level.checked_sub(1) else { continue };
            for kind in ["current", "committed", "launch", "reported"] {
                let platform = format!("amd/{product}@{kind}.{component}={below}");
                assert_eq!(refused(&platform, &accepting()), ["tcb-too-old"], "{platform}");
            }
            let platform = format!("amd/{product}@{component}={below}");
            assert_eq!(refused(&platform, &accepting()), ["tcb-too-old"; 4], "{platform}");
        }
    }
}

#[test]
fn without_a_revocation_list_only_a_policy_that_says_so_accepts() {
    for product in Product::ALL {
        let mut bundle = bundle(&format!("amd/{product}"));
        bundle.endorsements.items.pop();
        assert_eq!(codes(&bundle, &anchors(), &accepting()), ["crl-missing"], "{product}");
        let open = with("crl = \"required\"", "crl = \"absent-accepted\"");
        assert_eq!(codes(&bundle, &anchors(), &open), ACCEPTED, "{product}");
    }
}

#[test]
fn a_report_for_another_session_is_refused() {
    let platform = "amd/genoa".parse().unwrap();
    let bundle = simulator().attest(&platform, &[9; 64], &MEASUREMENT, &HOST_DATA).unwrap();
    assert_eq!(codes(&bundle, &anchors(), &accepting()), ["report-data-mismatch"]);
}

#[test]
fn another_chip_of_the_same_vendor_does_not_vouch() {
    let mut mixed = bundle("amd/turin@chip=01");
    mixed.endorsements = bundle("amd/turin@chip=02").endorsements;
    assert_eq!(codes(&mixed, &anchors(), &accepting()), ["chip-id-mismatch", "report-signature-invalid"]);
}
