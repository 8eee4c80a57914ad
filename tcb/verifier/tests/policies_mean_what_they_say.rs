// SPDX-License-Identifier: Apache-2.0

//! What a policy that loads means, and what its digest depends on.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fmt::Write as _;

use enarx_evidence::dcap::TcbStatus;
use enarx_evidence::snp::TcbVersion;
use enarx_verifier::policy::{
    self, Advisories, Crl, DigestAlgorithm, Guest, Measurement, MinimumTcb, OnRefusal, Policy, Product,
    SimulatedRoot, Switch, TcbInfo, Tee, Vocabulary,
};
use proptest::prelude::*;

fn ids<'r>(rules: impl Iterator<Item = &'r str>) -> Vec<&'r str> {
    rules.collect()
}

#[test]
fn the_template_accepts_current_amd_platforms_and_nothing_simulated() {
    let policy = Policy::parse(policy::template()).unwrap();
    assert_eq!(policy.simulated_roots(), &BTreeSet::new());
    assert_eq!(policy.measurements(), &BTreeSet::from([Measurement::Reference("release".into())]));
    let stricter = Guest {
        aliases_unchecked: Switch::Refuse,
        cxl: Switch::Refuse,
        launch_keys: Switch::Refuse,
        ..Guest::default()
    };
    assert_eq!(policy.guest(), &stricter);
    assert_eq!(policy.crl(), Crl::Required);
    for product in [Product::Milan, Product::Genoa, Product::Turin] {
        let rules: Vec<_> = policy.allowing(Tee::SevSnp, product).collect();
        assert_eq!(rules.len(), 1, "{product}");
        assert_eq!(rules[0].minimum_tcb, MinimumTcb::Checked);
        assert!(policy.minimum_tcb(product).is_some(), "{product}");
    }
    assert_eq!(policy.allowing(Tee::SevSnp, Product::Siena).count(), 0);
}

#[test]
fn the_marks_in_the_template_can_be_removed() {
    let open: Vec<&str> = policy::template()
        .lines()
        .map(|line| {
            let text = line.strip_prefix("# ").unwrap_or(line);
            let is_toml = text.starts_with("[[deny]]")
                || text.starts_with("[simulated]")
                || ["id", "vendor", "products", "reason", "accept", "roots", "several_sockets"]
                    .iter()
                    .any(|key| text.strip_prefix(key).is_some_and(|rest| rest.starts_with(" =")))
                || ["ciphertext_visible", "power_readings"]
                    .iter()
                    .any(|key| text.strip_prefix(key).is_some_and(|rest| rest.starts_with(" =")));
            if is_toml { text } else { line }
        })
        .collect();
    let policy = Policy::parse(&open.join("\n")).unwrap();
    let guest = policy.guest();
    let switches = [guest.several_sockets, guest.ciphertext_visible, guest.power_readings];
    assert_eq!(switches, [Switch::Refuse; 3]);
    assert_eq!(ids(policy.denying(Tee::SevSnp, Product::Milan).map(|rule| &*rule.id)), ["no-milan"]);
    assert_eq!(policy.denying(Tee::SevSnp, Product::Genoa).count(), 0);
    assert_eq!(policy.simulated_roots(), &BTreeSet::from([SimulatedRoot::Named("local".into())]));
}

#[test]
fn the_closed_policy_accepts_nothing() {
    let policy = Policy::closed();
    assert_eq!(policy.allow_rules().count(), 0);
    assert!(policy.measurements().is_empty());
    assert!(policy.simulated_roots().is_empty());
}

