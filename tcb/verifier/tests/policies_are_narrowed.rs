// SPDX-License-Identifier: Apache-2.0

//! A policy that extends another one: what it takes over, what it may change, and that it never accepts more.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use enarx_verifier::UnixTime;
use enarx_verifier::policy::{
    Base, Features, MAX_EXTENDS, OnRefusal, Platform, Policy, Product, Switch, Tee, Vocabulary,
};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

const BASE: &str = r#"version = 1
on_refusal = "drain"
[sets]
lab = ["00112233445566778899aabbccddeeff"]
[keep]
measurements = ["release", "next"]
[[allow]]
id = "amd"
vendor = "amd"
tee = "sev-snp"
products = ["milan", "genoa"]
expires = "2030-01-01"
[[allow]]
id = "intel"
vendor = "intel"
tee = "tdx"
[[deny]]
id = "no-milan"
vendor = "amd"
products = ["milan"]
[minimum_tcb.genoa]
bootloader = 10
tee = 0
snp = 27
microcode = 84
[guest]
vlek = "accept"
vmpl = [0, 1]
[intel]
tcb_status = ["UpToDate", "SWHardeningNeeded"]
advisories_accepted = ["INTEL-SA-00615"]
advisories_refused = ["INTEL-SA-00001"]
out_of_date_accepted_for_days = 14
minimum_tcb_date = "2024-01-01"
[collateral]
maximum_age_days = 30
"#;

const TEAM: &str = "version = 1\nextends = \"base.toml\"\n";

/// Reads a policy that may extend others of these names.
fn parse(text: &str, others: &[(&str, &str)]) -> Result<Policy, String> {
    let others: BTreeMap<&str, &str> = others.iter().copied().collect();
    let mut find = |name: &str, _: Option<&str>| {
        let text = others.get(name).ok_or_else(|| "it is not there".to_owned())?;
        Ok(Base { name: name.to_owned(), text: (*text).to_owned() })
    };
    Policy::parse_with("team.toml", text, &mut find).map_err(|error| {
        let hint = error.hint.as_ref().map_or(String::new(), |hint| format!("; {hint}"));
        format!("{}: {error}{hint}", error.file.as_deref().unwrap_or("?"))
    })
}

fn narrowed(more: &str) -> Result<Policy, String> {
    parse(&format!("{TEAM}{more}"), &[("base.toml", BASE)])
}

#[test]
fn what_is_not_said_is_as_in_the_other_policy() {
    let base = parse(BASE, &[]).unwrap();
    let team = narrowed("").unwrap();
    assert_eq!(team, base);
    assert_eq!(team.digest(), base.digest());
    let stricter = narrowed("on_refusal = \"stop\"\n[guest]\nvlek = \"refuse\"\n").unwrap();
    assert_eq!(stricter.on_refusal(), OnRefusal::Stop);
    assert_eq!((stricter.guest().vlek, stricter.guest().vmpl.len()), (Switch::Refuse, 2));
    assert_eq!(stricter.measurements(), base.measurements());
    assert_ne!(stricter.digest(), base.digest());
}

#[test]
fn rules_that_deny_add_up_and_rules_that_allow_replace() {
    let deny = "[[deny]]\nid = \"no-spr\"\nvendor = \"intel\"\nproducts = [\"sapphire-rapids\"]\n";
    let team = narrowed(deny).unwrap();
    let ids = team.deny_rules().map(|rule| (rule.id.as_str(), rule.place.file())).collect::<Vec<_>>();
    assert_eq!(ids, [("no-milan", Some("base.toml")), ("no-spr", Some("team.toml"))]);
    assert_eq!(team.allow_rules().count(), 2);
    let allow = "[[allow]]\nid = \"lab\"\nvendor = \"intel\"\ntee = \"tdx\"\nppids = [\"@lab\"]\n";
    let team = narrowed(allow).unwrap();
    assert_eq!(team.allow_rules().map(|rule| rule.id.as_str()).collect::<Vec<_>>(), ["lab"]);
    let team = narrowed("[intel]\nadvisories_refused = [\"INTEL-SA-00002\"]\n").unwrap();
    let refused = team.intel().advisories_refused.iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(refused, ["INTEL-SA-00001", "INTEL-SA-00002"]);
}

