// SPDX-License-Identifier: Apache-2.0

//! A directory of answers, so that vendors are asked seldom.
//!
//! Each answer is a file of its own: SHA-256 of the rest, then a bundle ([`OfflineBundle`]) with its parts. Files
//! are written under another name and renamed, so that several processes can use one directory: a reader sees a
//! whole file or none. What is damaged counts as absent, is removed, and is fetched again.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::bundle::OfflineBundle;
use crate::item::Item;
use crate::what::What;

const EXTENSION: &str = "collateral";
const UNFINISHED: &str = "new";
const DIGEST_LEN: usize = 32;
const LOCK: &str = "lock";

/// A file that nobody finished within this time never will be.
const ABANDONED: Duration = Duration::from_hours(1);

/// What was fetched says which chips its owner asks about: nobody else need see it.
const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// A cache in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    dir: PathBuf,
    max_bytes: u64,
}

/// The file system refused.
#[derive(Debug, Error)]
#[error("cannot {action} `{}`", path.display())]
pub struct CacheError {
    /// What was tried, such as `read`.
    pub action: &'static str,
    /// On which file or directory.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

impl Cache {
    /// Enough for about a thousand platforms.
    pub const DEFAULT_BYTES: u64 = 16 * 1024 * 1024;
    /// More than any answer has.
    const MAX_ENTRY: u64 = 256 * 1024;

    /// Opens a directory, making it if it is not there; of what is in it, the oldest is removed above
    /// `max_bytes`. Several processes may have it open.
    pub fn open(dir: &Path, max_bytes: u64) -> Result<Self, CacheError> {
        let made = DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(dir);
        made.map_err(|source| CacheError { action: "create", path: dir.to_owned(), source })?;
        Ok(Self { dir: dir.to_owned(), max_bytes })
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Everything that is readable in the cache.
    pub fn items(&self) -> Result<Vec<Item>, CacheError> {
        let mut found = Vec::new();
        for (path, _) in self.entries()? {
            if let Ok(bundle) = read(&path) {
                found.extend(bundle.items().cloned());
            }
        }
        Ok(found)
    }

    /// Removes everything.
    pub fn clear(&self) -> Result<(), CacheError> {
        let _lock = self.lock()?;
        self.entries()?.iter().try_for_each(|(path, _)| remove(path))
    }

    /// The answer that an address gave; `None` if there is none, or it is damaged.
    pub(crate) fn get(&self, url: &str, what: &What) -> Option<Vec<Item>> {
        let path = self.path(url);
        let items: Vec<Item> = match read(&path) {
            Ok(bundle) => bundle.find(what).into_iter().cloned().collect(),
            Err(Unreadable::Absent) => return None,
            Err(Unreadable::Damaged) => Vec::new(),
        };
        if items.is_empty() {
            tracing::warn!(path = %path.display(), "a damaged file in the cache is removed");
            let _ = remove(&path);
        }
        Some(items).filter(|items| !items.is_empty())
    }

    /// Keeps an answer.
    pub(crate) fn put(&self, url: &str, items: &[Item]) -> Result<(), CacheError> {
        let mut bundle = OfflineBundle::default();
        for item in items {
            bundle.add(item.clone());
        }
        let contents = bundle.encode();
        let path = self.path(url);
        let mut suffix = [0; 8];
        // Without randomness two writers could meet, and then one of them fails.
        let _ = getrandom::fill(&mut suffix);
        let new = path.with_extension(format!("{}.{UNFINISHED}", hex::encode(suffix)));
        let write = |file: &mut File| {
            file.write_all(&Sha256::digest(&contents))?;
            file.write_all(&contents)?;
            file.sync_all()
        };
        let file = OpenOptions::new().create_new(true).write(true).mode(FILE_MODE).open(&new);
        let written = file.and_then(|mut file| write(&mut file)).and_then(|()| fs::rename(&new, &path));
        if let Err(source) = written {
            let _ = fs::remove_file(&new);
            return Err(CacheError { action: "write", path, source });
        }
        self.shrink()
    }

    fn path(&self, url: &str) -> PathBuf {
        let digest = hex::encode(Sha256::digest(url.as_bytes()));
        self.dir.join(format!("{digest}.{EXTENSION}"))
    }

    /// Removes the oldest files above the limit, and what other processes left unfinished.
    fn shrink(&self) -> Result<(), CacheError> {
        let _lock = self.lock()?;
        let mut entries = self.entries()?;
        entries.sort_by_key(|(_, metadata)| {
            std::cmp::Reverse(metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH))
        });
        let mut total = 0_u64;
        for (path, metadata) in &entries {
            let old = metadata.modified().ok().and_then(|time| time.elapsed().ok());
            let unfinished = path.extension().is_some_and(|extension| extension == UNFINISHED);
            let over = if unfinished {
                old.is_some_and(|old| old >= ABANDONED)
            } else {
                total = total.saturating_add(metadata.len());
                total > self.max_bytes
            };
            if over {
                remove(path)?;
            }
        }
        Ok(())
    }

    /// The files of this cache; files of others in the directory are left alone.
    fn entries(&self) -> Result<Vec<(PathBuf, fs::Metadata)>, CacheError> {
        let failed = |source| CacheError { action: "list", path: self.dir.clone(), source };
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let own = path.extension().is_some_and(|kind| kind == EXTENSION || kind == UNFINISHED);
            // Another process may have removed it meanwhile.
            if let (true, Ok(metadata)) = (own, fs::symlink_metadata(&path)) {
                found.push((path, metadata));
            }
        }
        Ok(found)
    }

    /// Waits until no other process removes files. Dropping the file releases the lock.
    fn lock(&self) -> Result<File, CacheError> {
        let path = self.dir.join(LOCK);
        let open = OpenOptions::new().create(true).truncate(false).write(true).mode(FILE_MODE).open(&path);
        let locked = open.and_then(|file| file.lock().map(|()| file));
        locked.map_err(|source| CacheError { action: "lock", path, source })
    }
}

enum Unreadable {
    Absent,
    Damaged,
}

fn read(path: &Path) -> Result<OfflineBundle, Unreadable> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|_| Unreadable::Absent)?;
    file.take(Cache::MAX_ENTRY).read_to_end(&mut bytes).map_err(|_| Unreadable::Damaged)?;
    let (digest, contents) = bytes.split_at_checked(DIGEST_LEN).ok_or(Unreadable::Damaged)?;
    if Sha256::digest(contents).as_slice() != digest {
        return Err(Unreadable::Damaged);
    }
    OfflineBundle::decode(contents).map_err(|_| Unreadable::Damaged)
}

fn remove(path: &Path) -> Result<(), CacheError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            Err(CacheError { action: "remove", path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}
