// SPDX-License-Identifier: Apache-2.0

//! Files that belong to this user alone.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;
use zeroize::Zeroizing;

use super::{CacheError, KEY_BYTES, Key, unfinished};

const GROUP_OR_OTHERS: u32 = 0o077;
const WRITE_BY_GROUP_OR_OTHERS: u32 = 0o022;

/// Makes a directory for this user, or checks that an existing one cannot be written by anyone else.
pub(super) fn directory(path: &Path) -> Result<(), CacheError> {
    let failed = |source| CacheError::Directory { path: path.to_owned(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
    let metadata = fs::metadata(path).map_err(failed)?;
    check(path, &metadata, WRITE_BY_GROUP_OR_OTHERS)
}

/// Opens an existing file, which must not be a link.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let file =
        OpenOptions::new().read(true).custom_flags(flags(OFlags::NOFOLLOW | OFlags::NONBLOCK)).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

/// Creates a file that was not there.
pub(super) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Reads the key, or makes it.
pub(super) fn key(path: &Path) -> Result<Key, CacheError> {
    let failed = |source| CacheError::Key { path: path.to_owned(), source };
    match read_key(path) {
        Err(CacheError::Key { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
        result => return result,
    }
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    getrandom::fill(&mut *key).map_err(|error| failed(io::Error::other(error)))?;
    let (temporary, mut file) = unfinished(path).map_err(failed)?;
    // A link is made only where nothing is: of two processes that make a key at once, one wins and both use its key.
    let made =
        file.write_all(&*key).and_then(|()| file.sync_all()).and_then(|()| fs::hard_link(&temporary, path));
    let removed = fs::remove_file(&temporary);
    match made.and(removed) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(failed(error)),
        _ => read_key(path),
    }
}

fn read_key(path: &Path) -> Result<Key, CacheError> {
    let failed = |source| CacheError::Key { path: path.to_owned(), source };
    let mut file = open(path).map_err(failed)?;
    check(path, &file.metadata().map_err(failed)?, GROUP_OR_OTHERS)?;
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    file.read_exact(&mut *key).map_err(failed)?;
    if file.read(&mut [0]).map_err(failed)? != 0 {
        return Err(failed(io::ErrorKind::InvalidData.into()));
    }
    Ok(key)
}

fn check(path: &Path, metadata: &fs::Metadata, forbidden: u32) -> Result<(), CacheError> {
    let why = if metadata.uid() != rustix::process::geteuid().as_raw() {
        "belongs to another user"
    } else if metadata.mode() & forbidden != 0 {
        "is open to other users"
    } else {
        return Ok(());
    };
    Err(CacheError::NotPrivate { path: path.to_owned(), why })
}

fn flags(flags: OFlags) -> i32 {
    flags.bits().cast_signed()
}
