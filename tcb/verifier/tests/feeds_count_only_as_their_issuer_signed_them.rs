// SPDX-License-Identifier: Apache-2.0

//! A feed of advisories is read as its issuer signed it, or not at all; every message, with its position and its hint.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "entry/mod.rs"]
mod entry;
mod feeds;

use enarx_verifier::advisory::{Draft, Feed, FeedError, IssuerKey, MAX_FEED_BYTES, template};
use feeds::{HEAD, about, issuer, key, sign, signed};
use proptest::prelude::*;

const MILAN: &str = "vendor = \"amd\"\nproducts = [\"milan\"]";

#[test]
fn a_signed_feed_is_read_as_it_was_written() {
    let feed = signed(&about(&[MILAN]));
    let read = Feed::parse(feed.text().as_bytes(), &[issuer(2), issuer(1)]).unwrap();
    assert_eq!(read, feed);
    assert_eq!((read.contents().feed.as_str(), read.contents().version), ("example", 3));
    assert_eq!(read.issuer(), issuer(1));
    assert!(read.text().ends_with(&about(&[MILAN])));
    assert_eq!(read.text().lines().next(), Some("enarx advisory feed 1"));
}

#[test]
fn everybody_with_the_key_of_a_group_makes_the_same_bytes() {
    let body = about(&[MILAN]);
    assert_eq!(signed(&body).text(), signed(&body).text());
}

#[test]
fn every_change_of_a_byte_is_noticed() {
    let feed = signed(&about(&[MILAN]));
    let bytes = feed.text().as_bytes();
    for index in 0..bytes.len() {
        for bit in [0x01, 0x20, 0x80] {
            let mut changed = bytes.to_vec();
            changed[index] ^= bit;
            assert!(Feed::parse(&changed, &[issuer(1)]).is_err(), "byte {index}, bit {bit:#x}");
        }
        assert!(Feed::parse(&bytes[..index], &[issuer(1)]).is_err(), "cut at {index}");
    }
    assert!(Feed::parse(&[bytes, b"\n"].concat(), &[issuer(1)]).is_err(), "a line more");
}

#[test]
fn who_is_not_named_does_not_count_whatever_he_signed() {
    let text = signed(&about(&[MILAN])).text().to_owned();
    let found = issuer(1);
    assert_eq!(Feed::parse(text.as_bytes(), &[issuer(2)]), Err(FeedError::IssuerNotNamed { found }));
    assert_eq!(Feed::parse(text.as_bytes(), &[]), Err(FeedError::IssuerNotNamed { found }));
    // With another's name on it, the signature is wrong.
    let forged = text.replace(&found.to_string(), &issuer(2).to_string());
    let expected = FeedError::Signature { issuer: issuer(2) };
    assert_eq!(Feed::parse(forged.as_bytes(), &[issuer(2)]), Err(expected));
}

#[test]
fn a_signature_for_another_purpose_is_none_of_a_feed() {
    use ed25519_dalek::Signer as _;
    let draft = Draft::parse(HEAD).unwrap();
    for message in [HEAD.as_bytes().to_vec(), [b"enarx advisory feed 2\0", HEAD.as_bytes()].concat()] {
        let signature = key(1).sign(&message).to_bytes();
        let expected = FeedError::Signature { issuer: issuer(1) };
        assert_eq!(draft.clone().signed(issuer(1), signature), Err(expected));
    }
    assert!(sign(draft, 1).is_ok());
}

#[test]
fn keys_that_belong_to_nobody_sign_nothing() {
    // The neutral element, under which every message has a signature that a lenient verifier accepts.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let mut signature = [0; 64];
    signature[0] = 1;
    let draft = Draft::parse(HEAD).unwrap();
    let expected = FeedError::Signature { issuer: IssuerKey(neutral) };
    assert_eq!(draft.signed(IssuerKey(neutral), signature), Err(expected));
}

#[test]
fn there_is_one_way_to_write_the_head() {
    let good = signed(HEAD).text().to_owned();
    let lines: Vec<&str> = good.splitn(4, '\n').collect();
    let [label, issuer_line, signature, rest] = lines[..] else { panic!("{good}") };
    let upper = format!("issuer ed25519:{}", issuer_line[15..].to_uppercase());
    for (changed, expected) in [
        (good.replace('\n', "\r\n"), "its first line is not `enarx advisory feed 1`"),
        (good.replacen(" feed 1", " feed 2", 1), "its first line is not `enarx advisory feed 1`"),
        (
            good.replacen(issuer_line, &upper, 1),
            "its second line is not `issuer ed25519:` and 64 hexadecimal digits",
        ),
        (
            good.replacen(signature, &format!("{signature} "), 1),
            "its third line is not `signature` and 128 hexadecimal digits",
        ),
        (
            [label, signature, issuer_line, rest].join("\n"),
            "its second line is not `issuer ed25519:` and 64 hexadecimal digits",
        ),
        (
            format!("{label}\n{issuer_line}\n{signature}\n{}", &rest[1..]),
            "no empty line follows its signature",
        ),
        (HEAD.to_owned(), "its first line is not `enarx advisory feed 1`"),
        (String::new(), "it has no head"),
    ] {
        let error = Feed::parse(changed.as_bytes(), &[issuer(1)]).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("this is not a signed feed of advisories: {expected}"),
            "{changed}"
        );
    }
}

