// SPDX-License-Identifier: Apache-2.0

//! Open nodes: everything that a workload does to files and directories.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use super::node::{Kind, NodeId};
use super::path::{self, Last, Place};
use super::tree::Tree;
use super::{Access, DirectoryEntry, FileType, SetTime, Stat, Vfs, VfsError};

/// The largest offset in a file: what preview 1's signed offsets can express.
const MAX_OFFSET: u64 = i64::MAX as u64;

/// How [`OpenNode::open`] opens.
#[allow(clippy::struct_excessive_bools, reason = "independent flags, as both previews have them")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenOptions {
    /// Follow a symbolic link in the last place.
    pub follow: bool,
    /// The content will be written: refused for directories and for what is read-only.
    pub write: bool,
    /// Make a file if there is nothing.
    pub create: bool,
    /// Refuse if there is something.
    pub exclusive: bool,
    /// Empty the file.
    pub truncate: bool,
    /// Refuse what is not a directory.
    pub directory: bool,
}

/// A node that is held open: it stays, with its quota, when its last name goes, until the handle is dropped.
pub struct OpenNode {
    vfs: Vfs,
    id: NodeId,
    file_type: FileType,
}

impl OpenNode {
    pub(super) fn new(vfs: &Vfs, id: NodeId) -> Self {
        let file_type = vfs.with(|tree| {
            tree.opened(id);
            tree.node(id).map_or(FileType::Regular, super::node::Node::file_type)
        });
        Self { vfs: vfs.clone(), id, file_type }
    }

    /// What the node is; that never changes.
    pub fn file_type(&self) -> FileType {
        self.file_type
    }