#[test]
fn every_field_is_read() {
    let digits = "0123456789abcdef".repeat(4);
    let measurement = "0123456789abcdef".repeat(6);
    let text = format!(
        r#"
        version = 1
        keep = {{ measurements = ["sha384:{measurement}", "release"] }}
        simulated = {{ accept = true, roots = ["local", "sha256:{digits}"] }}
        guest = {{ debug = "accept", migration = "accept", vmpl = [1, 0, 3], vlek = "accept", smt = "refuse" }}
        collateral = {{ crl = "absent-accepted" }}
        minimum_tcb.turin = {{ fmc = 0x01, bootloader = 2, tee = 3, snp = 4, microcode = 5 }}
        [[allow]]
        id = "any"
        vendor = "amd"
        tee = "sev-snp"
        products = ["milan", "genoa", "siena"]
        minimum_tcb = "not-checked"
        reason = "laboratory"
        [[allow]]
        id = "turin"
        vendor = "amd"
        tee = "sev-snp"
        products = ["turin"]
        [[deny]]
        id = "siena"
        vendor = "amd"
        products = ["siena"]
        reason = "not ours"
        "#
    );
    let policy = Policy::parse(&text).unwrap();
    let mut expected = [0; 48];
    hex::decode_to_slice(&measurement, &mut expected).unwrap();
    assert_eq!(
        policy.measurements(),
        &BTreeSet::from([
            Measurement::Reference("release".into()),
            Measurement::Digest { algorithm: DigestAlgorithm::Sha384, digest: expected.to_vec() }
        ])
    );
    let mut expected = [0; 32];
    hex::decode_to_slice(&digits, &mut expected).unwrap();
    assert_eq!(
        policy.simulated_roots(),
        &BTreeSet::from([SimulatedRoot::Named("local".into()), SimulatedRoot::Sha256(expected)])
    );
    assert_eq!(
        policy.guest(),
        &Guest {
            debug: Switch::Accept,
            migration: Switch::Accept,
            vmpl: BTreeSet::from([0, 1, 3]),
            vlek: Switch::Accept,
            smt: Switch::Refuse,
            ..Guest::default()
        }
    );
    assert_eq!(policy.crl(), Crl::AbsentAccepted);
    assert_eq!(
        policy.minimum_tcb(Product::Turin),
        Some(&TcbVersion { fmc: Some(1), bootloader: 2, tee: 3, snp: 4, microcode: 5 })
    );
    assert_eq!(policy.minimum_tcb(Product::Milan), None);
    let any = policy.allowing(Tee::SevSnp, Product::Siena).next().unwrap();
    assert_eq!(
        (&*any.id, any.minimum_tcb, any.reason.as_deref()),
        ("any", MinimumTcb::NotChecked, Some("laboratory"))
    );
    let siena = policy.denying(Tee::SevSnp, Product::Siena).next().unwrap();
    assert_eq!((&*siena.id, siena.reason.as_deref()), ("siena", Some("not ours")));
}

#[test]
fn a_keep_that_is_no_longer_accepted_is_flagged_unless_the_policy_says_more() {
    let with = |text: &str| {
        let policy = policy::template().replace("version = 1\n", &format!("version = 1\n{text}\n"));
        Policy::parse(&policy).unwrap().on_refusal()
    };
    assert_eq!(with(""), OnRefusal::Flag);
    for word in [OnRefusal::Flag, OnRefusal::Drain, OnRefusal::Redeploy, OnRefusal::Stop] {
        assert_eq!(with(&format!("on_refusal = \"{word}\"")), word);
    }
    assert_eq!(Policy::closed().on_refusal(), OnRefusal::Flag);
}

#[test]
fn a_denied_product_needs_no_minimum() {
    let text = policy::template()
        .replace("[minimum_tcb.milan]\nbootloader = 4\ntee = 0\nsnp = 27\nmicrocode = 219\n", "");
    assert_ne!(text, policy::template());
    Policy::parse(&text).unwrap_err();
    let denied = format!("{text}[[deny]]\nid = \"no-milan\"\nvendor = \"amd\"\nproducts = [\"milan\"]\n");
    Policy::parse(&denied).unwrap();
}