#[test]
fn registers_are_narrowed_for_each_kind_of_tee() {
    let team = |base: &str, more: &str| {
        let base = format!("{BASE}[keep.registers]\n{base}\n");
        let text = format!("{TEAM}[keep.registers]\n{more}\n");
        parse(&text, &[("base.toml", &base)])
            .map(|_| ())
            .map_err(|error| error.split_once(';').unwrap().0.to_owned())
    };
    let accepts = |path: &str, value: &str, column: usize| {
        let path = format!("`keep.registers.{path}` accepts `{value}`");
        Err(format!("team.toml: line 4, column {column}: {path}, which the policy that is extended does not"))
    };
    let lost = |name: &str| {
        let lost = format!("`{name}` is not among the registers");
        Err(format!("team.toml: line 3, column 7: {lost}, which the policy that is extended names"))
    };
    let all = "pcr11 = [\"a\", \"b\"]";
    assert_eq!(team(all, "pcr11 = [\"a\"]"), Ok(()));
    // For one kind less than for the others is narrower; for one kind alone, the others would have to be zero.
    assert_eq!(team(all, "pcr11 = [\"a\", \"b\"]\nnitro.pcr11 = [\"b\"]"), Ok(()));
    assert_eq!(team(all, "nitro.pcr11 = [\"b\"]"), lost("pcr11"));
    // Naming a value for all is more than naming it for one kind.
    assert_eq!(team("tpm.pcr11 = [\"a\"]", "pcr11 = [\"a\"]"), accepts("pcr11", "a", 1));
    assert_eq!(team("tpm.pcr11 = [\"a\"]", "tpm.pcr11 = [\"b\"]"), accepts("tpm.pcr11", "b", 5));
    assert_eq!(team(&format!("{all}\ntpm.pcr11 = [\"a\"]"), all), accepts("pcr11", "b", 1));
    assert_eq!(team("tpm.pcr11 = [\"a\"]", "nitro.pcr3 = [\"a\"]"), accepts("nitro.pcr3", "a", 7));
    assert_eq!(team("tpm.pcr11 = [\"a\"]", ""), lost("tpm.pcr11"));
}

