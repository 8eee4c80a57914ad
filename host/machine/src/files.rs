// SPDX-License-Identifier: Apache-2.0

//! A machine's file system, or a copy of it below some folder.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

/// More than any file that is read here has to say; `/proc/cpuinfo` repeats itself for each processor.
const MAX_BYTES: u64 = 64 * 1024;
/// Longest line that is worth telling.
const MAX_LINE: usize = 120;
/// Most entries of a folder that are looked at.
const MAX_ENTRIES: usize = 64;

pub(crate) struct Files {
    root: PathBuf,
}

impl Files {
    pub(crate) fn below(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    pub(crate) fn exists(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }

    /// Whether this user may read and write it.
    pub(crate) fn usable(&self, path: &str) -> bool {
        access(self.root.join(path), Access::READ_OK | Access::WRITE_OK).is_ok()
    }

    /// The beginning of a text.
    pub(crate) fn text(&self, path: &str) -> Option<String> {
        let mut bytes = Vec::new();
        File::open(self.root.join(path)).ok()?.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The first line of a text, fit for a terminal; `None` if it is empty.
    pub(crate) fn line(&self, path: &str) -> Option<String> {
        let text = self.text(path)?;
        let line = text.lines().next()?.trim();
        let line = line.chars().filter(|c| !c.is_control()).take(MAX_LINE).collect::<String>();
        (!line.is_empty()).then_some(line)
    }

    /// The names in a folder, sorted.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.root.join(folder)).into_iter().flatten().flatten();
        let names = entries.take(MAX_ENTRIES).filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<_> = names.collect();
        names.sort_unstable();
        names
    }
}
