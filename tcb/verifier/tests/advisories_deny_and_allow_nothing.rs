// SPDX-License-Identifier: Apache-2.0

//! Feeds of advisories deny what they are about, and change no other answer.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod feeds;
mod quotes;
mod realms;
mod simulated;

use std::collections::BTreeSet;

use enarx_evidence::Bundle;
use enarx_simulator::{SimulatedQuote, SimulatedRealm};
use enarx_verifier::advisory::Day;
use enarx_verifier::{Code, UnixTime};
use feeds::{HEAD, about, signed};
use proptest::prelude::*;
use simulated::{Relying, Vendor};

const DENIED: [Code; 1] = [Code::AdvisoryDenies];

/// The codes of a SEV-SNP platform under a feed that is about these.
fn snp(platform: &str, affects: &[&str]) -> Vec<Code> {
    let mut relying = Relying::party();
    relying.advisories = vec![signed(&about(affects))];
    relying.codes(&Vendor::local().attest(platform))
}

#[test]
fn a_product_is_denied_and_no_other() {
    let milan = ["vendor = \"amd\"\ntee = \"sev-snp\"\nproducts = [\"milan\"]"];
    assert_eq!(snp("amd/milan", &milan), DENIED);
    assert_eq!(snp("amd/genoa", &milan), []);
    assert_eq!(snp("amd/turin", &milan), []);
    assert_eq!(snp("amd/genoa", &["vendor = \"amd\""]), DENIED, "a whole vendor");
    assert_eq!(snp("amd/genoa", &["vendor = \"intel\""]), [], "another vendor");
}

#[test]
fn evidence_that_does_not_tell_products_apart_counts_as_each() {
    let siena = ["vendor = \"amd\"\nproducts = [\"siena\"]"];
    assert_eq!(snp("amd/genoa", &siena), []);
    assert_eq!(snp("amd/genoa@version=2,microcode=84", &siena), DENIED);
    assert_eq!(snp("amd/milan@version=2", &siena), []);
}

#[test]
fn each_tcb_version_has_to_reach_the_safe_level() {
    let below = ["vendor = \"amd\"\nproducts = [\"milan\"]\ntcb_below = { microcode = 219, snp = 27 }"];
    assert_eq!(snp("amd/milan", &below), []);
    let safer = ["vendor = \"amd\"\nproducts = [\"milan\"]\ntcb_below = { microcode = 220 }"];
    assert_eq!(snp("amd/milan", &safer), DENIED);
    for version in ["current", "committed", "launch", "reported"] {
        let platform = format!("amd/milan@microcode=220,{version}.microcode=219");
        assert_eq!(snp(&platform, &safer), DENIED, "{version}");
    }
    assert_eq!(snp("amd/milan@microcode=220", &safer), []);
    assert_eq!(snp("amd/genoa", &safer), [], "the levels of another product");
    let fmc = ["vendor = \"amd\"\nproducts = [\"turin\"]\ntcb_below = { fmc = 2 }"];
    assert_eq!(snp("amd/turin", &fmc), DENIED);
    assert_eq!(snp("amd/turin@fmc=2", &fmc), []);
}

#[test]
fn what_a_report_hides_counts_as_affected() {
    let stepping = ["vendor = \"amd\"\nproducts = [\"milan\"]\nsteppings = [0]"];
    assert_eq!(snp("amd/milan", &stepping), [], "stepping 1");
    assert_eq!(snp("amd/milan@version=2", &stepping), DENIED, "a report without a stepping");
    let chip = format!("vendor = \"amd\"\nchip_ids = [\"{}{}\"]", "0a0b", "00".repeat(62));
    assert_eq!(snp("amd/milan@chip=0a0b", &[&chip]), DENIED);
    assert_eq!(snp("amd/milan@chip=0a0c", &[&chip]), []);
    let hidden = snp("amd/milan@hidden-chip", &[&chip]);
    assert!(hidden.contains(&Code::AdvisoryDenies), "{hidden:?}");
}

#[test]
fn all_that_stands_in_a_block_has_to_apply_and_one_block_suffices() {
    let measurement = hex::encode(simulated::MEASUREMENT);
    let keep = format!("keeps = [\"sha384:{measurement}\"]");
    assert_eq!(snp("amd/genoa", &[&keep]), DENIED);
    let on_milan = format!("vendor = \"amd\"\nproducts = [\"milan\"]\n{keep}");
    assert_eq!(snp("amd/milan", &[&on_milan]), DENIED);
    assert_eq!(snp("amd/genoa", &[&on_milan]), []);
    let other = format!("vendor = \"amd\"\nkeeps = [\"sha384:{}\"]", "33".repeat(48));
    assert_eq!(snp("amd/milan", &[&other]), []);
    let either = format!("{other}\n[[advisory.affects]]\n{keep}");
    assert_eq!(snp("amd/milan", &[&either]), DENIED);
}