    /// Whether both are the same node.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.vfs.tree, &other.vfs.tree) && self.id == other.id
    }

    /// Whether the node was provisioned read-only.
    pub fn is_read_only(&self) -> bool {
        self.vfs.with(|tree| tree.node(self.id).is_ok_and(|node| node.read_only))
    }

    /// The attributes.
    pub fn stat(&self) -> Result<Stat, VfsError> {
        self.vfs.with(|tree| Ok(tree.node(self.id)?.stat(self.id)))
    }

    /// Sets the times.
    pub fn set_times(&self, accessed: SetTime, modified: SetTime) -> Result<(), VfsError> {
        self.vfs.with(|tree| set_times(tree, self.id, accessed, modified))
    }

    /// Reads from a file into `out`; 0 at its end.
    pub fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<usize, VfsError> {
        self.vfs.with(|tree| Ok(tree.node_mut(self.id)?.content_mut()?.read_at(offset, out)))
    }

    /// Writes to a file at an offset, making it longer if need be. Fewer bytes than given are written only when
    /// memory runs out.
    pub fn write_at(&self, offset: u64, data: &[u8]) -> Result<usize, VfsError> {
        self.vfs.with(|tree| write(tree, self.id, offset, data))
    }

    /// Writes at the end of a file; the offset after what was written.
    pub fn append(&self, data: &[u8]) -> Result<(usize, u64), VfsError> {
        self.vfs.with(|tree| {
            let end = tree.node_mut(self.id)?.content_mut()?.len();
            let written = write(tree, self.id, end, data)?;
            Ok((written, end + written as u64))
        })
    }

    /// Cuts a file, or makes it longer by zeros.
    pub fn set_len(&self, len: u64) -> Result<(), VfsError> {
        self.vfs.with(|tree| set_len(tree, self.id, len))
    }

    /// Opens what `path` leads to from this directory.
    pub fn open(&self, path: &str, options: &OpenOptions) -> Result<Self, VfsError> {
        // A node that is to be made exclusively must not be a link's target.
        let last = if options.follow && !options.exclusive { Last::Follow } else { Last::Keep };
        let id = self.vfs.with(|tree| open(tree, self.id, path, last, *options))?;
        Ok(Self::new(&self.vfs, id))
    }

    /// Entries of this directory, at most `max`, from the first after `cookie` (0: from the start).
    pub fn entries(&self, cookie: u64, max: usize) -> Result<Vec<DirectoryEntry>, VfsError> {
        self.vfs.with(|tree| {
            let directory = tree.node(self.id)?.directory()?;
            let mut entries = Vec::new();
            for (cookie, name, id) in directory.after(cookie).take(max) {
                let file_type = tree.node(id)?.file_type();
                entries.push(DirectoryEntry { cookie, inode: id.0, file_type, name: Arc::clone(name) });
            }
            Ok(entries)
        })
    }

    /// The attributes of what `path` leads to.
    pub fn stat_at(&self, path: &str, follow: bool) -> Result<Stat, VfsError> {
        self.vfs.with(|tree| {
            let id = existing(tree, self.id, path, follow)?;
            Ok(tree.node(id)?.stat(id))
        })
    }

    /// Sets the times of what `path` leads to.
    pub fn set_times_at(
        &self,
        path: &str,
        follow: bool,
        accessed: SetTime,
        modified: SetTime,
    ) -> Result<(), VfsError> {
        self.vfs.with(|tree| {
            let id = existing(tree, self.id, path, follow)?;
            set_times(tree, id, accessed, modified)
        })
    }

    /// Makes a directory.
    pub fn create_directory(&self, path: &str) -> Result<(), VfsError> {
        self.vfs.with(|tree| {
            let (parent, name, _) = free_place(tree, self.id, path)?;
            tree.create(parent, &name, Kind::directory(parent), Access::ReadWrite)?;
            Ok(())
        })
    }

    /// Makes a symbolic link to `target`, which need not exist but must be relative.
    pub fn symlink(&self, target: &str, path: &str) -> Result<(), VfsError> {
        path::check_target(target)?;
        super::visible_target(target)?;
        self.vfs.with(|tree| {
            let (parent, name, slash) = free_place(tree, self.id, path)?;
            if slash {
                return Err(VfsError::NotFound);
            }
            tree.create(parent, &name, Kind::Symlink(Arc::from(target)), Access::ReadWrite)?;
            Ok(())
        })
    }

    /// The target of the symbolic link at `path`.
    pub fn read_link(&self, path: &str) -> Result<String, VfsError> {
        self.vfs.with(|tree| {
            let id = existing(tree, self.id, path, false)?;
            match &tree.node(id)?.kind {
                Kind::Symlink(target) => super::visible_target(target),
                _ => Err(VfsError::Invalid),
            }
        })
    }

    /// Gives the file at `path` one more name in `to`, which may be another directory.
    pub fn link(&self, path: &str, follow: bool, to: &Self, new_path: &str) -> Result<(), VfsError> {
        self.same_vfs(to)?;
        self.vfs.with(|tree| {
            let id = existing(tree, self.id, path, follow)?;
            let node = tree.node(id)?;
            if matches!(node.kind, Kind::Directory(_)) {
                return Err(VfsError::NotPermitted);
            }
            node.writable()?;
            let (parent, name, slash) = free_place(tree, to.id, new_path)?;
            if slash {
                return Err(VfsError::NotFound);
            }
            tree.link(parent, &name, id)
        })
    }

    /// Takes away the name of something that is not a directory.
    pub fn unlink(&self, path: &str) -> Result<(), VfsError> {
        self.vfs.with(|tree| match named(tree, self.id, path, VfsError::IsDirectory)? {
            Named { file_type: FileType::Directory, .. } => Err(VfsError::IsDirectory),
            Named { slash: true, .. } => Err(VfsError::NotDirectory),
            place => place.remove(tree),
        })
    }

    /// Removes an empty directory.
    pub fn remove_directory(&self, path: &str) -> Result<(), VfsError> {
        self.vfs.with(|tree| {
            let place = named(tree, self.id, path, VfsError::Invalid)?;
            if !tree.node(place.id)?.directory()?.is_empty() {
                return Err(VfsError::NotEmpty);
            }
            place.remove(tree)
        })
    }

    /// Moves what is at `path` to `new_path` in `to`, in place of what is there.
    pub fn rename(&self, path: &str, to: &Self, new_path: &str) -> Result<(), VfsError> {
        self.same_vfs(to)?;
        self.vfs.with(|tree| rename(tree, (self.id, path), (to.id, new_path)))
    }

    fn same_vfs(&self, other: &Self) -> Result<(), VfsError> {
        if Arc::ptr_eq(&self.vfs.tree, &other.vfs.tree) { Ok(()) } else { Err(VfsError::Invalid) }
    }
}

impl Clone for OpenNode {
    fn clone(&self) -> Self {
        Self::new(&self.vfs, self.id)
    }
}

impl Drop for OpenNode {
    fn drop(&mut self) {
        self.vfs.with(|tree| tree.closed(self.id));
    }
}

impl core::fmt::Debug for OpenNode {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("OpenNode").field("file_type", &self.file_type).finish_non_exhaustive()
    }
}

/// A name that exists, and may be taken away.
struct Named {
    parent: NodeId,
    name: Arc<str>,
    id: NodeId,
    file_type: FileType,
    slash: bool,
}

impl Named {
    fn remove(&self, tree: &mut Tree) -> Result<(), VfsError> {
        tree.node(self.parent)?.writable()?;
        tree.node(self.id)?.writable()?;
        tree.unlink(self.parent, &self.name)
    }
}

fn existing(tree: &Tree, base: NodeId, path: &str, follow: bool) -> Result<NodeId, VfsError> {
    let last = if follow { Last::Follow } else { Last::Keep };
    path::resolve(tree, base, path, last)?.existing(tree)
}

/// A place where nothing is and something may be made.
fn free_place(tree: &Tree, base: NodeId, path: &str) -> Result<(NodeId, Arc<str>, bool), VfsError> {
    match path::resolve(tree, base, path, Last::KeepAlways)? {
        Place::Entry { parent, name, node: None, slash } => {
            tree.node(parent)?.writable()?;
            Ok((parent, name, slash))
        }
        Place::Entry { .. } | Place::Directory(_) => Err(VfsError::Exists),
    }
}

