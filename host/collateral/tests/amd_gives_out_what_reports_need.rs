// SPDX-License-Identifier: Apache-2.0

//! For every generation and kind of key: AMD's service is asked as it wants to be, and what it gives out is
//! enough for a verifier.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::time::{SystemTime, UNIX_EPOCH};

use enarx_collateral::{Clock, CollateralError, Collected, Config, Fetcher, NeedsError};
use enarx_evidence::snp::{Generation, Report, Version};
use enarx_evidence::x509::documents;
use enarx_evidence::{Bundle, Endorsements};
use enarx_verifier::policy::{self, Policy};
use enarx_verifier::{ReferenceValue, Refusals, Request, TrustAnchors, UnixTime, appraise};
use support::amd::{MEASUREMENT, Platform, REPORT_DATA, kds, platform, simulator};
use support::recorded::{Recorded, texts, verify_time};
use support::{Reply, Server, config};

/// What a verifier who knows the simulator says.
fn judge(bundle: &Bundle) -> Result<(), Refusals> {
    let anchors = Generation::ALL.into_iter().fold(TrustAnchors::vendors(), |anchors, generation| {
        anchors.with_simulated("local", simulator().root_spki_sha256(generation).unwrap())
    });
    let template = policy::template().replace("vlek = \"refuse\"", "vlek = \"accept\"");
    let policy = template + "\n[simulated]\naccept = true\nroots = [\"local\"]\n";
    appraise(&Request {
        bundle,
        report_data: &REPORT_DATA,
        anchors: &anchors,
        reference_values: &[ReferenceValue { name: "release".into(), measurement: MEASUREMENT.to_vec() }],
        policy: &Policy::parse(&policy).unwrap(),
        advisories: &[],
        now: UnixTime(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()),
    })
    .map(|_| ())
}

async fn collect(config: Config, bundle: &Bundle) -> Collected {
    Fetcher::new(config).unwrap().fetch_for(bundle).await.unwrap()
}

/// The platform's evidence with what was fetched for it, and nothing else.
fn with(platform: &Platform, collected: &Collected) -> Bundle {
    Bundle { endorsements: collected.endorsements(), ..platform.bundle.clone() }
}

#[tokio::test]
async fn chips_of_every_generation() {
    let cases = [("amd/milan", "Milan"), ("amd/genoa", "Genoa"), ("amd/turin", "Turin")];
    for (name, product) in cases {
        let platform = platform(name);
        let server = platform.server("vcek", product).await;
        let collected = collect(config(vec![kds(&server)]), &platform.bare()).await;
        assert!(collected.is_complete(), "{:?}", collected.missing);
        let above = format!("/vcek/v1/{product}");
        let expected = [platform.key_path(product), format!("{above}/cert_chain"), format!("{above}/crl")];
        assert_eq!(server.targets(), expected);
        let contents: Vec<&[u8]> = collected.items.iter().map(|item| item.bytes.as_slice()).collect();
        let chain = platform.chain.trim_ascii().as_bytes();
        assert_eq!(contents, [platform.key.as_slice(), chain, platform.list.as_slice()]);
        assert_eq!(judge(&with(&platform, &collected)).map_err(|refusals| refusals.to_string()), Ok(()));
    }
}

#[tokio::test]
async fn bergamo_and_siena_are_of_genoas_hierarchy() {
    let platform = platform("amd/siena");
    let server = platform.server("vcek", "Genoa").await;
    let collected = collect(config(vec![kds(&server)]), &platform.bare()).await;
    assert!(collected.is_complete(), "{:?}", collected.missing);
}

#[tokio::test]
async fn loaded_keys_come_from_the_host_and_their_authorities_from_amd() {
    let platform = platform("amd/milan@vlek");
    let server = platform.server("vlek", "Milan").await;
    let collected = collect(config(vec![kds(&server)]), &platform.bare()).await;
    assert_eq!(server.targets(), ["/vlek/v1/Milan/cert_chain", "/vlek/v1/Milan/crl"]);
    let [missing] = collected.missing.as_slice() else { panic!("{:?}", collected.missing) };
    assert_eq!(
        missing.error.to_string(),
        "no source gives out the VLEK certificate: AMD gives it to the cloud provider only"
    );
    assert!(!missing.error.is_retryable());

    // From a host that sends it nothing is missing.
    let collected = collect(config(vec![kds(&server)]), &platform.bundle).await;
    assert!(collected.is_complete(), "{:?}", collected.missing);
    let mut bundle = platform.bare();
    bundle.endorsements.items.push(platform.key.clone());
    assert!(collected.add_to(&mut bundle.endorsements));
    assert_eq!(bundle.endorsements.items.len(), 3);
    assert_eq!(judge(&bundle).map_err(|refusals| refusals.to_string()), Ok(()));
}

#[tokio::test]
async fn what_is_shipped_has_room_for_so_much() {
    let platform = platform("amd/milan");
    let server = platform.server("vcek", "Milan").await;
    let collected = collect(config(vec![kds(&server)]), &platform.bare()).await;
    let mut endorsements = platform.bundle.endorsements.clone();
    // The key and the list are there already, the chain only in parts.
    assert!(collected.add_to(&mut endorsements) && collected.add_to(&mut endorsements));
    assert_eq!(endorsements.items.len(), 5);
    let mut full = Endorsements { items: (0..Bundle::MAX_ENDORSEMENTS - 1).map(|_| vec![1]).collect() };
    assert!(!collected.add_to(&mut full));
    assert_eq!(full.items.len(), Bundle::MAX_ENDORSEMENTS);
}