#[test]
fn what_is_wider_is_an_error_where_it_stands() {
    let rule = "[[allow]]\nid = \"x\"\nvendor = \"amd\"\ntee = \"sev-snp\"\n";
    let wider_rule = "team.toml: line 3, column 1: rule `x` allows more than any rule of the policy that is \
                      extended; one rule there must allow all that it allows, with no more checks and for as long";
    let accepts = |place: &str, path: &str, value: &str| {
        format!(
            "team.toml: {place}: `{path}` accepts `{value}`, which the policy that is extended does not; a policy \
             that extends another one can only narrow it"
        )
    };
    let is_wider = |place: &str, path: &str, there: &str| {
        format!(
            "team.toml: {place}: `{path}` is wider than in the policy that is extended; there it is {there}"
        )
    };
    let cases = [
        ("on_refusal = \"flag\"", is_wider("line 3, column 1", "on_refusal", "drain")),
        ("[keep]\nmeasurements = [\"mine\"]", accepts("line 4, column 1", "keep.measurements", "mine")),
        ("[keep.registers]\nrtmr0 = [\"x\"]", accepts("line 4, column 1", "keep.registers.rtmr0", "x")),
        ("[simulated]\naccept = true\nroots = [\"local\"]", accepts("line 5, column 1", "simulated.roots", "local")),
        ("[guest]\ndebug = \"accept\"", is_wider("line 4, column 1", "guest.debug", "`refuse`")),
        ("[guest]\nvmpl = [2]", accepts("line 4, column 1", "guest.vmpl", "2")),
        ("[intel]\ntcb_status = [\"OutOfDate\"]", accepts("line 4, column 1", "intel.tcb_status", "OutOfDate")),
        ("[intel]\nout_of_date_accepted_for_days = 15", is_wider("line 4, column 1", "intel.out_of_date_accepted_for_days", "14")),
        (
            "[intel]\nminimum_tcb_date = \"2023-12-31\"",
            is_wider("line 4, column 1", "intel.minimum_tcb_date", "2024-01-01T00:00:00Z"),
        ),
        ("[intel]\nadvisories_accepted = [\"X\"]", accepts("line 4, column 1", "intel.advisories_accepted", "X")),
        ("[intel]\nsept_ve_enabled = \"accept\"", is_wider("line 4, column 1", "intel.sept_ve_enabled", "`refuse`")),
        ("[cca]\nsoftware = [\"x\"]", accepts("line 4, column 1", "cca.software", "x")),
        ("[tpm]\nsha1 = \"accept\"", is_wider("line 4, column 1", "tpm.sha1", "`refuse`")),
        ("[collateral]\ncrl = \"absent-accepted\"", is_wider("line 4, column 1", "collateral.crl", "`required`")),
        ("[collateral]\nmaximum_age_days = 31", is_wider("line 4, column 1", "collateral.maximum_age_days", "30")),
        (
            "[collateral]\nexpired_accepted_for_days = 1",
            is_wider("line 4, column 1", "collateral.expired_accepted_for_days", "0"),
        ),
        (
            "[minimum_tcb.genoa]\nbootloader = 10\ntee = 0\nsnp = 26\nmicrocode = 84",
            is_wider(
                "line 3, column 14",
                "minimum_tcb.genoa",
                "at least bootloader=10,tee=0,snp=27,microcode=84 for the current TCB",
            ),
        ),
        ("[[deny]]\nid = \"no-milan\"\nvendor = \"intel\"\nproducts = [\"ice-lake-sp\"]", "team.toml: line 3, column 1: rule `no-milan` has the id of a rule of the policy that is extended; that one (line 17 of base.toml) denies here, too; give this one another id".to_owned()),
        (&format!("{rule}products = [\"turin\"]"), wider_rule.to_owned()),
        (&format!("{rule}products = [\"genoa\"]\nexpires = \"2030-01-02\""), wider_rule.to_owned()),
        (&format!("{rule}products = [\"genoa\"]"), wider_rule.to_owned()),
        (&format!("{rule}products = [\"genoa\"]\nexpires = \"2029-01-01\"\nminimum_tcb = \"not-checked\""), wider_rule.to_owned()),
    ];
    for (more, expected) in &cases {
        assert_eq!(narrowed(&format!("{more}\n")).map(|_| ()), Err(expected.clone()), "{more}");
    }
}

#[test]
fn the_other_policy_can_be_pinned_by_its_digest() {
    let digest = hex::encode(parse(BASE, &[]).unwrap().digest());
    narrowed(&format!("extends_sha256 = \"{digest}\"\n")).unwrap();
    let changed = BASE.replace("vmpl = [0, 1]", "vmpl = [0]");
    let other = hex::encode(parse(&changed, &[]).unwrap().digest());
    assert_eq!(
        parse(&format!("{TEAM}extends_sha256 = \"{digest}\"\n"), &[("base.toml", &changed)]).map(|_| ()),
        Err(format!(
            "team.toml: line 3, column 18: `base.toml` is not the policy that is pinned: its digest is {other}; look at \
             what has changed before you pin it anew"
        ))
    );
    assert_eq!(
        parse(&BASE.replace("[sets]", &format!("extends_sha256 = \"{digest}\"\n[sets]")), &[]).map(|_| ()),
        Err("team.toml: line 3, column 18: `extends_sha256` pins a policy that is not named; write `extends`, too, or \
             remove it"
            .to_owned())
    );
}

