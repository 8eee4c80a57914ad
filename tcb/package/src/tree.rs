// SPDX-License-Identifier: Apache-2.0

//! The data of a workload: a tree of files that a Keep's file system starts from.

use alloc::collections::BTreeMap;
use alloc::collections::btree_map;
use alloc::string::String;
use alloc::vec::Vec;

use crate::path::{GuestPath, MAX_PATH_BYTES};

/// One file, directory or symbolic link.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it is.
    pub path: GuestPath,
    /// What it is.
    pub kind: EntryKind,
}

/// What an [`Entry`] is.
#[derive(Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A directory.
    Directory,
    /// A file with its contents.
    File(Vec<u8>),
    /// A symbolic link with its target, which is resolved inside the Keep and cannot lead out of it.
    Symlink(String),
}

// Contents are the tenant's data: they are counted, not shown.
impl core::fmt::Debug for Entry {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match &self.kind {
            EntryKind::Directory => write!(f, "{} (directory)", self.path),
            EntryKind::File(contents) => write!(f, "{} ({} bytes)", self.path, contents.len()),
            EntryKind::Symlink(_) => write!(f, "{} (link)", self.path),
        }
    }
}

impl core::fmt::Debug for EntryKind {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Directory => f.write_str("Directory"),
            Self::File(contents) => write!(f, "File({} bytes)", contents.len()),
            Self::Symlink(_) => f.write_str("Symlink"),
        }
    }
}

/// A set of entries that can exist together.
///
/// Each path is there once, only directories have something below them, every directory above an entry is an
/// entry itself (`/` is not), and a directory comes before what is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileTree {
    entries: Vec<Entry>,
    bytes: u64,
}

/// Why entries do not make a [`FileTree`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// A path is there twice.
    #[error("`{path}` is there twice")]
    Twice {
        /// The path.
        path: GuestPath,
    },
    /// Something is below a file or a link.
    #[error("`{path}` has entries below it and is not a directory")]
    NotADirectory {
        /// The file or link.
        path: GuestPath,
    },
    /// The root is a directory, and nobody has to say so.
    #[error("`/` is always a directory")]
    Root,
    /// The target of a link is empty, too long or has a NUL.
    #[error("the target of the link `{path}` is empty, has more than {MAX_PATH_BYTES} bytes or a NUL")]
    Target {
        /// The link.
        path: GuestPath,
    },
}

impl FileTree {
    /// Sorts and checks entries, and adds the directories that they imply.
    pub fn new(entries: impl IntoIterator<Item = Entry>) -> Result<Self, TreeError> {
        let mut nodes = BTreeMap::new();
        for Entry { path, kind } in entries {
            if path.is_root() {
                return Err(TreeError::Root);
            }
            if let EntryKind::Symlink(target) = &kind
                && (target.is_empty() || target.len() > MAX_PATH_BYTES || target.contains('\0'))
            {
                return Err(TreeError::Target { path });
            }
            match nodes.entry(path) {
                btree_map::Entry::Vacant(place) => place.insert(kind),
                btree_map::Entry::Occupied(place) => {
                    return Err(TreeError::Twice { path: place.key().clone() });
                }
            };
        }
        for directory in implied_directories(&nodes)? {
            nodes.insert(directory, EntryKind::Directory);
        }
        Ok(Self::from_nodes(nodes))
    }

    fn from_nodes(nodes: BTreeMap<GuestPath, EntryKind>) -> Self {
        let entries: Vec<Entry> = nodes.into_iter().map(|(path, kind)| Entry { path, kind }).collect();
        let bytes = entries
            .iter()
            .map(|entry| match &entry.kind {
                EntryKind::Directory => 0,
                EntryKind::File(contents) => contents.len() as u64,
                EntryKind::Symlink(target) => target.len() as u64,
            })
            .sum();
        Self { entries, bytes }
    }

    /// The entries, sorted by path.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entries, sorted by path.
    pub fn iter(&self) -> core::slice::Iter<'_, Entry> {
        self.entries.iter()
    }

    /// Contents and link targets together.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl IntoIterator for FileTree {
    type Item = Entry;
    type IntoIter = alloc::vec::IntoIter<Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl<'a> IntoIterator for &'a FileTree {
    type Item = &'a Entry;
    type IntoIter = core::slice::Iter<'a, Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

fn implied_directories(nodes: &BTreeMap<GuestPath, EntryKind>) -> Result<Vec<GuestPath>, TreeError> {
    let mut implied = Vec::new();
    let mut last: Option<GuestPath> = None;
    for path in nodes.keys() {
        let parent = path.parent();
        // Neighbours mostly share their directory, which was then looked at already.
        if parent == last {
            continue;
        }
        let mut above = parent.clone();
        while let Some(directory) = above.filter(|directory| !directory.is_root()) {
            above = directory.parent();
            match nodes.get(&directory) {
                Some(EntryKind::Directory) => {}
                Some(_) => return Err(TreeError::NotADirectory { path: directory }),
                None => implied.push(directory),
            }
        }
        last = parent;
    }
    Ok(implied)
}
