// SPDX-License-Identifier: Apache-2.0

//! Conceptual message wrappers: in CBOR and JSON, and what is refused.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod entry;

use enarx_evidence::cmw::{Cmw, Collection, Indicator, Kind, Label, Record, Tag};
use enarx_evidence::{Bundle, Endorsements, Evidence, Fault, Format};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn record(json: bool) -> impl Strategy<Value = Cmw> {
    let media = "application/[a-z.+]{1,20}(; [a-z]{1,5}=\"[ -~&&[^\"]]{0,9}\")?".prop_map(Kind::MediaType);
    let kind = if json {
        media.boxed()
    } else {
        prop_oneof![media, any::<u16>().prop_map(Kind::ContentFormat)].boxed()
    };
    (kind, vec(any::<u8>(), 0..40), option::of((1_u32..).prop_map(Indicator)))
        .prop_map(|(kind, value, indicator)| Cmw::Record(Record { kind, value, indicator }))
}

fn label(json: bool) -> impl Strategy<Value = Label> {
    let text = "[ -~]{0,12}".prop_map(Label::Text);
    if json { text.boxed() } else { prop_oneof![text, any::<i64>().prop_map(Label::Int)].boxed() }
}

fn tag() -> impl Strategy<Value = Cmw> {
    (0..=Tag::MAX_FORMAT, vec(any::<u8>(), 0..40)).prop_map(|(format, value)| Cmw::Tag(Tag { format, value }))
}

fn cmw(json: bool) -> impl Strategy<Value = Cmw> {
    let leaf = if json { record(true).boxed() } else { prop_oneof![record(false), tag()].boxed() };
    leaf.prop_recursive(3, 20, 4, move |inner| {
        (option::of("tag:[a-z]{1,9}"), vec((label(json), inner), 1..5)).prop_map(|(kind, items)| {
            let mut distinct = Vec::<(Label, Cmw)>::new();
            for (label, item) in items {
                if distinct.iter().all(|(known, _)| *known != label) {
                    distinct.push((label, item));
                }
            }
            Cmw::Collection(Collection { kind, items: distinct })
        })
    })
}

proptest! {
    #[test]
    fn in_cbor(cmw in cmw(false), at in any::<prop::sample::Index>(), flip in 1_u8..) {
        let mut bytes = cmw.to_cbor();
        prop_assert_eq!(&Cmw::parse(&bytes).unwrap(), &cmw);
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        entry::cmw(&bytes);
    }

    #[test]
    fn in_json(cmw in cmw(true), at in any::<prop::sample::Index>(), flip in 1_u8..) {
        let json = cmw.to_json().unwrap();
        prop_assert_eq!(&Cmw::parse(json.as_bytes()).unwrap(), &cmw);
        prop_assert_eq!(&Cmw::parse(&cmw.to_cbor()).unwrap(), &cmw);
        let mut bytes = json.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        entry::cmw(&bytes);
    }

    #[test]
    fn any_bytes(bytes in vec(any::<u8>(), 0..300)) {
        entry::cmw(&bytes);
    }

    #[test]
    fn any_text(text in "[\\[\\]{}:,\"a-z0-9/_ \\\\]{0,80}") {
        entry::cmw(text.as_bytes());
    }

    /// RFC 9277, section 4.3: every format up to the last has a tag of its own.
    #[test]
    fn tags_and_formats(format in any::<u16>()) {
        let number = Tag::number(format);
        prop_assert_eq!(number.is_some(), format <= Tag::MAX_FORMAT);
        if let Some(number) = number {
            prop_assert_eq!(Tag::format(number), Some(format));
        }
    }
}

