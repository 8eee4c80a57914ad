// SPDX-License-Identifier: Apache-2.0

//! Compiled programs on disk, for one user, authenticated.
//!
//! An entry is the compiled code, one byte for the kind of program, and an HMAC-SHA-256 over a label, the program's
//! digest, the engine's identity, the kind and the code. Whoever can write the directory but does not have
//! the key (a backup that was restored, another machine's cache, a damaged disk) can make the compiler work, and
//! nothing else.

mod evict;
mod private;

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use enarx_package::ProgramKind;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// How much a cache keeps unless told otherwise.
pub const DEFAULT_CACHE_BYTES: u64 = 1 << 30;

/// Longest entry that is read.
const MAX_ENTRY_BYTES: u64 = 1 << 30;
/// The block size of SHA-256, so that HMAC uses the key as it is.
const KEY_BYTES: usize = 64;
const TAG_BYTES: usize = 32;
const LABEL: &[u8] = b"enarx compiled program 1";
const KEY_FILE: &str = "cache.key";
const EXTENSION: &str = "aot";
/// Begins the names of files that are being written.
const UNFINISHED: &str = ".unfinished-";

type Key = Zeroizing<[u8; KEY_BYTES]>;

/// Why the cache could not be used. Never a reason to stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// The directory or the key file is not this user's alone.
    #[error("the cache is not used: `{}` {why}", path.display())]
    NotPrivate {
        /// The directory or file.
        path: PathBuf,
        /// In what way.
        why: &'static str,
    },
    /// The directory cannot be made or looked at.
    #[error("the cache is not used: `{}` is not a usable directory: {source}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The key cannot be made or read.
    #[error("the cache is not used: no key in `{}`: {source}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The result could not be kept.
    #[error("the compiled program was not kept in `{}`: {source}", path.display())]
    Store {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The result is larger than the whole cache may be.
    #[error("the compiled program was not kept: {bytes} bytes are more than the cache's limit of {limit}")]
    OverLimit {
        /// Size of the result.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
}

/// Where a cache is and how large it may be.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    directory: PathBuf,
    pub(crate) key_file: PathBuf,
    pub(crate) limit: u64,
}

/// What an entry is for.
pub(crate) struct Name {
    /// SHA-256 of the program as its author gave it.
    pub(crate) program: [u8; 32],
    /// Identity of the engine.
    pub(crate) engine: [u8; 32],
}

/// A directory that was found to be this user's, and the key.
pub(crate) struct Cache<'a> {
    directory: &'a Path,
    limit: u64,
    key: Key,
}

impl Settings {
    pub(crate) fn new(directory: PathBuf) -> Self {
        let key_file = directory.join(KEY_FILE);
        Self { directory, key_file, limit: DEFAULT_CACHE_BYTES }
    }

    /// Makes or checks directory and key.
    pub(crate) fn open(&self) -> Result<Cache<'_>, CacheError> {
        private::directory(&self.directory)?;
        // A bare file name is in the current directory, which was somebody else's decision.
        if let Some(parent) = self.key_file.parent().filter(|parent| *parent != Path::new("")) {
            private::directory(parent)?;
        }
        let key = private::key(&self.key_file)?;
        Ok(Cache { directory: &self.directory, limit: self.limit, key })
    }
}

impl Cache<'_> {
    /// The entry, if it is there and this key made it for this name. Everything else is as if it were not there.
    pub(crate) fn load(&self, name: &Name) -> Option<(ProgramKind, Vec<u8>)> {
        let path = self.path(name);
        let file = private::open(&path).ok()?;
        let length = file.metadata().ok()?.len();
        if length > MAX_ENTRY_BYTES {
            return None;
        }
        let mut bytes = Vec::with_capacity(usize::try_from(length).ok()?);
        (&file).take(MAX_ENTRY_BYTES).read_to_end(&mut bytes).ok()?;
        let kind = self.authenticate(name, &mut bytes)?;
        // The time of last use, for eviction. If it cannot be set, the entry only looks older than it is.
        let _ = file.set_modified(SystemTime::now());
        Some((kind, bytes))
    }

    /// Keeps an entry, and drops old ones.
    pub(crate) fn store(&self, name: &Name, kind: ProgramKind, code: &[u8]) -> Result<(), CacheError> {
        let bytes = (code.len() + 1 + TAG_BYTES) as u64;
        let limit = self.limit.min(MAX_ENTRY_BYTES);
        if bytes > limit {
            return Err(CacheError::OverLimit { bytes, limit });
        }
        let kind = kind_byte(kind);
        let tag = self.mac(name, code, kind).finalize().into_bytes();
        let failed = |source| CacheError::Store { path: self.directory.to_owned(), source };
        write_whole(&self.path(name), &[code, &[kind], &tag]).map_err(failed)?;
        evict::to_limit(self.directory, self.limit).map_err(failed)
    }

    fn authenticate(&self, name: &Name, bytes: &mut Vec<u8>) -> Option<ProgramKind> {
        let (rest, tag) = bytes.split_last_chunk::<TAG_BYTES>()?;
        let (kind, code) = rest.split_last()?;
        self.mac(name, code, *kind).verify_slice(tag).ok()?;
        let kind = match kind {
            0 => ProgramKind::Module,
            1 => ProgramKind::Component,
            _ => return None,
        };
        let length = code.len();
        bytes.truncate(length);
        Some(kind)
    }

    /// Label, name and kind have fixed lengths, so the code needs none.
    fn mac(&self, name: &Name, code: &[u8], kind: u8) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new(&(*self.key).into());
        mac.update(LABEL);
        mac.update(&name.program);
        mac.update(&name.engine);
        mac.update(&[kind]);
        mac.update(code);
        mac
    }

    fn path(&self, name: &Name) -> PathBuf {
        let file = format!("{}-{}.{EXTENSION}", hex::encode(name.program), hex::encode(name.engine));
        self.directory.join(file)
    }
}

fn kind_byte(kind: ProgramKind) -> u8 {
    match kind {
        ProgramKind::Module => 0,
        ProgramKind::Component => 1,
    }
}

/// Writes a file that is there completely or not at all.
fn write_whole(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let (temporary, mut file) = unfinished(path)?;
    let written =
        parts.iter().try_for_each(|part| file.write_all(part)).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // What is left behind would fill a disk that is full already; eviction finds it if this fails too.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// A new file beside `path`, for this user alone.
fn unfinished(path: &Path) -> io::Result<(PathBuf, File)> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let temporary = path.with_file_name(format!("{UNFINISHED}{}", hex::encode(random)));
    let file = private::create(&temporary)?;
    Ok((temporary, file))
}
