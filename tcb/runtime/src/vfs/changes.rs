// SPDX-License-Identifier: Apache-2.0

//! What the workload did to its files, so that they can be brought back to the tenant.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::node::{Kind, Node, NodeId};
use super::tree::Tree;
use super::{FileType, VfsError};

/// One difference from the seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Absolute path.
    pub path: String,
    /// What happened.
    pub kind: ChangeKind,
    /// What is there now; for a removed entry, what was there.
    pub file_type: FileType,
}

/// How an entry differs from the seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was not there.
    Added,
    /// It was written to, or another node took its place.
    Changed,
    /// It is no longer there.
    Removed,
}

/// The state to compare with: which node was where, in which version.
#[derive(Default)]
pub(super) struct Seed {
    entries: BTreeMap<String, SeedEntry>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct SeedEntry {
    node: NodeId,
    version: u64,
    file_type: FileType,
}

impl SeedEntry {
    fn of(id: NodeId, node: &Node) -> Self {
        // Names in a directory are entries of their own, so a directory itself does not change.
        let version = if matches!(node.kind, Kind::Directory(_)) { 0 } else { node.version };
        Self { node: id, version, file_type: node.file_type() }
    }

    fn same(self, other: Self) -> bool {
        self == other || (self.file_type == FileType::Directory && other.file_type == FileType::Directory)
    }
}

impl Tree {
    pub(super) fn seal(&mut self) {
        self.seed = Seed { entries: self.snapshot() };
    }

    pub(super) fn changes(&self) -> Vec<Change> {
        let now = self.snapshot();
        let mut changes: Vec<Change> = now
            .iter()
            .filter_map(|(path, entry)| {
                let kind = match self.seed.entries.get(path) {
                    None => ChangeKind::Added,
                    Some(seed) if seed.same(*entry) => return None,
                    Some(_) => ChangeKind::Changed,
                };
                Some(Change { path: path.clone(), kind, file_type: entry.file_type })
            })
            .collect();
        changes.extend(self.seed.entries.iter().filter(|(path, _)| !now.contains_key(*path)).map(
            |(path, entry)| Change {
                path: path.clone(),
                kind: ChangeKind::Removed,
                file_type: entry.file_type,
            },
        ));
        changes.sort_by(|a, b| a.path.cmp(&b.path));
        changes
    }

    fn snapshot(&self) -> BTreeMap<String, SeedEntry> {
        let mut entries = BTreeMap::new();
        let mut pending = Vec::from([(String::new(), NodeId::ROOT)]);
        while let Some((path, id)) = pending.pop() {
            // A directory that names a missing node cannot be; if it were, it would have no entries to report.
            let _: Result<(), VfsError> = self.list(&path, id, &mut entries, &mut pending);
        }
        entries
    }

    fn list(
        &self,
        path: &str,
        directory: NodeId,
        entries: &mut BTreeMap<String, SeedEntry>,
        pending: &mut Vec<(String, NodeId)>,
    ) -> Result<(), VfsError> {
        for (name, id) in self.node(directory)?.directory()?.iter() {
            let node = self.node(id)?;
            let path = alloc::format!("{path}/{name}");
            if matches!(node.kind, Kind::Directory(_)) {
                pending.push((path.clone(), id));
            }
            entries.insert(path, SeedEntry::of(id, node));
        }
        Ok(())
    }
}