/// A policy written with the freedoms that make no difference to its meaning.
fn written(rules_reversed: bool, defaults: bool, comments: bool) -> String {
    let mut text = String::from("version = 1\n[keep]\nmeasurements = [\"release\"]\n");
    let mut rules = ["milan", "genoa"];
    if rules_reversed {
        rules.reverse();
    }
    for product in rules {
        if comments {
            writeln!(text, "# about {product}").unwrap();
        }
        writeln!(text, "[[allow]]\nid = \"{product}\"\nvendor = \"amd\"\ntee = \"sev-snp\"").unwrap();
        writeln!(text, "products = [\"{product}\"]").unwrap();
        writeln!(text, "{}", if defaults { "" } else { "minimum_tcb = \"checked\"" }).unwrap();
        writeln!(text, "[minimum_tcb.{product}]\nbootloader = 1\ntee = 2\nsnp = 3\nmicrocode = 4").unwrap();
    }
    if !defaults {
        text.push_str("[guest]\ndebug = \"refuse\"\nmigration = \"refuse\"\nvmpl = [0]\nvlek = \"refuse\"\n");
        text.push_str("smt = \"accept\"\n[collateral]\ncrl = \"required\"\n[simulated]\naccept = false\n");
    }
    text
}

#[test]
fn the_digest_depends_on_meaning_only() {
    let expected = Policy::parse(&written(false, false, false)).unwrap();
    for (reversed, defaults, comments) in [(true, false, false), (false, true, false), (false, false, true)] {
        let other = Policy::parse(&written(reversed, defaults, comments)).unwrap();
        assert_eq!(other, expected);
        assert_eq!(other.digest(), expected.digest());
    }
}

#[test]
fn the_digest_stays_the_same_between_releases() {
    assert_eq!(
        hex::encode(Policy::closed().digest()),
        "b7337bbbb699ef1ce72d5cbc5f55c57bb56725df448bea3120309a0a1213af8d"
    );
    assert_eq!(
        hex::encode(Policy::parse(&written(false, false, false)).unwrap().digest()),
        "921929eee3df4bfea4ab15aa55a9453b42873041ad3e4d892d3e8502d6848acc"
    );
}

#[test]
fn every_difference_in_meaning_changes_the_digest() {
    let base = written(false, false, false);
    let changes = [
        ("\"release\"", "\"release2\""),
        ("\"release\"", "\"release\", \"next\""),
        ("id = \"milan\"", "id = \"milan2\""),
        ("products = [\"milan\"]", "products = [\"milan\"]\nreason = \"r\""),
        ("products = [\"milan\"]", "products = [\"milan\", \"genoa\"]"),
        ("[minimum_tcb.milan]\nbootloader = 1", "[minimum_tcb.milan]\nbootloader = 2"),
        ("[minimum_tcb.milan]\nbootloader = 1\ntee = 2", "[minimum_tcb.milan]\nbootloader = 2\ntee = 1"),
        ("debug = \"refuse\"", "debug = \"accept\""),
        ("migration = \"refuse\"", "migration = \"accept\""),
        ("vmpl = [0]", "vmpl = [1]"),
        ("vmpl = [0]", "vmpl = [0, 1]"),
        ("vlek = \"refuse\"", "vlek = \"accept\""),
        ("smt = \"accept\"", "smt = \"refuse\""),
        ("crl = \"required\"", "crl = \"absent-accepted\""),
        ("accept = false", "accept = true\nroots = [\"local\"]"),
        ("[simulated]", "[cca]\nsoftware = [\"rmm\"]\n[simulated]"),
        ("[simulated]", "[cca]\nsoftware = [\"rmm\", \"bl2\"]\n[simulated]"),
        ("[simulated]", "[keep.registers]\nrem0 = [\"rmm\"]\n[simulated]"),
        ("version = 1", "version = 1\non_refusal = \"drain\""),
        ("version = 1", "version = 1\non_refusal = \"stop\""),
        ("[simulated]", "[[deny]]\nid = \"x\"\nvendor = \"amd\"\nproducts = [\"turin\"]\n[simulated]"),
    ];
    let mut digests = BTreeSet::from([Policy::parse(&base).unwrap().digest()]);
    for (from, to) in changes {
        let changed = base.replacen(from, to, 1);
        assert_ne!(changed, base, "{from}");
        assert!(digests.insert(Policy::parse(&changed).unwrap().digest()), "{from} to {to}");
    }
}

const AMD: [Product; 4] = [Product::Milan, Product::Genoa, Product::Siena, Product::Turin];