#[test]
fn nobody_extends_what_is_not_there_or_himself_or_without_end() {
    assert_eq!(
        parse(TEAM, &[]).map(|_| ()),
        Err("team.toml: line 2, column 11: could not read `base.toml`: it is not there".to_owned())
    );
    assert_eq!(
        Policy::parse(TEAM).unwrap_err().to_string(),
        "line 2, column 11: could not read `base.toml`: this policy stands alone here, and nobody brings the one it \
         extends"
    );
    let round = "version = 1\nextends = \"team.toml\"\n";
    assert_eq!(
        parse(TEAM, &[("base.toml", round), ("team.toml", TEAM)]).map(|_| ()),
        Err("base.toml: line 2, column 11: `team.toml` extends itself; a base policy must not extend what narrows it"
            .to_owned())
    );
    let mut count = 0;
    let mut endless = |_: &str, _: Option<&str>| {
        count += 1;
        Ok(Base { name: format!("{count}.toml"), text: TEAM.to_owned() })
    };
    let error = Policy::parse_with("team.toml", TEAM, &mut endless).unwrap_err();
    assert_eq!(error.message, format!("more than {MAX_EXTENDS} policies extend one another"));
    assert_eq!(count, MAX_EXTENDS);
}

#[test]
fn a_mistake_in_the_other_policy_is_told_with_its_name() {
    assert_eq!(
        parse(TEAM, &[("base.toml", "version = 1\nkep = 1\n")]).map(|_| ()),
        Err("base.toml: line 2, column 1: unknown key `kep`; did you mean `keep`?".to_owned())
    );
}

/// A piece of a policy and how strict it is: a higher number never accepts more.
fn rule(id: &str, products: &[Product], ppids: &[u8]) -> String {
    let products = products.iter().map(|product| format!("\"{product}\"")).collect::<Vec<_>>().join(", ");
    let ppids = ppids.iter().map(|byte| format!("\"{}\"", hex::encode([*byte; 16]))).collect::<Vec<_>>();
    let ppids = if ppids.is_empty() { String::new() } else { format!("ppids = [{}]\n", ppids.join(", ")) };
    format!("id = \"{id}\"\nvendor = \"intel\"\ntee = \"tdx\"\nproducts = [{products}]\n{ppids}")
}

const INTEL: [Product; 4] =
    [Product::SapphireRapids, Product::EmeraldRapids, Product::GraniteRapids, Product::SierraForest];

prop_compose! {
    fn any_rule()(products in subsequence(&INTEL[..], 1..=4), ppids in subsequence(vec![1_u8, 2, 3], 0..=3)) -> (Vec<Product>, Vec<u8>) {
        (products, ppids)
    }
}

/// What a rule is about.
type About = (Vec<Product>, Vec<u8>);

fn rules(kind: &str, prefix: &str, rules: &[About]) -> String {
    let rules = rules.iter().enumerate().map(|(index, (products, ppids))| {
        format!("[[{kind}]]\n{}", rule(&format!("{prefix}{index}"), products, ppids))
    });
    rules.collect::<Vec<_>>().concat()
}

/// Every platform that the rules above can tell apart, with and without what they ask for.
fn platforms() -> Vec<(Product, Features)> {
    let ppid = |byte: Option<u8>| {
        byte.map(|byte| (enarx_verifier::policy::Feature::Ppids, vec![vec![byte; 16]]))
            .into_iter()
            .collect::<Features>()
    };
    let ppids = [None, Some(1), Some(2), Some(3), Some(4)];
    INTEL.iter().flat_map(|product| ppids.map(|byte| (*product, ppid(byte)))).collect()
}

fn accepts(policy: &Policy, product: Product, features: &Features) -> bool {
    policy.decide(&Platform { tee: Tee::Tdx, product, features }, UnixTime(0)).is_accepted()
}

