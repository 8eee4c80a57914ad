// SPDX-License-Identifier: Apache-2.0

//! The feeds of advisories that the tenant listens to: whether each is there as it was imported, and fresh.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use enarx_verifier::UnixTime;
use enarx_verifier::advisory::{Day, Feed, IssuerKey, MAX_FEED_BYTES};

use super::Line;
use crate::advisory::{FeedRecord, FeedStore};
use crate::args::WhenExpired;
use crate::input;
use crate::state::State;
use crate::trust;

const ID: &str = "advisories";

/// Most feeds without a record that are told one by one.
const MAX_STRAYS: usize = 16;

/// Who else may write to a file.
const OTHERS_WRITE: u32 = 0o022;

/// One line for each feed, and one for the list of them, which remembers versions against roll-back.
pub(super) fn feeds() -> Vec<Line> {
    let folder = match State::place() {
        Ok(folder) => folder,
        Err(failure) => return vec![Line::failed(ID, &failure)],
    };
    let store = FeedStore::new(&folder);
    let records = match store.records() {
        Ok(records) => records,
        Err(failure) => return vec![Line::failed(ID, &failure)],
    };
    let mut lines = vec![list(&store.list_file(), &records)];
    lines.extend(records.iter().filter(|record| !record.removed).map(|record| feed(&store, record)));
    // More of them than that are of one making.
    lines.extend(store.strays(&records).iter().take(MAX_STRAYS).map(|file| stray(file, &records)));
    lines
}

fn list(file: &Path, records: &[FeedRecord]) -> Line {
    let (heard, forgotten): (Vec<_>, Vec<_>) = records.iter().partition(|record| !record.removed);
    let remembered = match forgotten.len() {
        0 => String::new(),
        count => format!("; the versions of {count} more are remembered"),
    };
    // Whoever can write the list can take a warning back.
    match fs::symlink_metadata(file) {
        Ok(metadata) if metadata.mode() & OTHERS_WRITE != 0 => {
            let fix = format!("`chmod 600 {}`, and import your feeds again", file.display());
            Line::fail(ID, format!("others can change {}, and with it what is denied", file.display()), fix)
        }
        _ if records.is_empty() => Line::ok(ID, "you listen to no feed"),
        _ => Line::ok(ID, format!("you listen to {}{remembered}", count(heard.len()))),
    }
}

/// A feed that the list does not stand for. A newer one than the list remembers shows that the list was put back to what it
/// was before, or that an import did not come to its end; in both cases older versions than the newest are let in.
fn stray(file: &Path, records: &[FeedRecord]) -> Line {
    let shown = file.display();
    let issuers: Vec<IssuerKey> = records.iter().filter_map(|record| record.issuer.parse().ok()).collect();
    let remove = format!("remove {shown}");
    let bytes = match input::bytes(file, MAX_FEED_BYTES as u64) {
        Ok(bytes) => bytes,
        Err(failure) => return Line::warn(ID, failure.message(), remove),
    };
    let Ok(feed) = Feed::parse(&bytes, &issuers) else {
        return Line::warn(
            ID,
            format!("{shown} is no feed of an issuer of yours, and is not looked at"),
            remove,
        );
    };
    let (name, version) = (&feed.contents().feed, feed.contents().version);
    let issuer = feed.issuer().to_string();
    let seen = records.iter().find(|record| record.feed == *name && record.issuer == issuer);
    match seen {
        Some(seen) if version > seen.version => Line::fail(
            ID,
            format!(
                "version {version} of `{name}` was here, and the list remembers version {} as the newest: it was put \
                 back, or an import did not end",
                seen.version
            ),
            format!(
                "import the newest version again, such as `enarx advisory import --issuer {issuer} {shown}`"
            ),
        ),
        _ => Line::warn(ID, format!("{shown}, version {version} of `{name}`, is not looked at"), remove),
    }
}

fn count(feeds: usize) -> String {
    if feeds == 1 { "one feed".to_owned() } else { format!("{feeds} feeds") }
}

fn feed(store: &FeedStore, record: &FeedRecord) -> Line {
    let feed = match store.open(record) {
        Ok(feed) => feed,
        Err(failure) => return Line::failed(ID, &failure),
    };
    let contents = feed.contents();
    let name = format!("`{}`, version {}", contents.feed, contents.version);
    let last = contents.expires.map(day);
    let Some(last) = last else { return Line::ok(ID, format!("{name}, which never expires")) };
    if !feed.expired(UnixTime(trust::now())) {
        return Line::ok(ID, format!("{name}, fresh until {last}"));
    }
    let next = "import its next version by `enarx advisory import`";
    match record.when_expired {
        WhenExpired::Refuse => {
            let fix = format!(
                "{next}; `--when-expired warn` goes on without, and what its issuer found out since is not noticed"
            );
            Line::fail(ID, format!("{name}, had its last day on {last}: everything is refused"), fix)
        }
        WhenExpired::Warn => Line::warn(
            ID,
            format!("{name}, had its last day on {last}; what became known since is missing"),
            next,
        ),
    }
}

fn day(day: Day) -> String {
    let text = day.start().to_string();
    text.split_once('T').map_or(text.clone(), |(day, _)| day.to_owned())
}
