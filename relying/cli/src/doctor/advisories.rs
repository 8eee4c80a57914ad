// SPDX-License-Identifier: Apache-2.0

//! The feeds of advisories that the tenant listens to: whether each is there as it was imported, and fresh.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use enarx_verifier::UnixTime;
use enarx_verifier::advisory::Day;

use super::Line;
use crate::advisory::{FeedRecord, FeedStore};
use crate::args::WhenExpired;
use crate::state::State;
use crate::trust;

const ID: &str = "advisories";

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