fn named(tree: &Tree, base: NodeId, path: &str, unnamed: VfsError) -> Result<Named, VfsError> {
    match path::resolve(tree, base, path, Last::KeepAlways)? {
        Place::Directory(_) => Err(unnamed),
        Place::Entry { node: None, .. } => Err(VfsError::NotFound),
        Place::Entry { parent, name, node: Some(id), slash } => {
            let file_type = tree.node(id)?.file_type();
            if slash && file_type != FileType::Directory {
                return Err(VfsError::NotDirectory);
            }
            Ok(Named { parent, name, id, file_type, slash })
        }
    }
}

fn set_times(tree: &mut Tree, id: NodeId, accessed: SetTime, modified: SetTime) -> Result<(), VfsError> {
    let now = tree.now();
    let node = tree.node_mut(id)?;
    node.writable()?;
    node.set_times(accessed, modified, now);
    Ok(())
}

fn write(tree: &mut Tree, id: NodeId, offset: u64, data: &[u8]) -> Result<usize, VfsError> {
    let now = tree.now();
    let node = tree.node_mut(id)?;
    let old = node.content_mut()?.len();
    node.writable()?;
    if data.is_empty() {
        return Ok(0);
    }
    let end = offset.checked_add(data.len() as u64).filter(|end| *end <= MAX_OFFSET);
    let new = end.ok_or(VfsError::FileTooLarge)?.max(old);
    tree.charge_bytes(new - old)?;
    let node = tree.node_mut(id)?;
    node.touch(now);
    let content = node.content_mut()?;
    let written = content.write_at(offset, data);
    let reached = content.len();
    tree.release_bytes(new - reached);
    written
}

fn set_len(tree: &mut Tree, id: NodeId, len: u64) -> Result<(), VfsError> {
    let now = tree.now();
    let node = tree.node_mut(id)?;
    let old = node.content_mut()?.len();
    node.writable()?;
    if len > MAX_OFFSET {
        return Err(VfsError::FileTooLarge);
    }
    tree.charge_bytes(len.saturating_sub(old))?;
    let node = tree.node_mut(id)?;
    node.content_mut()?.set_len(len);
    node.touch(now);
    tree.release_bytes(old.saturating_sub(len));
    Ok(())
}

fn open(
    tree: &mut Tree,
    base: NodeId,
    path: &str,
    last: Last,
    options: OpenOptions,
) -> Result<NodeId, VfsError> {
    let place = path::resolve(tree, base, path, last)?;
    if let Place::Entry { parent, name, node: None, slash } = &place
        && options.create
    {
        if *slash || options.directory {
            return Err(if options.directory { VfsError::Invalid } else { VfsError::IsDirectory });
        }
        tree.node(*parent)?.writable()?;
        return tree.create(*parent, name, Kind::file_of(Bytes::new()), Access::ReadWrite);
    }
    let id = place.existing(tree)?;
    if options.create && options.exclusive {
        return Err(VfsError::Exists);
    }
    let node = tree.node(id)?;
    match node.kind {
        // Only reached when it must not be followed: there is no handle to a link itself.
        Kind::Symlink(_) => return Err(VfsError::Loop),
        Kind::File(_) if options.directory => return Err(VfsError::NotDirectory),
        Kind::Directory(_) if options.truncate || options.write => return Err(VfsError::IsDirectory),
        Kind::File(_) | Kind::Directory(_) => {}
    }
    if options.write || options.truncate {
        node.writable()?;
    }
    if options.truncate {
        set_len(tree, id, 0)?;
    }
    Ok(id)
}

fn rename(tree: &mut Tree, from: (NodeId, &str), to: (NodeId, &str)) -> Result<(), VfsError> {
    let source = named(tree, from.0, from.1, VfsError::Busy)?;
    let Place::Entry { parent, name, node, slash } = path::resolve(tree, to.0, to.1, Last::KeepAlways)?
    else {
        return Err(VfsError::Busy);
    };
    tree.node(source.parent)?.writable()?;
    tree.node(source.id)?.writable()?;
    tree.node(parent)?.writable()?;
    let moves_directory = source.file_type == FileType::Directory;
    if slash && !moves_directory {
        return Err(VfsError::NotDirectory);
    }
    if moves_directory && tree.is_within(parent, source.id)? {
        return Err(VfsError::Invalid);
    }
    if let Some(replaced) = node {
        if replaced == source.id {
            return Ok(());
        }
        let node = tree.node(replaced)?;
        node.writable()?;
        match (&node.kind, moves_directory) {
            (Kind::Directory(directory), true) if !directory.is_empty() => return Err(VfsError::NotEmpty),
            (Kind::Directory(_), false) => return Err(VfsError::IsDirectory),
            (Kind::File(_) | Kind::Symlink(_), true) => return Err(VfsError::NotDirectory),
            _ => {}
        }
    }
    tree.rename((source.parent, &source.name), (parent, &name), source.id)
}
