// SPDX-License-Identifier: Apache-2.0

//! Brings the files that the workload changed back to its owner, piece by piece.

use alloc::string::String;
use alloc::vec;
use alloc::vec::{IntoIter, Vec};

use enarx_runtime::vfs::{Change, ChangeKind, FileType, OpenNode, Vfs};
use enarx_session::wire::{DATA_LEN, EntryKind, FileEntry, Message};

/// What is still to be sent.
pub(crate) struct Outgoing {
    files: Vfs,
    changes: IntoIter<Change>,
    current: Option<Reading>,
    done: bool,
}

struct Reading {
    node: OpenNode,
    offset: u64,
    length: u64,
}

impl Outgoing {
    /// Everything that is not as it was provisioned.
    pub(crate) fn new(files: &Vfs) -> Self {
        Self { files: files.clone(), changes: files.changes().into_iter(), current: None, done: false }
    }

    /// The next message; none when all is sent.
    pub(crate) fn next(&mut self) -> Option<Message> {
        if let Some(bytes) = self.current.as_mut().and_then(Reading::next) {
            return Some(Message::FileBytes(bytes));
        }
        self.current = None;
        for change in self.changes.by_ref() {
            if let Some((kind, reading)) = entry(&self.files, &change) {
                self.current = reading;
                let path = String::from(change.path.trim_start_matches('/'));
                return Some(Message::File(FileEntry { path, kind }));
            }
        }
        if self.done {
            return None;
        }
        self.done = true;
        Some(Message::FilesEnd)
    }
}

impl Reading {
    /// The next bytes. The length was announced, and the workload may still run: what was cut off since is zeros.
    fn next(&mut self) -> Option<Vec<u8>> {
        let rest = self.length - self.offset;
        if rest == 0 {
            return None;
        }
        let mut bytes = vec![0; usize::try_from(rest).unwrap_or(DATA_LEN).min(DATA_LEN)];
        let mut filled = 0;
        while let Some(room) = bytes.get_mut(filled..).filter(|room| !room.is_empty()) {
            match self.node.read_at(self.offset + filled as u64, room) {
                Ok(count) if count > 0 => filled += count,
                _ => break,
            }
        }
        self.offset += bytes.len() as u64;
        Some(bytes)
    }
}

/// What a change looks like now; none when it is gone in the meantime.
fn entry(files: &Vfs, change: &Change) -> Option<(EntryKind, Option<Reading>)> {
    if change.kind == ChangeKind::Removed {
        return Some((EntryKind::Removed, None));
    }
    match change.file_type {
        FileType::Directory => Some((EntryKind::Dir, None)),
        FileType::Symlink => {
            let target = files.root().read_link(change.path.trim_start_matches('/')).ok()?;
            Some((EntryKind::Symlink(target), None))
        }
        FileType::Regular => {
            let node = files.node(&change.path).ok()?;
            let length = node.stat().ok()?.size;
            Some((EntryKind::File(length), Some(Reading { node, offset: 0, length })))
        }
    }
}