#[test]
fn intels_platforms_are_denied_by_kind_date_module_and_single() {
    let codes = |affects: &str| {
        let mut relying = quotes::Relying::party();
        relying.advisories = vec![signed(&about(&[affects]))];
        relying.codes(&quotes::sound_td())
    };
    let result = quotes::Relying::party().appraise(&quotes::sound_td()).unwrap();
    let claims = serde_json::to_value(result.claims()).unwrap();
    let fmspc = claims["fmspc"].as_str().unwrap();
    let ppid = claims["ppid"].as_str().unwrap();
    let (denied, accepted) = (BTreeSet::from(DENIED), BTreeSet::new());
    assert_eq!(codes(&format!("vendor = \"intel\"\nfmspcs = [\"{fmspc}\"]")), denied);
    assert_eq!(codes("vendor = \"intel\"\nfmspcs = [\"50806f000000\"]"), accepted);
    assert_eq!(codes("vendor = \"intel\"\ntcb_date_before = \"2099-01-01\""), denied);
    assert_eq!(codes("vendor = \"intel\"\ntcb_date_before = \"1999-01-01\""), accepted);
    assert_eq!(codes("vendor = \"intel\"\ntee = \"sgx\"\ntcb_date_before = \"2099-01-01\""), accepted);
    // Where nothing tells the date, it may be any before.
    let mut undated = quotes::sound_td();
    undated.endorsements.items.drain(..3);
    let mut accepting =
        quotes::Relying::under(quotes::policy_with("[collateral]\ntcb_info = \"absent-accepted\""));
    assert_eq!(accepting.codes(&undated), accepted);
    accepting.advisories = vec![signed(&about(&["vendor = \"intel\"\ntcb_date_before = \"1999-01-01\""]))];
    assert_eq!(accepting.codes(&undated), denied);
    assert_eq!(codes(&format!("vendor = \"intel\"\nppids = [\"{ppid}\"]")), denied);
    assert_eq!(codes(&format!("vendor = \"intel\"\nppids = [\"{}\"]", "00".repeat(16))), accepted);
    let module = quotes::attest(&SimulatedQuote::default(), |content| quotes::td(content).mr_seam = [7; 48]);
    let mut relying = quotes::Relying::party();
    let affects = format!("vendor = \"intel\"\ntdx_modules = [\"sha384:{}\"]", "07".repeat(48));
    relying.advisories = vec![signed(&about(&[&affects]))];
    assert!(relying.codes(&module).contains(&Code::AdvisoryDenies));
    assert_eq!(relying.codes(&quotes::sound_td()), accepted);
}

#[test]
fn a_tcb_of_the_day_itself_is_safe_and_enclaves_have_no_module() {
    // The least date of all that counts, by the documents that the simulated vendor signed.
    let mut dates = Vec::new();
    let bundle = quotes::attest(&SimulatedQuote::default(), |content| {
        dates.extend(content.tcb_info.levels.first().map(|level| level.date));
        dates.extend(content.identity.levels.first().map(|level| level.date));
        dates.extend(
            content
                .tcb_info
                .tdx_module_identities
                .iter()
                .filter_map(|module| Some(module.levels.first()?.date)),
        );
    });
    let least = *dates.iter().min().unwrap();
    let day = |seconds: u64| UnixTime(seconds).to_string()[..10].to_owned();
    let codes = |day: &str, affects: &str, bundle: &Bundle| {
        let mut relying = quotes::Relying::party();
        let affects = format!(
            "vendor = \"intel\"\n{affects}{}",
            if day.is_empty() { String::new() } else { format!("tcb_date_before = \"{day}\"") }
        );
        relying.advisories = vec![signed(&about(&[&affects]))];
        relying.codes(bundle)
    };
    assert_eq!(codes(&day(least), "", &bundle), BTreeSet::new());
    assert_eq!(codes(&day(least + 24 * 60 * 60), "", &bundle), BTreeSet::from(DENIED));

    let enclave = quotes::attest(&SimulatedQuote::enclave(), |_| {});
    let zeros = format!("tdx_modules = [\"sha384:{}\"]\n", "00".repeat(48));
    assert_eq!(codes("", &zeros, &enclave), BTreeSet::new());
    assert_eq!(codes("2099-01-01", &zeros, &enclave), BTreeSet::new());
    assert_eq!(codes("2099-01-01", "", &enclave), BTreeSet::from(DENIED));
}