#[tokio::test]
async fn of_a_hidden_chip_the_host_has_to_send_the_certificate() {
    let mut platform = platform("amd/genoa");
    platform.report.chip_id = [0; 64];
    platform.bundle.evidence.bytes = platform.report.encode().to_vec();
    let server = platform.server("vcek", "Genoa").await;
    let collected = collect(config(vec![kds(&server)]), &platform.bare()).await;
    assert_eq!(server.targets(), ["/vcek/v1/Genoa/cert_chain", "/vcek/v1/Genoa/crl"]);
    let [missing] = collected.missing.as_slice() else { panic!("{:?}", collected.missing) };
    assert!(matches!(missing.error, CollateralError::NotServed { .. }), "{}", missing.error);
    let collected = collect(config(vec![kds(&server)]), &platform.bundle).await;
    assert!(collected.is_complete(), "{:?}", collected.missing);
}

/// A report of version 2, which does not say its product.
fn old(name: &str) -> Platform {
    let mut platform = platform(&format!("{name}@version=2"));
    assert_eq!(platform.report.version, Version::V2);
    platform.bundle.evidence.bytes = platform.report.encode().to_vec();
    platform
}

#[tokio::test]
async fn the_product_of_an_old_report_is_the_one_whose_server_knows_the_chip() {
    let platform = old("amd/genoa");
    let server = platform.server("vcek", "Genoa").await;
    let collected = collect(config(vec![kds(&server)]), &platform.bare()).await;
    assert!(collected.is_complete(), "{:?}", collected.missing);
    assert_eq!(collected.items.len(), 3);
    let asked = server.targets();
    assert_eq!(asked[..2], [platform.key_path("Milan"), platform.key_path("Genoa")]);
}

#[tokio::test]
async fn the_product_of_an_old_report_can_be_told_or_seen() {
    let platform = old("amd/genoa");
    let server = platform.server("vcek", "Genoa").await;
    let told = Config { product: Some(Generation::Genoa), ..config(vec![kds(&server)]) };
    assert!(collect(told, &platform.bare()).await.is_complete());
    assert!(collect(config(vec![kds(&server)]), &platform.bundle).await.is_complete());
    assert!(!server.targets().contains(&platform.key_path("Milan")), "nothing had to be guessed");
}

#[tokio::test]
async fn a_chip_that_nobody_knows_has_no_product() {
    let platform = old("amd/milan");
    let server = Server::start(|_| Reply::status(404)).await;
    let fetcher = Fetcher::new(config(vec![kds(&server)])).unwrap();
    assert_eq!(fetcher.fetch_for(&platform.bare()).await.unwrap_err(), NeedsError::ProductUnknown);
}

#[tokio::test]
async fn evidence_that_cannot_be_read_is_not_asked_about() {
    let platform = platform("amd/milan");
    let server = Server::start(|_| Reply::status(404)).await;
    let fetcher = Fetcher::new(config(vec![kds(&server)])).unwrap();
    let mut bundle = platform.bare();
    bundle.evidence.bytes.truncate(Report::LEN - 1);
    assert!(matches!(fetcher.fetch_for(&bundle).await, Err(NeedsError::Evidence(_))));
    // A TCB version of another layout than the product's.
    let mut report = platform.report.clone();
    report.reported_tcb.0 |= 0x0001_0000;
    bundle.evidence.bytes = report.encode().to_vec();
    assert!(matches!(fetcher.fetch_for(&bundle).await, Err(NeedsError::Evidence(_))));
    assert!(server.targets().is_empty());
}

#[tokio::test]
async fn recorded_certificates_are_those_of_their_reports() {
    let Some(recorded) = Recorded::find() else { return };
    let mut seen = Vec::new();
    for case in recorded.cases() {
        let text = |key: &str| case.get(key).and_then(toml::Value::as_str);
        let usual =
            [text("tee"), text("expected"), text("format")] == [Some("snp"), Some("valid"), Some("raw")];
        if !usual || text("signing_key") != Some("VCEK") {
            continue;
        }
        let [key, ask, ark] = texts(case, "certs")[..] else { continue };
        let name = text("name").unwrap();
        let product = match name.split('-').next().unwrap() {
            "milan" => "Milan",
            "genoa" | "siena" => "Genoa",
            "turin" => "Turin",
            other => panic!("{other}"),
        };
        let chain =
            [recorded.read(ask), recorded.read(ark)].map(|pem| String::from_utf8(pem).unwrap()).concat();
        let list = texts(case, "collateral").first().map(|path| recorded.read(path)).unwrap_or_default();
        // Some were recorded with their authorities after them.
        let key = documents(&recorded.read(key), 8).unwrap()[0].to_vec();
        let without_list = list.is_empty();
        let report = recorded.read(text("file").unwrap());
        let platform = Platform::recorded(report, key, chain, list);
        let server = platform.server("vcek", product).await;
        let now = verify_time(case);
        let config = Config { clock: Clock::new(move || now), ..config(vec![kds(&server)]) };
        let collected = collect(config, &platform.bare()).await;
        let items: Vec<String> = collected.items.iter().map(|item| item.what.to_string()).collect();
        let generation = product.to_lowercase();
        assert!(items[0].starts_with(&format!("amd/{generation}/vcek/")), "{name}: {:?}", collected.missing);
        assert_eq!(items[1], format!("amd/{generation}/vcek-authorities"), "{name}");
        assert_eq!(
            (items.len(), collected.missing.len()),
            if without_list { (2, 1) } else { (3, 0) },
            "{name}"
        );
        seen.push(product);
    }
    let count = |product| seen.iter().filter(|seen| **seen == product).count();
    assert!(count("Milan") >= 5 && count("Genoa") >= 3 && count("Turin") >= 1, "{seen:?}");
}