const KEEP: &str = "version = 1\n[keep]\nmeasurements = [\"release\"]\n";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever stands in a policy that extends another one: it is refused, or accepts no platform that the other refuses.
    #[test]
    fn narrowing_never_widens(
        allow in proptest::collection::vec(any_rule(), 1..4),
        deny in proptest::collection::vec(any_rule(), 0..3),
        more_allow in proptest::collection::vec(any_rule(), 0..4),
        more_deny in proptest::collection::vec(any_rule(), 0..3),
        smt in select(vec!["", "smt = \"accept\"\n", "smt = \"refuse\"\n"]),
        status in subsequence(vec!["UpToDate", "OutOfDate", "SWHardeningNeeded"], 1..=3),
    ) {
        let base = format!("{KEEP}[guest]\nsmt = \"refuse\"\n[intel]\ntcb_status = [\"UpToDate\", \"OutOfDate\"]\n{}{}", rules("allow", "a", &allow), rules("deny", "d", &deny));
        let Ok(whole) = parse(&base, &[]) else { return Ok(()) };
        let status = status.iter().map(|status| format!("\"{status}\"")).collect::<Vec<_>>().join(", ");
        let team = format!("{TEAM}[guest]\n{smt}[intel]\ntcb_status = [{status}]\n{}{}", rules("allow", "b", &more_allow), rules("deny", "e", &more_deny));
        let Ok(team) = parse(&team, &[("base.toml", &base)]) else { return Ok(()) };
        prop_assert_eq!(team.guest().smt, Switch::Refuse);
        prop_assert!(team.intel().tcb_status.is_subset(&whole.intel().tcb_status));
        for (product, features) in platforms() {
            prop_assert!(!accepts(&team, product, &features) || accepts(&whole, product, &features));
        }
    }

    /// One more rule that denies never accepts more, and denies what it is about.
    #[test]
    fn a_rule_that_denies_never_accepts_more(
        allow in proptest::collection::vec(any_rule(), 1..4),
        deny in proptest::collection::vec(any_rule(), 0..3),
        (products, ppids) in any_rule(),
    ) {
        let before = format!("{KEEP}{}{}", rules("allow", "a", &allow), rules("deny", "d", &deny));
        let Ok(few) = parse(&before, &[]) else { return Ok(()) };
        let Ok(more) = parse(&format!("{before}[[deny]]\n{}", rule("more", &products, &ppids)), &[]) else { return Ok(()) };
        for (product, features) in platforms() {
            prop_assert!(!accepts(&more, product, &features) || accepts(&few, product, &features));
            if products.contains(&product) && ppids.is_empty() {
                prop_assert!(!accepts(&more, product, &features));
            }
        }
    }

    /// The order of rules makes no difference, neither to what is accepted nor to the digest.
    #[test]
    fn the_order_of_rules_makes_no_difference(
        rules in proptest::collection::vec((any::<bool>(), any_rule()), 1..6),
        order in any::<prop::sample::Index>(),
    ) {
        let written = |rules: &[(usize, bool, About)]| {
            let text = rules.iter().map(|(number, allow, (products, ppids))| {
                let kind = if *allow { "allow" } else { "deny" };
                format!("[[{kind}]]\n{}", rule(&format!("r{number}"), products, ppids))
            });
            format!("{KEEP}{}", text.collect::<String>())
        };
        let mut rules: Vec<_> = rules.into_iter().enumerate().map(|(number, (allow, rule))| (number, allow, rule)).collect();
        let one = parse(&written(&rules), &[]);
        let middle = order.index(rules.len());
        rules.rotate_left(middle);
        let other = parse(&written(&rules), &[]);
        prop_assert_eq!(one.is_ok(), other.is_ok());
        if let (Ok(one), Ok(other)) = (one, other) {
            prop_assert_eq!(one.digest(), other.digest());
            for (product, features) in platforms() {
                prop_assert_eq!(accepts(&one, product, &features), accepts(&other, product, &features));
            }
        }
    }
}

#[test]
fn every_platform_of_the_properties_exists() {
    assert!(INTEL.iter().all(|product| product.has(Tee::Tdx)));
    assert!(Product::ALL.len() > INTEL.len());
}