#[test]
fn the_examples_of_the_specification() {
    // RFC 9277, appendix B, and the content format 30001 of the examples of RFC 9999.
    assert_eq!(Tag::number(0), Some(1_668_546_817));
    assert_eq!(Tag::number(30001), Some(1_668_576_935));
    assert_eq!(Tag::number(65024), Some(1_668_612_095));
    assert_eq!(Tag::number(65025), None);
    assert_eq!(Tag::format(1_668_546_816), None);
    assert_eq!(Tag::format(1_668_612_096), None);
    assert_eq!(Tag::format(1_668_546_817 + 255), None);

    let value = hex::decode("2347da55").unwrap();
    let record = |kind, indicator| Cmw::Record(Record { kind, value: value.clone(), indicator });
    let cbor = hex::decode("82197531442347da55").unwrap();
    assert_eq!(Cmw::parse(&cbor), Ok(record(Kind::ContentFormat(30001), None)));
    let tag = hex::decode("da637476a7442347da55").unwrap();
    assert_eq!(Cmw::parse(&tag), Ok(Cmw::Tag(Tag { format: 30001, value: value.clone() })));
    let kind = Kind::MediaType("application/vnd.example.rats-conceptual-msg".into());
    let json = r#"["application/vnd.example.rats-conceptual-msg", "I0faVQ"]"#;
    assert_eq!(Cmw::parse(json.as_bytes()), Ok(record(kind, None)));
    let json = r#"{ "attester A": ["application/eat-ucs+json", "e30K", 4],
                    "attester B": ["application/eat-ucs+cbor", "oA", 4] }"#;
    let Ok(Cmw::Collection(collection)) = Cmw::parse(json.as_bytes()) else { panic!("no collection") };
    let Cmw::Record(second) = &collection.items[1].1 else { panic!("no record") };
    assert_eq!((&collection.kind, second.value.as_slice()), (&None, &[0xa0][..]));
    assert_eq!(second.indicator, Some(Indicator::EVIDENCE));
}

#[test]
fn what_means_two_things_or_nothing_is_refused() {
    let json = |text: &str| Cmw::parse(text.as_bytes()).unwrap_err().fault;
    let refused = [
        r#"{"a":["a/b","AA"],"a":["a/b","AQ"]}"#,
        r#"{"__cmwc_t":"tag:x"}"#,
        r#"{"__cmwc_t":"tag:x","__cmwc_t":"tag:y","a":["a/b","AA"]}"#,
        r#"["a/b","AA",0]"#,
        r#"["a/b","AA",4,4]"#,
        r#"["a/b","AA=="]"#,
        r#"["a/b","A+"]"#,
        r#"["a/b","AB"]"#,
        r#"["ab","AA"]"#,
        r##"["#cmw-c2j-tunnel","AA"]"##,
        r#"[30001,"AA"]"#,
        r#"["a/b","AA"] x"#,
        "{}",
        "[]",
    ];
    for text in refused {
        assert_eq!(json(text), Fault::Malformed, "{text}");
    }
    assert_eq!(json(r#"["a/b","AA""#), Fault::Truncated);
    let deep = (0..5).fold(String::from(r#"["a/b","AA"]"#), |inner, _| format!("{{\"a\":{inner}}}"));
    assert_eq!(json(&deep), Fault::Malformed);
    assert!(Cmw::parse(&deep.as_bytes()[5..deep.len() - 1]).is_ok());

    let cbor = |text: &str| Cmw::parse(&hex::decode(text).unwrap()).unwrap_err();
    assert_eq!(cbor("a2018263612f624100018263612f624100").fault, Fault::Duplicate);
    assert_eq!(cbor("a0").fault, Fault::Missing);
    assert_eq!(cbor("8263612f62410000").fault, Fault::Trailing { count: 1 });
    assert_eq!(cbor("8363612f62410000").fault, Fault::Unsupported { found: 0 });
    assert_eq!(cbor("821a00010000 4100".replace(' ', "").as_str()).field, "type");
    // A tag that no content format has, and a signed wrapper.
    assert_eq!(cbor("c14100").fault, Fault::Unsupported { found: 1 });
    assert_eq!(cbor("da63740214 8443a10126a04040".replace(' ', "").as_str()).field, "value");
}

#[test]
fn bundles_travel_in_wrappers() {
    let bundle = Bundle {
        evidence: Evidence { format: Format::Nitro, bytes: vec![1, 2, 3] },
        endorsements: Endorsements { items: vec![vec![4]] },
    };
    let cmw = Cmw::of_bundle(&bundle);
    for bytes in [cmw.to_cbor(), cmw.to_json().unwrap().into_bytes()] {
        assert_eq!(Cmw::parse(&bytes).unwrap().bundle(), Some(Ok(bundle.clone())));
    }
    let other = Cmw::parse(br#"["application/eat+cwt","AA"]"#).unwrap();
    assert_eq!(other.bundle(), None);
    let numbered = Cmw::Tag(Tag { format: 263, value: vec![] });
    assert_eq!(numbered.to_json(), None);
}
