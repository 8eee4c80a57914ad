// SPDX-License-Identifier: Apache-2.0

//! The file system of a Keep: all of it in memory, seeded from the provisioned data, bounded by a quota.
//!
//! A workload never sees a file of the host. Everything it can name hangs from directories that were opened for it
//! beforehand, and resolution of a path cannot climb out of the directory that it starts from, by `..`, by an
//! absolute path or by a symbolic link, as WASI's path resolution wants it.
//!
//! Both previews of WASI work on the same [`OpenNode`]s, so the rules and the errors are written once. Quotas are
//! checked before memory is allocated, and they count what a file claims to hold: a sparse file of 1 GiB uses 1 GiB.

mod changes;
mod content;
mod error;
mod node;
mod open;
mod path;
mod tree;

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;
use spin::Mutex;

pub use changes::{Change, ChangeKind};
pub use error::VfsError;
pub use open::{OpenNode, OpenOptions};

use crate::clock::Time;
use node::{Kind, NodeId};
use tree::Tree;

/// The longest path that is accepted, in bytes (Linux's `PATH_MAX`).
pub const MAX_PATH: usize = 4096;
/// The longest name of one entry, in bytes (Linux's `NAME_MAX`).
pub const MAX_NAME: usize = 255;
/// How many symbolic links one resolution follows (Linux's `MAXSYMLINKS`).
pub const MAX_LINKS_FOLLOWED: u32 = 40;
/// Cookies of [`OpenNode::entries`] below this one start at the first entry; preview 1 uses them for `.` and `..`.
pub const FIRST_COOKIE: u64 = 3;

/// How much a file system may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Sum of the lengths of all files and link targets.
    pub bytes: u64,
    /// Number of names, and of nodes that have lost their name but are still open.
    pub entries: u64,
}

/// How much a file system holds; the same counts as [`Quota`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Sum of the lengths of all files and link targets.
    pub bytes: u64,
    /// Number of names, and of nodes that have lost their name but are still open.
    pub entries: u64,
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileType {
    /// A file with bytes.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
}

/// The attributes of a node. Times are nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Number that no other node of this file system has or had.
    pub inode: u64,
    /// What the node is.
    pub file_type: FileType,
    /// How many names lead to the node.
    pub links: u64,
    /// Bytes of a file or of a link's target; 0 for a directory.
    pub size: u64,
    /// Last access. Reading does not change it (as Linux's `noatime`), only setting does.
    pub accessed: u64,
    /// Last change of the content.
    pub modified: u64,
    /// Last change of the content or the attributes.
    pub changed: u64,
}

/// What to do to one of the times of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SetTime {
    /// Leave it.
    #[default]
    Keep,
    /// Set it to the present time.
    Now,
    /// Set it to this many nanoseconds since 1970.
    To(u64),
}

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// Where to go on: `entries(cookie, …)` starts after this entry, also when it was removed in the meantime.
    pub cookie: u64,
    /// The node's number.
    pub inode: u64,
    /// The node's type.
    pub file_type: FileType,
    /// The name.
    pub name: Arc<str>,
}

/// Whether the workload may change what it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read only: writing, truncating, removing, renaming or linking the entry is refused.
    ReadOnly,
    /// Read and write.
    ReadWrite,
}

/// An in-memory file system. Clones share it.
#[derive(Clone)]
pub struct Vfs {
    tree: Arc<Mutex<Tree>>,
}

impl Vfs {
    /// An empty file system: a writable root directory. The times of files are wall time by `time`.
    pub fn new(quota: Quota, time: Time) -> Self {
        Self { tree: Arc::new(Mutex::new(Tree::new(quota, time))) }
    }

    /// The root directory.
    pub fn root(&self) -> OpenNode {
        OpenNode::new(self, NodeId::ROOT)
    }

    /// Opens the directory at an absolute path, without following links: the place to preopen.
    pub fn directory(&self, path: &str) -> Result<OpenNode, VfsError> {
        let node = self.tree.lock().walk(path)?;
        let open = OpenNode::new(self, node);
        match open.file_type() {
            FileType::Directory => Ok(open),
            _ => Err(VfsError::NotDirectory),
        }
    }

    /// Opens what is at an absolute path, without following links: for bringing changed files back.
    pub fn node(&self, path: &str) -> Result<OpenNode, VfsError> {
        let node = self.tree.lock().walk(path)?;
        Ok(OpenNode::new(self, node))
    }

    /// Puts a file at an absolute path before the workload starts; the directories above it are made. The bytes
    /// are shared, not copied, until the workload writes to them.
    pub fn seed_file(&self, path: &str, bytes: Bytes, access: Access) -> Result<(), VfsError> {
        self.tree.lock().seed(path, access, Kind::file_of(bytes))
    }

    /// Makes a directory at an absolute path, and those above it. One that exists takes the new access.
    pub fn seed_directory(&self, path: &str, access: Access) -> Result<(), VfsError> {
        self.tree.lock().seed_directory(path, access)
    }

    /// Puts a symbolic link at an absolute path. Its target is kept as it is; a target that leads out of what the
    /// workload may see is refused when it is followed.
    pub fn seed_symlink(&self, path: &str, target: &str, access: Access) -> Result<(), VfsError> {
        path::check_target(target)?;
        self.tree.lock().seed(path, access, Kind::Symlink(Arc::from(target)))
    }

    /// Declares the present state to be the seed that [`Vfs::changes`] compares with.
    pub fn seal(&self) {
        self.tree.lock().seal();
    }

    /// What was added, changed and removed since [`Vfs::seal`], ordered by path, a directory before its entries.
    pub fn changes(&self) -> Vec<Change> {
        self.tree.lock().changes()
    }

    /// How much the file system holds.
    pub fn usage(&self) -> Usage {
        self.tree.lock().usage()
    }

    /// How much it may hold.
    pub fn quota(&self) -> Quota {
        self.tree.lock().quota()
    }

    fn with<R>(&self, act: impl FnOnce(&mut Tree) -> R) -> R {
        act(&mut self.tree.lock())
    }
}

impl core::fmt::Debug for Vfs {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // Names and content are the tenant's: only sizes are shown.
        f.debug_struct("Vfs").field("usage", &self.usage()).finish_non_exhaustive()
    }
}

/// The target of a link as text, checked for what WASI lets a workload see.
fn visible_target(target: &str) -> Result<String, VfsError> {
    if target.starts_with('/') { Err(VfsError::NotPermitted) } else { Ok(String::from(target)) }
}
