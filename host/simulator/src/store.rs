// SPDX-License-Identifier: Apache-2.0

//! The directory with the simulator's keys and certificates.
//!
//! An entry is a directory whose files are written once and together: under a temporary name first, renamed
//! when complete. A lock file keeps two processes from making the same entry with different keys, and
//! readers from seeing an entry while it is replaced.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::SimulatorError;

/// More than any key, certificate or list that the simulator writes.
const MAX_FILE_BYTES: u64 = 64 * 1024;

const LOCK: &str = "lock";

/// Private keys are in here: nobody else may look.
const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

#[derive(Debug)]
pub(crate) struct Store {
    dir: PathBuf,
}

/// A directory of files that belong together.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    path: PathBuf,
}

/// The files of an entry to be made.
pub(crate) type Files = Vec<(&'static str, Vec<u8>)>;

impl Store {
    pub(crate) fn open(dir: &Path) -> Result<Self, SimulatorError> {
        make_dir(dir)?;
        Ok(Self { dir: dir.to_owned() })
    }

    /// Whether an entry was made.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.dir.join(name).is_dir()
    }

    /// Reads an entry; if there is none, or `read` finds it outdated by `None`, makes it and reads that.
    pub(crate) fn read_or_make<T>(
        &self,
        name: &str,
        read: impl Fn(&Entry) -> Result<Option<T>, SimulatorError>,
        make: impl FnOnce() -> Result<Files, SimulatorError>,
    ) -> Result<T, SimulatorError> {
        let entry = Entry { path: self.dir.join(name) };
        let current = || if entry.path.exists() { read(&entry) } else { Ok(None) };
        let shared = self.lock(File::lock_shared)?;
        if let Some(value) = current()? {
            return Ok(value);
        }
        drop(shared);
        let lock = self.lock(File::lock)?;
        // Another process may have made it while this one waited.
        if let Some(value) = current()? {
            return Ok(value);
        }
        entry.write(make()?)?;
        let made = current()?;
        drop(lock);
        made.ok_or_else(|| SimulatorError::damaged(&entry.path, "it is outdated as soon as it is made"))
    }

    /// Waits for the lock: shared with those who read, or alone to write. Dropping the file releases it.
    fn lock(&self, lock: impl FnOnce(&File) -> io::Result<()>) -> Result<File, SimulatorError> {
        let path = self.dir.join(LOCK);
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(FILE_MODE)
            .open(&path)
            .map_err(SimulatorError::io("open", &path))?;
        lock(&file).map_err(SimulatorError::io("lock", &path))?;
        Ok(file)
    }
}

impl Entry {
    pub(crate) fn read(&self, file: &str) -> Result<Vec<u8>, SimulatorError> {
        let path = self.path.join(file);
        let opened = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(SimulatorError::damaged(&self.path, format!("`{file}` is missing")));
            }
            opened => opened.map_err(SimulatorError::io("open", &path))?,
        };
        let mut bytes = Vec::new();
        opened.take(MAX_FILE_BYTES).read_to_end(&mut bytes).map_err(SimulatorError::io("read", &path))?;
        Ok(bytes)
    }

    pub(crate) fn damaged(&self, problem: &str) -> SimulatorError {
        SimulatorError::damaged(&self.path, problem)
    }

    /// Puts a complete entry in place of whatever is there. The caller holds the lock.
    fn write(&self, files: Files) -> Result<(), SimulatorError> {
        let new = self.path.with_extension("new");
        let old = self.path.with_extension("old");
        for remains in [&new, &old] {
            remove(remains)?;
        }
        make_dir(&new)?;
        for (name, bytes) in files {
            let path = new.join(name);
            let file = OpenOptions::new().create_new(true).write(true).mode(FILE_MODE).open(&path);
            file.and_then(|mut file| file.write_all(&bytes).and_then(|()| file.sync_all()))
                .map_err(SimulatorError::io("write", &path))?;
        }
        match fs::rename(&self.path, &old) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            renamed => renamed.map_err(SimulatorError::io("replace", &self.path))?,
        }
        fs::rename(&new, &self.path).map_err(SimulatorError::io("create", &self.path))?;
        remove(&old)
    }
}

fn make_dir(path: &Path) -> Result<(), SimulatorError> {
    let made = DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(path);
    made.map_err(SimulatorError::io("create", path))
}

fn remove(path: &Path) -> Result<(), SimulatorError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(SimulatorError::io("remove", path)),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn an_outdated_entry_is_replaced_and_a_current_one_kept() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let version = Cell::new(0_u8);
        let current = |minimum: u8| {
            let read =
                |entry: &Entry| Ok(entry.read("file")?.first().copied().filter(|found| *found >= minimum));
            let make = || {
                version.set(version.get() + 1);
                Ok(vec![("file", vec![version.get()])])
            };
            store.read_or_make("kind/name", read, make)
        };
        assert_eq!([1, 1, 2, 1].map(|minimum| current(minimum).unwrap()), [1, 1, 2, 2]);
        assert_eq!(version.get(), 2);
        assert!(matches!(current(9), Err(SimulatorError::Damaged { .. })));
    }
}