#[test]
fn feeds_of_more_than_a_mebibyte_are_not_read() {
    let long = format!("{HEAD}{}", "#\n".repeat(MAX_FEED_BYTES / 2));
    let bytes = long.len();
    assert_eq!(Draft::parse(&long), Err(FeedError::TooLong { bytes }));
    assert_eq!(Feed::parse(long.as_bytes(), &[]), Err(FeedError::TooLong { bytes }));
}

#[test]
fn the_template_is_a_feed_and_so_is_what_its_marks_hide() {
    assert!(Draft::parse(template()).unwrap().contents().advisories.is_empty());
    let unmarked: String = template()
        .lines()
        .filter(|line| !line.starts_with("# ") || line.contains(" = ") || line.starts_with("# [["))
        .flat_map(|line| [line.strip_prefix("# ").unwrap_or(line), "\n"])
        .collect();
    let unmarked = unmarked
        .replace("0123...", &"01".repeat(64))
        .replace("sha384:...", &format!("sha384:{}", "00".repeat(48)));
    let unmarked = unmarked.replace("sha256:...", &format!("sha256:{}", "00".repeat(32)));
    let draft = Draft::parse(&unmarked).unwrap_or_else(|error| panic!("{error}\n{unmarked}"));
    assert_eq!(draft.contents().advisories[0].affects.len(), 4);
}