proptest! {
    /// Adding a deny rule never allows more, and either loads or is reported.
    #[test]
    fn a_deny_rule_never_widens(products in proptest::sample::subsequence(&AMD[..], 1..=4)) {
        let names: Vec<String> = products.iter().map(|product| format!("\"{product}\"")).collect();
        let text = format!(
            "{}[[deny]]\nid = \"deny\"\nvendor = \"amd\"\nproducts = [{}]\n", policy::template(), names.join(", ")
        );
        let listed = |product| [Product::Milan, Product::Genoa, Product::Turin].contains(&product);
        let all_denied = Product::ALL.iter().filter(|product| listed(**product)).all(|product| products.contains(product));
        match Policy::parse(&text) {
            Err(error) => prop_assert!(all_denied, "{error}"),
            Ok(policy) => {
                prop_assert!(!all_denied);
                for &product in Product::ALL {
                    prop_assert_eq!(policy.denying(Tee::SevSnp, product).count() > 0, products.contains(&product));
                }
            }
        }
    }

    /// Whatever stands in a policy file, reading it ends with a policy or with a position inside the file.
    #[test]
    fn any_text_is_read_or_refused(start in 0..2000_usize, length in 0..40_usize, noise in "[\\PC\n]{0,20}") {
        let characters: Vec<char> = policy::template().chars().collect();
        let start = start.min(characters.len());
        let end = (start + length).min(characters.len());
        let text: String = characters[..start].iter().copied().chain(noise.chars()).chain(characters[end..].iter().copied()).collect();
        if let Err(error) = Policy::parse(&text) {
            prop_assert!(error.line >= 1 && error.line <= text.split('\n').count(), "{error}");
            prop_assert!(error.column >= 1, "{error}");
            prop_assert!(!error.message.is_empty());
        }
    }
}

#[test]
fn a_policy_that_says_no_more_than_it_must_is_strict() {
    let platforms = [
        ("amd", "sev-snp"),
        ("amd", "azure-snp"),
        ("intel", "tdx"),
        ("intel", "sgx"),
        ("intel", "azure-tdx"),
        ("arm", "cca"),
        ("aws", "nitro"),
        ("tpm", "tpm"),
        ("nvidia", "nvgpu"),
    ];
    let tcb = ["bootloader = 1\ntee = 1\nsnp = 1\nmicrocode = 1\n"; 4];
    let names = ["milan", "genoa", "siena", "turin"];
    let levels = names.iter().zip(tcb).map(|(name, tcb)| {
        let fmc = if *name == "turin" { "fmc = 1\n" } else { "" };
        format!("[minimum_tcb.{name}]\n{fmc}{tcb}")
    });
    let levels = levels.collect::<String>();
    for (vendor, tee) in platforms {
        let levels = if vendor == "amd" { levels.as_str() } else { "" };
        let rule = format!("[[allow]]\nid = \"one\"\nvendor = \"{vendor}\"\ntee = \"{tee}\"\n");
        let text = format!("version = 1\n[keep]\nmeasurements = [\"release\"]\n{rule}{levels}");
        let policy = Policy::parse(&text).unwrap_or_else(|error| panic!("{tee}: {error}"));
        let guest = policy.guest();
        let refused = [guest.debug, guest.migration, guest.vlek, policy.intel().sept_ve_enabled];
        assert_eq!(refused, [Switch::Refuse; 4], "{tee}");
        assert_eq!(guest.vmpl, BTreeSet::from([0]), "{tee}");
        assert_eq!((policy.crl(), policy.tcb_info()), (Crl::Required, TcbInfo::Required), "{tee}");
        assert_eq!(policy.intel().tcb_status, BTreeSet::from([TcbStatus::UpToDate]), "{tee}");
        assert_eq!(policy.intel().advisories, Advisories::Checked, "{tee}");
        assert!(policy.intel().service_tds.is_empty() && policy.intel().signers.is_empty(), "{tee}");
        assert!(policy.platform_software().is_empty() && policy.simulated_roots().is_empty(), "{tee}");
        assert_eq!(policy.tpm().sha1, Switch::Refuse, "{tee}");
        assert!(policy.allow_rules().all(|rule| rule.minimum_tcb == MinimumTcb::Checked), "{tee}");
        // A register that is not named has to be zero.
        assert!(policy.registers().next().is_none(), "{tee}");
    }
}
