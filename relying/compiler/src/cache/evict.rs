// SPDX-License-Identifier: Apache-2.0

//! Dropping what was not used for longest.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{EXTENSION, UNFINISHED};

/// A file that is still unfinished after this time was left behind by a process that died.
const ABANDONED: Duration = Duration::from_hours(1);

struct Kept {
    used: SystemTime,
    bytes: u64,
    path: PathBuf,
}

/// Removes entries until the rest is within `limit`. Files that are not the cache's are left alone.
pub(super) fn to_limit(directory: &Path, limit: u64) -> io::Result<()> {
    let mut kept = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        // Another process may be evicting as well: what is gone is gone.
        let Ok(metadata) = entry.metadata() else { continue };
        let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            if used.elapsed().is_ok_and(|age| age > ABANDONED) {
                remove(&path)?;
            }
        } else if metadata.is_file() && path.extension().is_some_and(|extension| extension == EXTENSION) {
            kept.push(Kept { used, bytes: metadata.len(), path });
        }
    }
    kept.sort_by_key(|kept| kept.used);
    let mut total: u64 = kept.iter().map(|kept| kept.bytes).sum();
    for oldest in kept {
        if total <= limit {
            break;
        }
        remove(&oldest.path)?;
        total = total.saturating_sub(oldest.bytes);
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
