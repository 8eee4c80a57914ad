// SPDX-License-Identifier: Apache-2.0

//! The feeds of advisories that the tenant listens to.
//!
//! A list says which feeds there are, by whose key and in which version; the feeds themselves stand beside it. What
//! the list names has to be there, word for word: a feed that is gone or damaged ends every decision, and does not
//! pass for one that denies nothing.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use enarx_verifier::advisory::{Feed, IssuerKey, MAX_FEED_BYTES};
use serde::{Deserialize, Serialize};

use crate::args::WhenExpired;
use crate::failure::{Failure, Outcome, chain};
use crate::input;
use crate::state::{private_folder, write_private};

const LIST_FILE: &str = "advisories.json";
const LOCK_FILE: &str = "advisories.lock";
const FEEDS_FOLDER: &str = "advisories";
const FEED_EXTENSION: &str = "feed";
/// Longest list: thousands of feeds.
const MAX_LIST: u64 = 1 << 20;

/// What is remembered of a feed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FeedRecord {
    /// Its name
    pub(crate) feed: String,
    /// The key that has to sign it
    pub(crate) issuer: String,
    /// The newest version that was imported
    pub(crate) version: u32,
    /// The digest of that version, in hexadecimal: its file's name
    pub(crate) digest: String,
    /// What the tenant said about its last day
    pub(crate) when_expired: WhenExpired,
    /// The tenant no longer listens to it; its version is remembered
    pub(crate) removed: bool,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    feeds: Vec<FeedRecord>,
}

/// The feeds in a state folder.
pub(crate) struct FeedStore {
    folder: PathBuf,
}

/// The list while nobody else may change it.
pub(crate) struct Change<'a> {
    store: &'a FeedStore,
    list: List,
    _lock: File,
}

impl FeedStore {
    pub(crate) fn new(state: &Path) -> Self {
        Self { folder: state.to_owned() }
    }

    /// What is remembered of each feed, also of those that the tenant no longer listens to.
    pub(crate) fn records(&self) -> Outcome<Vec<FeedRecord>> {
        Ok(self.list()?.feeds)
    }

    /// Every feed that the tenant listens to. All of them are there, or nothing can be decided.
    pub(crate) fn feeds(&self) -> Outcome<Vec<Feed>> {
        let records = self.records()?;
        records.iter().filter(|record| !record.removed).map(|record| self.open(record)).collect()
    }

    /// The feed of a record, as it was imported.
    pub(crate) fn open(&self, record: &FeedRecord) -> Outcome<Feed> {
        let damaged = |why: String| {
            let FeedRecord { feed, version, .. } = record;
            Failure::usage(format!("version {version} of the feed `{feed}`, which you imported, is not usable: {why}"))
                .hint(format!(
                    "import it again; nothing is accepted without it, unless `enarx advisory rm {feed}` says that you \
                     no longer listen to it"
                ))
        };
        let path = self.path(record);
        let bytes = input::bytes(&path, MAX_FEED_BYTES as u64)
            .map_err(|failure| damaged(failure.message().into()))?;
        let issuer = record.issuer.parse::<IssuerKey>().map_err(|error| damaged(chain(&error)))?;
        let feed = Feed::parse(&bytes, &[issuer]).map_err(|error| damaged(chain(&error)))?;
        let contents = feed.contents();
        let found = (contents.feed.as_str(), contents.version, hex::encode(feed.digest()));
        if found != (record.feed.as_str(), record.version, record.digest.clone()) {
            return Err(damaged(format!("{} is another feed", path.display())));
        }
        Ok(match record.when_expired {
            WhenExpired::Refuse => feed,
            WhenExpired::Warn => feed.accepting_expired(),
        })
    }

