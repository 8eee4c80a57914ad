// SPDX-License-Identifier: Apache-2.0

//! From a path to a place in the tree, never leaving the directory it starts from.
//!
//! The rules are those of "path resolution" of wasi-filesystem: a path is relative to a directory; an absolute path,
//! and any step by `..` or by a symbolic link that reaches outside of that directory, is refused with "not
//! permitted", even where a later step would come back in.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::node::{Kind, NodeId};
use super::tree::Tree;
use super::{MAX_LINKS_FOLLOWED, MAX_NAME, MAX_PATH, VfsError};

/// What to do when the last name is a symbolic link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Last {
    /// Go on to where it leads.
    Follow,
    /// Take the link, unless the path ends in `/`.
    Keep,
    /// Take the link even then; for operations that change names.
    KeepAlways,
}

/// Where a path leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A directory reached without a last name: the path ends in `.` or `..`.
    Directory(NodeId),
    /// A name in a directory, with what it leads to, if it exists.
    Entry { parent: NodeId, name: Arc<str>, node: Option<NodeId>, slash: bool },
}

impl Place {
    /// The node, which must exist, and be a directory if the path says so by a last `/`.
    pub(super) fn existing(&self, tree: &Tree) -> Result<NodeId, VfsError> {
        match self {
            Self::Directory(node) => Ok(*node),
            Self::Entry { node: None, .. } => Err(VfsError::NotFound),
            Self::Entry { node: Some(node), slash, .. } => {
                if *slash {
                    tree.node(*node)?.directory()?;
                }
                Ok(*node)
            }
        }
    }
}

/// Refuses link targets that no file system would take.
pub(super) fn check_target(target: &str) -> Result<(), VfsError> {
    match target {
        "" => Err(VfsError::NotFound),
        _ if target.len() > MAX_PATH => Err(VfsError::NameTooLong),
        _ if target.contains('\0') => Err(VfsError::Invalid),
        _ => Ok(()),
    }
}

/// Refuses names that no file system would take.
pub(super) fn check_name(name: &str) -> Result<(), VfsError> {
    if name.len() > MAX_NAME { Err(VfsError::NameTooLong) } else { Ok(()) }
}

/// Resolves `path` from the directory `base`.
pub(super) fn resolve(tree: &Tree, base: NodeId, path: &str, last: Last) -> Result<Place, VfsError> {
    check_target(path)?;
    let mut walk = Walk { tree, trail: Vec::new(), at: base, frames: Vec::new(), links: 0, slash: false };
    tree.node(base)?.directory()?;
    walk.enter(Arc::from(path))?;
    walk.run(last)
}

/// Text still to be walked: the path, then targets of links on top of it.
struct Frame {
    text: Arc<str>,
    at: usize,
}

struct Walk<'a> {
    tree: &'a Tree,
    /// The directories between the base and where the walk is; `..` goes back along it and not by the parent.
    trail: Vec<NodeId>,
    at: NodeId,
    frames: Vec<Frame>,
    links: u32,
    slash: bool,
}

impl Walk<'_> {
    fn run(mut self, last: Last) -> Result<Place, VfsError> {
        loop {
            let Some(name) = self.next_name() else { return Ok(Place::Directory(self.at)) };
            let is_last = self.at_end();
            match &*name {
                "." => {}
                ".." => self.at = self.trail.pop().ok_or(VfsError::NotPermitted)?,
                _ => {
                    check_name(&name)?;
                    if let Some(place) = self.step(&name, is_last, last)? {
                        return Ok(place);
                    }
                }
            }
        }
    }

    /// Goes one name further; the place, if the name was the last.
    fn step(&mut self, name: &Arc<str>, is_last: bool, last: Last) -> Result<Option<Place>, VfsError> {
        let found = self.tree.node(self.at)?.directory()?.get(name);
        let place = |node, slash| Place::Entry { parent: self.at, name: Arc::clone(name), node, slash };
        let Some(id) = found else {
            return if is_last { Ok(Some(place(None, self.slash))) } else { Err(VfsError::NotFound) };
        };
        match &self.tree.node(id)?.kind {
            Kind::Symlink(target) => {
                let keep = match last {
                    Last::Follow => false,
                    Last::Keep => !self.slash,
                    Last::KeepAlways => true,
                };
                if is_last && keep {
                    return Ok(Some(place(Some(id), self.slash)));
                }
                self.links += 1;
                if self.links > MAX_LINKS_FOLLOWED {
                    return Err(VfsError::Loop);
                }
                self.enter(Arc::clone(target))?;
            }
            _ if is_last => return Ok(Some(place(Some(id), self.slash))),
            Kind::Directory(_) => {
                self.trail.push(self.at);
                self.at = id;
            }
            Kind::File(_) => return Err(VfsError::NotDirectory),
        }
        Ok(None)
    }

    fn enter(&mut self, text: Arc<str>) -> Result<(), VfsError> {
        if text.starts_with('/') {
            return Err(VfsError::NotPermitted);
        }
        self.frames.push(Frame { text, at: 0 });
        Ok(())
    }

    fn next_name(&mut self) -> Option<Arc<str>> {
        while let Some(frame) = self.frames.last_mut() {
            if let Some(name) = frame.next_name() {
                return Some(name);
            }
            self.frames.pop();
        }
        None
    }

    /// Whether nothing but slashes is left; notes whether there were any.
    fn at_end(&mut self) -> bool {
        let mut rest = self.frames.iter().map(Frame::rest).filter(|rest| !rest.is_empty()).peekable();
        let some = rest.peek().is_some();
        let end = rest.all(|rest| rest.bytes().all(|byte| byte == b'/'));
        if end {
            self.slash |= some;
        }
        end
    }
}

impl Frame {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn next_name(&mut self) -> Option<Arc<str>> {
        let rest = self.rest();
        let start = rest.find(|c| c != '/')?;
        let name = rest.get(start..)?;
        let len = name.find('/').unwrap_or(name.len());
        let name: Arc<str> = Arc::from(name.get(..len)?);
        self.at += start + len;
        Some(name)
    }
}