#[test]
fn realms_are_denied_by_the_firmware_below_them() {
    let bundle = realms::attest(&SimulatedRealm::default(), |platform, _| {
        platform.components[0].measurement = realms::digest(0xcc);
    });
    let codes = |affects: &str| {
        let feeds = [signed(&about(&[affects]))];
        realms::advised(&realms::policy(|text| text), &realms::anchors(), &feeds, &bundle)
    };
    assert_eq!(codes(&format!("vendor = \"arm\"\ncomponents = [\"sha256:{}\"]", "cc".repeat(32))), DENIED);
    assert_eq!(codes(&format!("vendor = \"arm\"\ncomponents = [\"sha256:{}\"]", "cd".repeat(32))), []);
    assert_eq!(codes(&format!("vendor = \"arm\"\ninstance_ids = [\"{}\"]", "00".repeat(33))), []);
}

#[test]
fn a_refusal_names_feed_version_advisory_reason_and_reference() {
    let mut relying = Relying::party();
    relying.advisories = vec![signed(&about(&["vendor = \"amd\"\nproducts = [\"milan\"]"]))];
    let refusals = relying.appraise(&Vendor::local().attest("amd/milan")).unwrap_err();
    assert_eq!(
        refusals.to_string(),
        "advisory-denies: advisory feeds: expected nothing that feed `example` version 3 denies, found \
         `EXAMPLE-0` about sev-snp milan, since 2026-11-20: it is broken (https://example.com/0)"
    );
    let result = relying.appraise(&Vendor::local().attest("amd/genoa")).unwrap();
    let applied = result.advisory_feeds();
    assert_eq!((applied.len(), applied[0].feed.as_str(), applied[0].version), (1, "example", 3));
}

#[test]
fn many_advisories_are_counted_and_not_told_one_by_one() {
    let codes = snp("amd/milan", &["vendor = \"amd\""; 40]);
    assert_eq!(codes, [Code::AdvisoryDenies; 17]);
}

#[test]
fn a_feed_past_its_last_day_refuses_unless_that_is_accepted_and_denies_all_the_same() {
    let milan =
        about(&["vendor = \"amd\"\nproducts = [\"milan\"]"]).replace("2026", "2019").replace("2099", "2020");
    let last = Day::parse("2020-05-23").unwrap();
    let (milan, genoa) = (signed(&milan), Vendor::local().attest("amd/genoa"));
    assert!(!milan.expired(UnixTime(last.end().0 - 1)));
    assert!(milan.expired(last.end()));
    let mut relying = Relying::party();
    relying.advisories = vec![milan.clone()];
    assert_eq!(relying.codes(&genoa), [Code::AdvisoryFeedExpired]);
    relying.advisories = vec![milan.accepting_expired()];
    assert_eq!(relying.codes(&genoa), []);
    assert_eq!(relying.codes(&Vendor::local().attest("amd/milan")), DENIED);
}

/// Blocks of which some are about the platforms below.
fn affects() -> impl Strategy<Value = String> {
    let products = || prop::sample::select(&["milan", "genoa", "siena", "turin"][..]);
    prop_oneof![
        Just("vendor = \"intel\"".to_owned()),
        products().prop_map(|product| format!("vendor = \"amd\"\nproducts = [\"{product}\"]")),
        (products(), any::<u8>()).prop_map(|(product, level)| {
            format!("vendor = \"amd\"\nproducts = [\"{product}\"]\ntcb_below = {{ snp = {level} }}")
        }),
        any::<u8>().prop_map(|byte| format!("keeps = [\"sha384:{}\"]", hex::encode([byte & 0x33; 48]))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn feeds_add_refusals_and_take_none_away(
        platform in prop::sample::select(&[
            "amd/milan", "amd/genoa", "amd/turin", "amd/milan@snp=8", "amd/genoa@debug", "amd/turin@version=3",
        ][..]),
        blocks in prop::collection::vec(prop::collection::vec(affects(), 0..4), 0..3),
    ) {
        let bundle = Vendor::local().attest(platform);
        let mut relying = Relying::party();
        let without = relying.codes(&bundle);
        relying.advisories = blocks
            .iter()
            .map(|blocks| signed(&about(&blocks.iter().map(String::as_str).collect::<Vec<_>>())))
            .collect();
        let with = relying.codes(&bundle);
        let kept: Vec<_> = with.iter().copied().filter(|code| *code != Code::AdvisoryDenies).collect();
        prop_assert_eq!(kept, without);
    }
}

#[test]
fn a_feed_without_advisories_changes_nothing() {
    let mut relying = Relying::party();
    relying.advisories = vec![signed(HEAD)];
    assert_eq!(relying.codes(&Vendor::local().attest("amd/milan")), []);
}