    /// What changes when a feed is imported, removed or damaged.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let feeds = fs::read_dir(self.folder.join(FEEDS_FOLDER)).into_iter().flatten().flatten();
        let mut files: Vec<_> = feeds.map(|entry| entry.path()).collect();
        files.push(self.folder.join(LIST_FILE));
        files.sort();
        files
    }

    /// The feeds that lie in the folder and that no record stands for.
    pub(crate) fn strays(&self, records: &[FeedRecord]) -> Vec<PathBuf> {
        let named: Vec<_> =
            records.iter().filter(|record| !record.removed).map(|record| self.path(record)).collect();
        self.files().into_iter().filter(|file| is_feed(file) && !named.contains(file)).collect()
    }

    /// The list of feeds, which remembers the newest version of each.
    pub(crate) fn list_file(&self) -> PathBuf {
        self.folder.join(LIST_FILE)
    }

    /// Waits until nobody else changes the list.
    pub(crate) fn change(&self) -> Outcome<Change<'_>> {
        let path = self.folder.join(LOCK_FILE);
        let lock =
            File::options().create(true).append(true).open(&path).and_then(|file| file.lock().map(|()| file));
        let lock =
            lock.map_err(|error| Failure::usage(format!("could not lock {}: {error}", path.display())))?;
        Ok(Change { store: self, list: self.list()?, _lock: lock })
    }

    fn list(&self) -> Outcome<List> {
        let path = self.folder.join(LIST_FILE);
        if !path.exists() {
            return self.without_list(&path);
        }
        let bytes = input::bytes(&path, MAX_LIST)?;
        serde_json::from_slice(&bytes).map_err(|error| {
            Failure::usage(format!("{} is not the list of your feeds of advisories: {error}", path.display()))
                .hint("restore it from a backup; nothing is accepted as long as it cannot be read")
        })
    }

    /// Nothing was imported yet; but feeds do not come without a list.
    fn without_list(&self, path: &Path) -> Outcome<List> {
        if self.files().iter().any(|file| is_feed(file)) {
            let message = format!("{}, the list of your feeds of advisories, is gone", path.display());
            let hint = format!(
                "restore it from a backup; to begin anew and listen to nobody, remove the folder {}",
                self.folder.join(FEEDS_FOLDER).display()
            );
            return Err(Failure::usage(message).hint(hint));
        }
        Ok(List::default())
    }

    fn path(&self, record: &FeedRecord) -> PathBuf {
        // Digits alone: a list that was tampered with leads to no other folder.
        let digits: String = record.digest.chars().filter(char::is_ascii_hexdigit).collect();
        self.folder.join(FEEDS_FOLDER).join(digits).with_extension(FEED_EXTENSION)
    }
}

impl Change<'_> {
    /// What is remembered of a feed by this issuer.
    pub(crate) fn by(&self, feed: &str, issuer: IssuerKey) -> Option<&FeedRecord> {
        let issuer = issuer.to_string();
        self.list.feeds.iter().find(|record| record.feed == feed && record.issuer == issuer)
    }

    /// The feed of this name that the tenant listens to.
    pub(crate) fn current(&self, feed: &str) -> Option<&FeedRecord> {
        self.list.feeds.iter().find(|record| record.feed == feed && !record.removed)
    }

    /// Listens to a feed, in place of what went before it.
    pub(crate) fn put(mut self, feed: &Feed, when_expired: WhenExpired) -> Outcome<()> {
        let contents = feed.contents();
        let record = FeedRecord {
            feed: contents.feed.clone(),
            issuer: feed.issuer().to_string(),
            version: contents.version,
            digest: hex::encode(feed.digest()),
            when_expired,
            removed: false,
        };
        let path = self.store.path(&record);
        let same = |old: &FeedRecord| old.feed == record.feed && old.issuer == record.issuer;
        let old = self.list.feeds.iter().find(|old| same(old)).map(|old| self.store.path(old));
        self.list.feeds.retain(|old| !same(old));
        self.list.feeds.push(record.clone());
        private_folder(&self.store.folder.join(FEEDS_FOLDER))?;
        // First the feed, then the list that asks for it: whatever ends in between, the list names what is there.
        write_private(&path, feed.text().as_bytes())
            .map_err(|error| Failure::usage(format!("could not write {}: {error}", path.display())))?;
        self.write()?;
        remove(old.filter(|old| *old != path))
    }

    /// No longer listens to a feed.
    pub(crate) fn remove(mut self, feed: &str) -> Outcome<()> {
        let mut files = Vec::new();
        for record in self.list.feeds.iter_mut().filter(|record| record.feed == feed) {
            record.removed = true;
            files.push(self.store.path(record));
        }
        self.write()?;
        remove(files)
    }

    fn write(&mut self) -> Outcome<()> {
        self.list.feeds.sort_by(|a, b| (&a.feed, &a.issuer).cmp(&(&b.feed, &b.issuer)));
        let path = self.store.folder.join(LIST_FILE);
        let text = serde_json::to_vec_pretty(&self.list).map_err(Failure::usage)?;
        write_private(&path, &text)
            .map_err(|error| Failure::usage(format!("could not write {}: {error}", path.display())))
    }
}

fn is_feed(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == FEED_EXTENSION)
}

fn remove(files: impl IntoIterator<Item = PathBuf>) -> Outcome<()> {
    for file in files {
        match fs::remove_file(&file) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(Failure::usage(format!("could not remove {}: {error}", file.display())));
            }
            _ => {}
        }
    }
    Ok(())
}
