// SPDX-License-Identifier: Apache-2.0

//! Nodes: what names lead to.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::ops::Bound;

use bytes::Bytes;

use super::content::Content;
use super::{FIRST_COOKIE, FileType, SetTime, Stat, VfsError};

/// Number of a node. Numbers are given once, so a stale one finds nothing rather than another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NodeId(pub(super) u64);

impl NodeId {
    pub(super) const ROOT: Self = Self(1);
}

pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) read_only: bool,
    /// Names that lead here.
    pub(super) links: u32,
    /// Open handles.
    pub(super) opens: u64,
    /// Raised by each change of the content, for telling what changed since the seed.
    pub(super) version: u64,
    accessed: u64,
    modified: u64,
    changed: u64,
}

pub(super) enum Kind {
    File(Content),
    Directory(Directory),
    Symlink(Arc<str>),
}

/// Names in a directory, also kept in the order of their making: a listing goes on where it was although names
/// come and go meanwhile.
pub(super) struct Directory {
    /// The directory this one is in; the root is in itself.
    pub(super) parent: NodeId,
    names: BTreeMap<Arc<str>, (NodeId, u64)>,
    order: BTreeMap<u64, Arc<str>>,
    next: u64,
}

impl Kind {
    pub(super) fn file_of(bytes: Bytes) -> Self {
        Self::File(Content::of(bytes))
    }

    pub(super) fn directory(parent: NodeId) -> Self {
        Self::Directory(Directory {
            parent,
            names: BTreeMap::new(),
            order: BTreeMap::new(),
            next: FIRST_COOKIE,
        })
    }

    /// What the node counts against the quota of bytes.
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::File(content) => content.len(),
            Self::Directory(_) => 0,
            Self::Symlink(target) => target.len() as u64,
        }
    }
}

impl Node {
    pub(super) fn new(kind: Kind, read_only: bool, now: u64) -> Self {
        Self { kind, read_only, links: 0, opens: 0, version: 0, accessed: now, modified: now, changed: now }
    }

    pub(super) fn file_type(&self) -> FileType {
        match self.kind {
            Kind::File(_) => FileType::Regular,
            Kind::Directory(_) => FileType::Directory,
            Kind::Symlink(_) => FileType::Symlink,
        }
    }

    pub(super) fn directory(&self) -> Result<&Directory, VfsError> {
        match &self.kind {
            Kind::Directory(directory) => Ok(directory),
            _ => Err(VfsError::NotDirectory),
        }
    }

    pub(super) fn directory_mut(&mut self) -> Result<&mut Directory, VfsError> {
        match &mut self.kind {
            Kind::Directory(directory) => Ok(directory),
            _ => Err(VfsError::NotDirectory),
        }
    }

    pub(super) fn content_mut(&mut self) -> Result<&mut Content, VfsError> {
        match &mut self.kind {
            Kind::File(content) => Ok(content),
            Kind::Directory(_) => Err(VfsError::IsDirectory),
            Kind::Symlink(_) => Err(VfsError::Invalid),
        }
    }

    pub(super) fn writable(&self) -> Result<(), VfsError> {
        if self.read_only { Err(VfsError::ReadOnly) } else { Ok(()) }
    }

    pub(super) fn stat(&self, id: NodeId) -> Stat {
        Stat {
            inode: id.0,
            file_type: self.file_type(),
            links: u64::from(self.links),
            size: self.kind.size(),
            accessed: self.accessed,
            modified: self.modified,
            changed: self.changed,
        }
    }

    /// Notes that the content changed.
    pub(super) fn touch(&mut self, now: u64) {
        self.version += 1;
        self.modified = now;
        self.changed = now;
    }

    /// Notes that the attributes changed.
    pub(super) fn touch_attributes(&mut self, now: u64) {
        self.changed = now;
    }

    pub(super) fn set_times(&mut self, accessed: SetTime, modified: SetTime, now: u64) {
        for (set, time) in [(accessed, &mut self.accessed), (modified, &mut self.modified)] {
            match set {
                SetTime::Keep => {}
                SetTime::Now => *time = now,
                SetTime::To(value) => *time = value,
            }
        }
        self.changed = now;
    }
}

impl Directory {
    pub(super) fn get(&self, name: &str) -> Option<NodeId> {
        self.names.get(name).map(|(node, _)| *node)
    }

    /// Gives a name to a node; a name that exists leads to the new node from now on.
    pub(super) fn insert(&mut self, name: &Arc<str>, node: NodeId) {
        self.remove(name);
        self.names.insert(Arc::clone(name), (node, self.next));
        self.order.insert(self.next, Arc::clone(name));
        self.next += 1;
    }

    pub(super) fn remove(&mut self, name: &str) {
        if let Some((_, cookie)) = self.names.remove(name) {
            self.order.remove(&cookie);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Names in their alphabetical order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, NodeId)> {
        self.names.iter().map(|(name, (node, _))| (name, *node))
    }

    /// Names in the order of their making, from the first after `cookie`.
    pub(super) fn after(&self, cookie: u64) -> impl Iterator<Item = (u64, &Arc<str>, NodeId)> {
        self.order
            .range((Bound::Excluded(cookie), Bound::Unbounded))
            .filter_map(|(cookie, name)| self.get(name).map(|node| (*cookie, name, node)))
    }
}