/// The error of a body.
fn error_of(body: &str) -> String {
    let error = Draft::parse(body).unwrap_err();
    let hint = match &error {
        FeedError::Body(error) => error.hint.as_ref().map(|hint| format!(" -- {hint}")),
        _ => None,
    };
    format!("{error}{}", hint.unwrap_or_default())
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table of mistakes")]
fn mistakes_are_named_with_their_place() {
    let good = about(&[MILAN]);
    for (from, to, expected) in [
        ("feed = \"example\"\n", "", "line 1, column 1: `feed` is missing -- give the feed a short name"),
        (
            "version = 3",
            "version = 0",
            "line 2, column 11: `version` must be a number from 1 on -- write `version = 1`, and a greater number each \
             time that the feed is issued anew",
        ),
        ("version = 3", "version = -1", "line 2, column 11: `version` must be from 0 to 4294967295, not -1"),
        (
            "2026-11-23",
            "2026-11-31",
            "line 3, column 10: `2026-11-31` is not a date -- write it as `2024-03-13`",
        ),
        (
            "2099-05-23",
            "2026-05-23",
            "line 4, column 11: `expires` is before `issued`, so the feed is never fresh",
        ),
        (
            "issuer = \"The example group\"\n",
            "",
            "line 1, column 1: `issuer` is missing -- say who you are; a group may have one name for all of its members",
        ),
        (
            "The example",
            "The \\u202eexample",
            "line 5, column 10: `issuer` must be readable text of one line",
        ),
        (
            "it is broken",
            "it is\u{202e} broken",
            "line 9, column 17: U+202E is not readable text -- end lines with a line feed alone, and remove it",
        ),
        (
            "[[advisory]]",
            "[[allow]]",
            "line 6, column 3: unknown key `allow` -- known here: `feed`, `version`, `issued`, `expires`, `issuer`, `advisory`",
        ),
        (
            "because =",
            "becuase =",
            "line 9, column 1: unknown key `becuase` in `advisory` -- did you mean `because`?",
        ),
        (
            "2026-11-20",
            "2026-11-24",
            "line 8, column 9: `since` is after 2026-11-23, on which the feed was issued -- what is to be trusted until \
             then is denied when it no longer is: by the next version",
        ),
        (
            "https://example.com/0",
            "http://example.com/0",
            "line 10, column 15: `http://example.com/0` is not a reference -- write an address that begins with `https://`",
        ),
        (
            "[\"https://example.com/0\"]",
            "[]",
            "line 10, column 14: `references` names nothing -- say where to read more, such as `references = \
             [\"https://...\"]`",
        ),
        (
            "vendor = \"amd\"\n",
            "",
            "line 11, column 1: `advisory.affects.vendor` is missing -- write one of `amd`, `intel`, `arm`, `aws`, `nvidia`, `tpm` as `vendor`",
        ),
        (
            MILAN,
            "",
            "line 11, column 1: nothing says what is affected -- name a `vendor`, or measurements of Keeps by `keeps`",
        ),
        (
            "[\"milan\"]",
            "[\"milano\"]",
            "line 13, column 13: `milano` is not a value of `advisory.affects.products` -- did you mean `milan`?",
        ),
        ("products", "chip_ids", "line 13, column 13: `milan` does not have 16 hexadecimal digits"),
        (
            "products = [\"milan\"]",
            "tcb_date_before = \"2024-03-13\"",
            "line 13, column 19: evidence of `amd` says nothing about `tcb_date_before` -- remove the key",
        ),
        (
            "products = [\"milan\"]",
            "tcb_below = { snp = 3 }",
            "line 13, column 13: `tcb_below` needs `products`: each has levels of its own",
        ),
        ("[\"milan\"]", "[\"milan\"]\ntcb_below = { fmc = 3 }", "line 14, column 21: `milan` has no `fmc`"),
        (
            "[\"milan\"]",
            "[\"milan\"]\ntcb_below = {}",
            "line 14, column 13: `tcb_below` names no level -- write the first level that is safe, such as `tcb_below = \
             { snp = 27 }`",
        ),
        (
            "[\"milan\"]",
            "[\"milan\"]\nkeeps = []",
            "line 14, column 9: `keeps` is empty, so nothing is affected -- remove it to mean any",
        ),
        (
            "[\"milan\"]",
            "[\"milan\"]\nkeeps = [\"release\"]",
            "line 14, column 10: `release` is not a measurement -- write `sha256:`, `sha384:` or `sha512:` and \
             hexadecimal digits",
        ),
    ] {
        assert!(good.contains(from), "`{from}` is not in the feed");
        assert_eq!(error_of(&good.replacen(from, to, 1)), expected);
    }
    let twice = format!("{good}{}", &good[HEAD.len()..]);
    assert_eq!(
        error_of(&twice),
        "line 15, column 6: there is another advisory with the id `EXAMPLE-0` -- give each an id of its own"
    );
    assert_eq!(error_of(good.trim_end()), "line 13, column 21: the last line does not end");
    let unaffected = &good[..good.find("[[advisory.affects]]").unwrap()];
    assert_eq!(
        error_of(unaffected),
        "line 6, column 1: `advisory.affects` is missing -- write `[[advisory.affects]]` below it, and what it is about"
    );
}

#[test]
fn what_is_affected_is_told_in_words() {
    for (block, expected) in [
        (MILAN, "amd milan"),
        ("vendor = \"amd\"\ntee = \"sev-snp\"", "amd sev-snp every product"),
        (
            "vendor = \"amd\"\nproducts = [\"genoa\", \"milan\"]\nsteppings = [1]\ntcb_below = { snp = 27, tee = 1 }",
            "amd milan or genoa, `steppings` 0x01, tee below 1 or snp below 27",
        ),
        (
            "vendor = \"intel\"\nfmspcs = [\"00806F050000\"]\ntcb_date_before = \"2024-03-13\"",
            "intel every product, `fmspcs` 00806f050000, TCB of a day before 2024-03-13",
        ),
    ] {
        let draft = Draft::parse(&about(&[block])).unwrap();
        assert_eq!(draft.contents().advisories[0].affects[0].to_string(), expected);
    }
}

#[test]
fn the_key_of_an_issuer_has_one_text() {
    let text = issuer(1).to_string();
    assert_eq!(text.parse::<IssuerKey>(), Ok(issuer(1)));
    for wrong in [text.to_uppercase(), text.replace("ed25519:", ""), format!("{text}0"), String::new()] {
        assert_eq!(wrong.parse::<IssuerKey>(), Err(FeedError::Key), "{wrong}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        entry::advisory_feed(&bytes);
    }

    #[test]
    fn any_change_of_a_feed_is_read_or_refused(
        at in any::<prop::sample::Index>(), bytes in prop::collection::vec(any::<u8>(), 0..8), signed_too in any::<bool>(),
    ) {
        let body = about(&[MILAN, "keeps = [\"sha256:0000000000000000000000000000000000000000000000000000000000000000\"]"]);
        let mut text = if signed_too { signed(&body).text().to_owned() } else { body }.into_bytes();
        let at = at.index(text.len());
        let end = (at + bytes.len()).min(text.len());
        text.splice(at..end, bytes);
        let unchanged = Feed::parse(&text, &[issuer(1)]).is_ok();
        if !unchanged {
            entry::advisory_feed(&text);
        }
    }
}
