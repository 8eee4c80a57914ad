// SPDX-License-Identifier: Apache-2.0

//! What a feed says, for people and for programs.

use enarx_verifier::UnixTime;
use enarx_verifier::advisory::{Advisory, Feed};
use serde_json::{Value, json};

use super::store::FeedRecord;
use crate::args::Format;
use crate::failure::Outcome;
use crate::layout;
use crate::provision::short;
use crate::terminal::{print_json, print_text};

/// Width of the names in the account of a feed: the longest is `expires`.
const NAME_WIDTH: usize = 7;
const INDENT: usize = 2;

pub(super) fn json(feed: &Feed, now: UnixTime) -> Value {
    let contents = feed.contents();
    let advisories: Vec<_> = contents
        .advisories
        .iter()
        .map(|advisory| {
            let Advisory { id, since, because, references, affects } = advisory;
            let affects: Vec<_> = affects.iter().map(ToString::to_string).collect();
            json!({
                "id": id, "since": since.to_string(), "because": because, "references": references,
                "affects": affects,
            })
        })
        .collect();
    json!({
        "feed": contents.feed,
        "version": contents.version,
        "issuer": feed.issuer().to_string(),
        "issuer_name": contents.issuer,
        "issued": contents.issued.to_string(),
        "expires": contents.expires.map(|day| day.to_string()),
        "expired": feed.expired(now),
        "digest": hex::encode(feed.digest()),
        "advisories": advisories,
    })
}

pub(super) fn text(feed: &Feed, now: UnixTime) -> String {
    let contents = feed.contents();
    let mut text = format!("version {} of the feed `{}`\n", contents.version, contents.feed);
    // Keys and digests are on one line, to be copied.
    let issuer = format!("{:indent$}{:<NAME_WIDTH$}  {}\n", "", "issuer", feed.issuer(), indent = INDENT);
    text.push_str(&issuer);
    for (name, value) in [
        ("name", contents.issuer.clone()),
        ("issued", contents.issued.to_string()),
        ("expires", expires(feed, now)),
    ] {
        text.push_str(&layout::entry(INDENT, name, NAME_WIDTH, &value));
    }
    for Advisory { id, since, because, references, affects } in &contents.advisories {
        text.push('\n');
        text.push_str(&layout::paragraph(0, id));
        text.push_str(&layout::entry(INDENT, "since", NAME_WIDTH, &since.to_string()));
        text.push_str(&layout::entry(INDENT, "because", NAME_WIDTH, because));
        for affects in affects {
            text.push_str(&layout::entry(INDENT, "denies", NAME_WIDTH, &affects.to_string()));
        }
        for reference in references {
            text.push_str(&layout::entry(INDENT, "see", NAME_WIDTH, reference));
        }
    }
    text
}

/// Prints one line about a feed that the tenant listens to.
pub(super) fn row(feed: &Feed, record: &FeedRecord, now: UnixTime, format: Format) -> Outcome<()> {
    if format == Format::Json {
        let mut row = json(feed, now);
        if let Value::Object(row) = &mut row {
            row.insert("when_expired".to_owned(), json!(record.when_expired));
            row.insert("damaged".to_owned(), Value::Null);
        }
        return print_json(&row);
    }
    let contents = feed.contents();
    print_text(&format!(
        "{}  version {}  {} advisories  {}  {} {}…\n",
        contents.feed,
        contents.version,
        contents.advisories.len(),
        expires(feed, now),
        contents.issuer,
        short(&hex::encode(feed.issuer().0)),
    ))
}

/// Prints one line about a feed that cannot be used.
pub(super) fn damaged(record: &FeedRecord, why: &str, format: Format) -> Outcome<()> {
    let FeedRecord { feed, version, issuer, .. } = record;
    match format {
        Format::Json => {
            print_json(&json!({ "feed": feed, "version": version, "issuer": issuer, "damaged": why }))
        }
        Format::Text | Format::Ear => print_text(&format!("{feed}  version {version}  DAMAGED\n")),
    }
}

/// The advisories of one version that the next no longer has.
pub(super) fn withdrawn(before: &Feed, after: &Feed) -> Vec<String> {
    let kept = |id: &str| after.contents().advisories.iter().any(|advisory| advisory.id == id);
    let before = before.contents().advisories.iter();
    before.map(|advisory| advisory.id.clone()).filter(|id| !kept(id)).collect()
}

fn expires(feed: &Feed, now: UnixTime) -> String {
    match feed.contents().expires {
        None => "never expires".to_owned(),
        Some(day) if feed.expired(now) => format!("EXPIRED after {day}"),
        Some(day) => format!("fresh until the end of {day}"),
    }
}
