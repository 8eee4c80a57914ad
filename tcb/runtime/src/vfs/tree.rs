// SPDX-License-Identifier: Apache-2.0

//! All nodes and what they count against the quota; every change of names passes through here.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use super::changes::Seed;
use super::node::{Kind, Node, NodeId};
use super::path::{self, Last, Place};
use super::{Access, Quota, Usage, VfsError};
use crate::clock::Time;

pub(super) struct Tree {
    nodes: BTreeMap<NodeId, Node>,
    next: u64,
    quota: Quota,
    usage: Usage,
    time: Time,
    pub(super) seed: Seed,
}

impl Tree {
    pub(super) fn new(quota: Quota, time: Time) -> Self {
        let mut root = Node::new(Kind::directory(NodeId::ROOT), false, time.wall());
        root.links = 1;
        Self {
            nodes: BTreeMap::from([(NodeId::ROOT, root)]),
            next: NodeId::ROOT.0 + 1,
            quota,
            usage: Usage::default(),
            time,
            seed: Seed::default(),
        }
    }

    pub(super) fn quota(&self) -> Quota {
        self.quota
    }

    pub(super) fn usage(&self) -> Usage {
        self.usage
    }

    pub(super) fn now(&self) -> u64 {
        self.time.wall()
    }

    pub(super) fn node(&self, id: NodeId) -> Result<&Node, VfsError> {
        self.nodes.get(&id).ok_or(VfsError::NotFound)
    }

    pub(super) fn node_mut(&mut self, id: NodeId) -> Result<&mut Node, VfsError> {
        self.nodes.get_mut(&id).ok_or(VfsError::NotFound)
    }

    /// The node at an absolute path that is made of plain names only.
    pub(super) fn walk(&self, path: &str) -> Result<NodeId, VfsError> {
        let relative = path.strip_prefix('/').ok_or(VfsError::Invalid)?;
        relative.split('/').filter(|name| !name.is_empty()).try_fold(NodeId::ROOT, |at, name| {
            if name == "." || name == ".." {
                return Err(VfsError::Invalid);
            }
            self.node(at)?.directory()?.get(name).ok_or(VfsError::NotFound)
        })
    }

    /// Adds bytes to the usage, or refuses, before anything is allocated.
    pub(super) fn charge_bytes(&mut self, more: u64) -> Result<(), VfsError> {
        let bytes = self.usage.bytes.checked_add(more).filter(|bytes| *bytes <= self.quota.bytes);
        self.usage.bytes = bytes.ok_or(VfsError::BytesExceeded)?;
        Ok(())
    }

    pub(super) fn release_bytes(&mut self, fewer: u64) {
        self.usage.bytes = self.usage.bytes.saturating_sub(fewer);
    }

    fn charge_entry(&mut self) -> Result<(), VfsError> {
        if self.usage.entries >= self.quota.entries {
            return Err(VfsError::EntriesExceeded);
        }
        self.usage.entries += 1;
        Ok(())
    }

    /// Makes a node with a first name, which must be free.
    pub(super) fn create(
        &mut self,
        parent: NodeId,
        name: &Arc<str>,
        kind: Kind,
        access: Access,
    ) -> Result<NodeId, VfsError> {
        self.attached(parent)?;
        self.charge_entry()?;
        if let Err(error) = self.charge_bytes(kind.size()) {
            self.usage.entries -= 1;
            return Err(error);
        }
        let id = NodeId(self.next);
        self.next += 1;
        let mut node = Node::new(kind, access == Access::ReadOnly, self.now());
        node.links = 1;
        self.nodes.insert(id, node);
        self.name(parent, name, id)?;
        Ok(id)
    }

    /// One more name for a node.
    pub(super) fn link(&mut self, parent: NodeId, name: &Arc<str>, id: NodeId) -> Result<(), VfsError> {
        self.attached(parent)?;
        let links = self.node(id)?.links.checked_add(1).ok_or(VfsError::TooManyLinks)?;
        self.charge_entry()?;
        let now = self.now();
        let node = self.node_mut(id)?;
        node.links = links;
        node.touch_attributes(now);
        self.name(parent, name, id)
    }

