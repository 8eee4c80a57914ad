// SPDX-License-Identifier: Apache-2.0

//! Descriptors of `wasi:filesystem`: an open node and what may be done with it.

use alloc::collections::VecDeque;

use super::bindings::wasi::filesystem::types::DescriptorFlags;
use super::failure::Failure;
use crate::vfs::{DirectoryEntry, FileType, OpenNode, OpenOptions, VfsError};

/// Entries that are taken from a directory at a time.
const ENTRIES_AT_ONCE: usize = 64;

/// The resource `descriptor`.
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
#[derive(Debug)]
pub struct Descriptor {
    pub(super) node: OpenNode,
    pub(super) flags: DescriptorFlags,
    /// Whether anything may be changed by way of this descriptor; only less with each step down.
    pub(super) mutable: bool,
}

/// The resource `directory-entry-stream`.
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
#[derive(Debug)]
pub struct Listing {
    node: OpenNode,
    cookie: u64,
    ahead: VecDeque<DirectoryEntry>,
}

impl Descriptor {
    /// A directory that is open from the start. What is read-only in it is known to the file system.
    pub(super) fn preopen(node: OpenNode) -> Self {
        Self { node, flags: DescriptorFlags::READ | DescriptorFlags::MUTATE_DIRECTORY, mutable: true }
    }

    /// The node, if it is a file that was opened for reading.
    pub(super) fn readable(&self) -> Result<&OpenNode, Failure> {
        self.file(DescriptorFlags::READ)
    }

    /// The node, if it is a file that was opened for writing.
    pub(super) fn writable(&self) -> Result<&OpenNode, Failure> {
        self.file(DescriptorFlags::WRITE)
    }

    fn file(&self, flag: DescriptorFlags) -> Result<&OpenNode, Failure> {
        match self.node.file_type() {
            FileType::Directory => Err(VfsError::IsDirectory.into()),
            _ if self.flags.contains(flag) => Ok(&self.node),
            _ => Err(VfsError::BadDescriptor.into()),
        }
    }

    /// The node, for changing it or what is in it.
    pub(super) fn mutable(&self) -> Result<&OpenNode, Failure> {
        if self.mutable { Ok(&self.node) } else { Err(VfsError::ReadOnly.into()) }
    }

    /// Opens what `path` leads to, with no more rights than this directory gives.
    pub(super) fn open(
        &self,
        path: &str,
        options: OpenOptions,
        flags: DescriptorFlags,
    ) -> Result<Self, Failure> {
        let changes = flags.intersects(DescriptorFlags::WRITE | DescriptorFlags::MUTATE_DIRECTORY)
            || options.create
            || options.truncate;
        if changes {
            self.mutable()?;
        }
        if options.directory && (options.create || options.exclusive || options.truncate) {
            return Err(VfsError::Invalid.into());
        }
        let node = self.node.open(path, &options)?;
        let meaningless = match node.file_type() {
            FileType::Directory => DescriptorFlags::WRITE,
            _ => DescriptorFlags::MUTATE_DIRECTORY,
        };
        let mutable = match node.file_type() {
            FileType::Directory => flags.contains(DescriptorFlags::MUTATE_DIRECTORY),
            _ => self.mutable,
        };
        Ok(Self { node, flags: flags & !meaningless, mutable })
    }
}

impl Listing {
    pub(super) fn new(node: OpenNode) -> Result<Self, Failure> {
        match node.file_type() {
            FileType::Directory => Ok(Self { node, cookie: 0, ahead: VecDeque::new() }),
            _ => Err(VfsError::NotDirectory.into()),
        }
    }

    pub(super) fn next(&mut self) -> Result<Option<DirectoryEntry>, Failure> {
        if self.ahead.is_empty() {
            self.ahead = self.node.entries(self.cookie, ENTRIES_AT_ONCE)?.into();
        }
        let entry = self.ahead.pop_front();
        if let Some(entry) = &entry {
            self.cookie = entry.cookie;
        }
        Ok(entry)
    }
}
