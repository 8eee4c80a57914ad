// SPDX-License-Identifier: Apache-2.0

//! The file for those without a network: what is in it is enough, one content has one encoding, and nothing else is
//! read.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use enarx_collateral::{Config, Fetcher, Item, NeedsError, OfflineBundle, Part, Source, Template, Validity};
use enarx_evidence::{Endorsements, Evidence, Fault, Format};
use minicbor::Encoder;
use proptest::collection::vec;
use proptest::prelude::*;
use support::amd::{Platform, kds, platform};
use support::der::revocation_list;
use support::{Reply, Server, config};

/// A bundle of everything that platforms need, as their server gives it out.
async fn bundle_for(platforms: &[(&Platform, &'static str)]) -> OfflineBundle {
    let mut bundle = OfflineBundle::default();
    for (platform, product) in platforms {
        let server = platform.server("vcek", product).await;
        let collected =
            Fetcher::new(config(vec![kds(&server)])).unwrap().fetch_for(&platform.bare()).await.unwrap();
        assert!(collected.is_complete());
        for item in collected.items {
            assert!(bundle.add(item));
        }
    }
    bundle
}

/// A list of AMD's root of Milan that is valid for these seconds since 2026-01-01.
fn list(until_day: u32) -> Item {
    let bytes = revocation_list("ARK-Milan", "260101000000Z", &format!("2601{until_day:02}000000Z"));
    let until = 1_767_225_600 + u64::from(until_day - 1) * 86400;
    Item {
        what: "amd/milan/vcek-crl".parse().unwrap(),
        part: Part::Answer,
        source: "https://kdsintf.amd.com/vcek/v1/Milan/crl".to_owned(),
        fetched_at: 1_767_225_600,
        validity: Validity { from: 1_767_225_600, until },
        bytes,
    }
}

#[tokio::test]
async fn a_bundle_of_a_fleet_has_what_each_of_its_platforms_needs() {
    let (milan, turin) = (platform("amd/milan"), platform("amd/turin"));
    let bundle = bundle_for(&[(&milan, "Milan"), (&turin, "Turin")]).await;
    assert_eq!(bundle.len(), 6);
    let read = OfflineBundle::decode(&bundle.encode()).unwrap();
    assert_eq!(read, bundle);
    for platform in [&milan, &turin] {
        let Endorsements { items } = read.endorsements_for(&platform.bundle.evidence).unwrap();
        let chain = platform.chain.trim_ascii().as_bytes();
        assert_eq!(items, [platform.key.as_slice(), chain, platform.list.as_slice()]);
    }
    assert_eq!(read.endorsements().items.len(), 6);
    // A platform that is not in it.
    let genoa = platform("amd/genoa").bundle.evidence;
    assert_eq!(read.endorsements_for(&genoa).unwrap().items, Vec::<Vec<u8>>::new());
}

#[tokio::test]
async fn reports_that_do_not_say_their_product_are_found_by_their_chip() {
    let milan = platform("amd/milan@version=2");
    let bundle = bundle_for(&[(&milan, "Milan")]).await;
    assert_eq!(bundle.endorsements_for(&milan.bundle.evidence).unwrap().items.len(), 3);
    let genoa = platform("amd/genoa@version=2").bundle.evidence;
    assert_eq!(bundle.endorsements_for(&genoa).unwrap_err(), NeedsError::ProductUnknown);
}

#[test]
fn other_evidence_needs_nothing_or_is_refused() {
    let bundle = OfflineBundle::default();
    let of = |format| bundle.endorsements_for(&Evidence { format, bytes: Vec::new() });
    assert_eq!(of(Format::Nitro).unwrap(), Endorsements::default());
    assert_eq!(of(Format::Cca).unwrap_err(), NeedsError::Format { format: "cca" });
    assert!(matches!(of(Format::SevSnp).unwrap_err(), NeedsError::Evidence(_)));
    assert!(matches!(of(Format::Tdx).unwrap_err(), NeedsError::Evidence(_)));
}

#[tokio::test]
async fn a_bundle_can_be_served_as_a_file() {
    let milan = platform("amd/milan");
    let bundle = bundle_for(&[(&milan, "Milan")]).await;
    let encoded = bundle.encode();
    let server = Server::start(move |_| Reply::ok(encoded.clone())).await;
    let template: Template = format!("{}bucket/{{generation}}.collateral", server.url()).parse().unwrap();
    let config = Config { ..config(vec![Source::Template(template)]) };
    let collected = Fetcher::new(config).unwrap().fetch_for(&milan.bare()).await.unwrap();
    assert!(collected.is_complete(), "{:?}", collected.missing);
    assert_eq!(server.targets(), ["/bucket/milan.collateral"; 3]);
    // The items say where they came from at first.
    assert!(collected.items.iter().all(|item| !item.source.contains("bucket")));
}

#[test]
fn of_two_that_say_the_same_the_one_that_is_valid_longer_stays() {
    for days in [[10, 20], [20, 10]] {
        let mut bundle = OfflineBundle::default();
        assert!(days.into_iter().all(|day| bundle.add(list(day))));
        let items: Vec<_> = bundle.items().cloned().collect();
        assert_eq!(items, [list(20)]);
    }
}

#[test]
fn what_is_past_its_end_can_be_left_out() {
    let mut bundle = OfflineBundle::default();
    bundle.add(list(20));
    let Validity { from, until } = list(20).validity;
    let counts = [from - 1, from, until, until + 1].map(|time| bundle.valid_at(time).len());
    assert_eq!(counts, [0, 1, 1, 0]);
}

#[test]
fn the_encoding_is_the_documented_one() {
    let item = list(20);
    let mut bundle = OfflineBundle::default();
    bundle.add(item.clone());
    let mut expected = Encoder::new(Vec::new());
    expected.map(3).unwrap().u8(0).unwrap().str("enarx collateral").unwrap().u8(1).unwrap().u8(1).unwrap();
    expected.u8(2).unwrap().array(1).unwrap().map(7).unwrap();
    expected.u8(0).unwrap().str("amd/milan/vcek-crl").unwrap().u8(1).unwrap().u8(0).unwrap();
    expected.u8(2).unwrap().str("https://kdsintf.amd.com/vcek/v1/Milan/crl").unwrap();
    expected.u8(3).unwrap().u64(1_767_225_600).unwrap().u8(4).unwrap().u64(1_767_225_600).unwrap();
    expected.u8(5).unwrap().u64(1_768_867_200).unwrap().u8(6).unwrap().bytes(&item.bytes).unwrap();
    let expected = expected.into_writer();
    assert_eq!(bundle.encode(), expected);
    assert!(OfflineBundle::looks_like(&expected));
    assert!(OfflineBundle::looks_like(&OfflineBundle::default().encode()));
    assert!(!OfflineBundle::looks_like(&item.bytes));
}

/// What, part, source, valid from, valid until, bytes.
type Fields<'a> = (&'a str, u64, &'a str, u64, u64, &'a [u8]);

/// A bundle's bytes with items whose fields may be anything.
fn encode(version: u64, items: &[Fields<'_>]) -> Vec<u8> {
    let mut out = Encoder::new(Vec::new());
    out.map(3).unwrap().u8(0).unwrap().str("enarx collateral").unwrap().u8(1).unwrap().u64(version).unwrap();
    out.u8(2).unwrap().array(items.len() as u64).unwrap();
    for (what, part, source, from, until, bytes) in items {
        out.map(7).unwrap().u8(0).unwrap().str(what).unwrap().u8(1).unwrap().u64(*part).unwrap();
        out.u8(2).unwrap().str(source).unwrap().u8(3).unwrap().u64(0).unwrap();
        out.u8(4).unwrap().u64(*from).unwrap().u8(5).unwrap().u64(*until).unwrap();
        out.u8(6).unwrap().bytes(bytes).unwrap();
    }
    out.into_writer()
}

#[test]
fn what_is_not_as_it_says_is_refused_with_the_field() {
    let Item { bytes, validity: Validity { from, until }, .. } = list(20);
    let milan = ("amd/milan/vcek-crl", 0, "file", from, until, bytes.as_slice());
    let vlek = ("amd/milan/vlek-crl", 0, "file", from, until, bytes.as_slice());
    assert_eq!(OfflineBundle::decode(&encode(1, &[milan, vlek])).unwrap().len(), 2);
    let large = vec![0; 65_537];
    let long = "s".repeat(2049);
    let cases = [
        (encode(2, &[milan]), "version", Fault::Unsupported { found: 2 }),
        (encode(1, &[vlek, milan]), "item", Fault::Malformed),
        (encode(1, &[milan, milan]), "item", Fault::Duplicate),
        (encode(1, &[("amd/rome/vcek-crl", 0, "file", from, until, &bytes)]), "what", Fault::Malformed),
        (
            encode(1, &[("amd/milan/vcek-crl", 2, "file", from, until, &bytes)]),
            "part",
            Fault::Unsupported { found: 2 },
        ),
        (
            encode(1, &[("amd/milan/vcek-crl", 0, "a\x1b[2Jb", from, until, &bytes)]),
            "source",
            Fault::Malformed,
        ),
        (
            encode(1, &[("amd/milan/vcek-crl", 0, &long, from, until, &bytes)]),
            "source",
            Fault::TooLarge { limit: 2048 },
        ),
        // A list that is said to be valid longer than it is, and one of somebody else.
        (encode(1, &[("amd/milan/vcek-crl", 0, "file", from, until + 1, &bytes)]), "bytes", Fault::Malformed),
        (encode(1, &[("amd/milan/vcek-crl", 0, "file", from - 1, until, &bytes)]), "bytes", Fault::Malformed),
        (encode(1, &[("amd/genoa/vcek-crl", 0, "file", from, until, &bytes)]), "bytes", Fault::Malformed),
        (
            encode(1, &[("amd/milan/vcek-crl", 0, "file", from, until, &large)]),
            "bytes",
            Fault::TooLarge { limit: 65_536 },
        ),
        ([encode(1, &[milan]), vec![0]].concat(), "end", Fault::Trailing { count: 1 }),
        (vec![0; 16 * 1024 * 1024 + 1], "bundle", Fault::TooLarge { limit: 16 * 1024 * 1024 }),
    ];
    for (bytes, field, fault) in cases {
        let error = OfflineBundle::decode(&bytes).unwrap_err();
        assert_eq!((error.format, error.field, error.fault), ("collateral bundle", field, fault));
    }
    // The same meaning in another encoding: a version of two bytes, an array of unknown length.
    let usual = encode(1, &[]);
    assert_eq!(usual[19..], [0x01, 0x01, 0x02, 0x80]);
    let start = &usual[..20];
    for other in [&[0x18, 0x01, 0x02, 0x80][..], &[0x01, 0x02, 0x9f, 0xff], &[0x01, 0x02, 0x98, 0x00]] {
        let error = OfflineBundle::decode(&[start, other].concat()).unwrap_err();
        assert_eq!(error.fault, Fault::Malformed);
    }
    // A count that no memory holds.
    let error =
        OfflineBundle::decode(&[start, &[0x01, 0x02, 0x9b, 0xff, 0, 0, 0, 0, 0, 0, 0]].concat()).unwrap_err();
    assert_eq!((error.field, error.fault), ("items", Fault::TooLarge { limit: 1024 }));
}

#[test]
fn a_full_bundle_takes_nothing_more() {
    let mut bundle = OfflineBundle::default();
    for chip in 0..OfflineBundle::MAX_ITEMS {
        let fmspc = hex::encode(&(chip as u64).to_be_bytes()[2..]);
        assert!(
            bundle.add(Item { what: format!("intel/sgx/tcb-info/{fmspc}").parse().unwrap(), ..list(20) })
        );
    }
    assert!(!bundle.add(list(20)));
    assert_eq!(bundle.len(), OfflineBundle::MAX_ITEMS);
}

#[tokio::test]
async fn every_truncation_is_refused() {
    let milan = platform("amd/milan");
    let encoded = bundle_for(&[(&milan, "Milan")]).await.encode();
    for len in (0..encoded.len()).step_by(7) {
        assert!(OfflineBundle::decode(&encoded[..len]).is_err(), "{len}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..512)) {
        let start = OfflineBundle::default().encode();
        for bytes in [bytes.clone(), [&start[..19], &bytes].concat(), [&start[..22], &bytes].concat()] {
            if let Ok(bundle) = OfflineBundle::decode(&bytes) {
                prop_assert_eq!(bundle.encode(), bytes);
            }
        }
    }

    #[test]
    fn a_changed_byte_is_noticed_or_changes_the_content(at in 0_usize..400, flip in 1_u8..) {
        let mut bundle = OfflineBundle::default();
        bundle.add(list(20));
        let mut bytes = bundle.encode();
        let at = at % bytes.len();
        bytes[at] ^= flip;
        if let Ok(read) = OfflineBundle::decode(&bytes) {
            prop_assert_ne!(&read, &bundle);
            prop_assert_eq!(read.encode(), bytes);
        }
    }
}