    /// Takes a name away; the node goes when it has no other and is not open.
    pub(super) fn unlink(&mut self, parent: NodeId, name: &str) -> Result<(), VfsError> {
        let now = self.now();
        let directory = self.node_mut(parent)?;
        let id = directory.directory()?.get(name).ok_or(VfsError::NotFound)?;
        directory.directory_mut()?.remove(name);
        directory.touch(now);
        let node = self.node_mut(id)?;
        node.links = node.links.saturating_sub(1);
        node.touch_attributes(now);
        if node.links > 0 || node.opens == 0 {
            self.usage.entries = self.usage.entries.saturating_sub(1);
        }
        self.collect(id);
        Ok(())
    }

    /// Moves a name, over another one if that exists; the caller has checked that the rules allow it.
    pub(super) fn rename(
        &mut self,
        from: (NodeId, &Arc<str>),
        to: (NodeId, &Arc<str>),
        id: NodeId,
    ) -> Result<(), VfsError> {
        self.attached(to.0)?;
        if self.node(to.0)?.directory()?.get(to.1).is_some() {
            self.unlink(to.0, to.1)?;
        }
        let now = self.now();
        let source = self.node_mut(from.0)?;
        source.directory_mut()?.remove(from.1);
        source.touch(now);
        self.name(to.0, to.1, id)?;
        let node = self.node_mut(id)?;
        node.touch_attributes(now);
        if let Ok(directory) = node.directory_mut() {
            directory.parent = to.0;
        }
        Ok(())
    }

    /// Whether `inner` is `outer` or somewhere in it.
    pub(super) fn is_within(&self, inner: NodeId, outer: NodeId) -> Result<bool, VfsError> {
        let mut at = inner;
        loop {
            if at == outer {
                return Ok(true);
            }
            let parent = self.node(at)?.directory()?.parent;
            if parent == at {
                return Ok(false);
            }
            at = parent;
        }
    }

    pub(super) fn opened(&mut self, id: NodeId) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.opens += 1;
        }
    }

    pub(super) fn closed(&mut self, id: NodeId) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        node.opens = node.opens.saturating_sub(1);
        if node.links == 0 && node.opens == 0 {
            // It counted as an entry for as long as it was open.
            self.usage.entries = self.usage.entries.saturating_sub(1);
        }
        self.collect(id);
    }

    /// Puts a provisioned node at an absolute path.
    pub(super) fn seed(&mut self, path: &str, access: Access, kind: Kind) -> Result<(), VfsError> {
        let (above, name) = path.rsplit_once('/').ok_or(VfsError::Invalid)?;
        let parent = self.seed_directories(above)?;
        self.free_name(parent, name)?;
        self.create(parent, &Arc::from(name), kind, access)?;
        Ok(())
    }

    pub(super) fn seed_directory(&mut self, path: &str, access: Access) -> Result<(), VfsError> {
        let id = self.seed_directories(path)?;
        self.node_mut(id)?.read_only = access == Access::ReadOnly;
        Ok(())
    }

    fn seed_directories(&mut self, path: &str) -> Result<NodeId, VfsError> {
        if !path.is_empty() && !path.starts_with('/') {
            return Err(VfsError::Invalid);
        }
        let mut at = NodeId::ROOT;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            at = if let Some(id) = self.node(at)?.directory()?.get(name) {
                id
            } else {
                self.free_name(at, name)?;
                self.create(at, &Arc::from(name), Kind::directory(at), Access::ReadWrite)?
            };
        }
        self.node(at)?.directory()?;
        Ok(at)
    }

    fn free_name(&self, parent: NodeId, name: &str) -> Result<(), VfsError> {
        path::check_target(name)?;
        match path::resolve(self, parent, name, Last::KeepAlways)? {
            Place::Entry { node: None, .. } => Ok(()),
            Place::Entry { node: Some(_), .. } => Err(VfsError::Exists),
            Place::Directory(_) => Err(VfsError::Invalid),
        }
    }

    /// A directory that was removed while it was open takes no new names.
    fn attached(&self, directory: NodeId) -> Result<(), VfsError> {
        if self.node(directory)?.links == 0 { Err(VfsError::NotFound) } else { Ok(()) }
    }

    fn name(&mut self, parent: NodeId, name: &Arc<str>, id: NodeId) -> Result<(), VfsError> {
        let now = self.now();
        let directory = self.node_mut(parent)?;
        directory.directory_mut()?.insert(name, id);
        directory.touch(now);
        Ok(())
    }

    fn collect(&mut self, id: NodeId) {
        if self.nodes.get(&id).is_some_and(|node| node.links == 0 && node.opens == 0)
            && let Some(node) = self.nodes.remove(&id)
        {
            self.release_bytes(node.kind.size());
        }
    }
}
