// SPDX-License-Identifier: Apache-2.0

//! Brings files that the workload made or changed to the tenant's machine. The workload chose their names: nothing is
//! written outside the folder, and no link is followed.

use std::fs::{self, File};
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path};

use enarx_session::tenant::Event;
use enarx_session::wire::{Command, EntryKind, FileEntry, Message};
use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::failure::{Failure, Outcome};
use crate::progress::Progress;
use crate::wire::{Link, broken, out_of_turn};

/// How far a path is resolved: below the folder, through nothing but folders.
const BENEATH: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);

/// What came back.
#[derive(Default)]
pub(crate) struct Fetched {
    pub(crate) files: usize,
    pub(crate) bytes: u64,
    /// Paths that the workload removed; nothing is removed on the tenant's machine
    pub(crate) removed: usize,
}

/// Fetches all changed files into `folder`.
pub(crate) async fn fetch(link: &mut Link, folder: &Path, progress: &Progress) -> Outcome<Fetched> {
    let root = Root::open(folder)?;
    link.session().send(Command::FetchFiles).map_err(|error| broken(&error))?;
    let mut fetched = Fetched::default();
    let mut current = None;
    loop {
        match link.soon().await? {
            Event::Message(Message::File(entry)) => current = root.place(&entry, &mut fetched, progress)?,
            Event::Message(Message::FileBytes(bytes)) => {
                fetched.bytes += bytes.len() as u64;
                if let Some(file) = &mut current {
                    File::write_all(file, &bytes).map_err(|error| root.failed("a file", &error))?;
                }
            }
            Event::Message(Message::FilesEnd) => return Ok(fetched),
            _ => return Err(out_of_turn()),
        }
    }
}

struct Root<'a> {
    path: &'a Path,
    folder: OwnedFd,
}

impl<'a> Root<'a> {
    fn open(path: &'a Path) -> Outcome<Self> {
        let opened = fs::create_dir_all(path).and_then(|()| File::open(path));
        match opened {
            Ok(folder) => Ok(Self { path, folder: folder.into() }),
            Err(error) => {
                Err(Failure::usage(format!("could not make the folder {}: {error}", path.display())))
            }
        }
    }

    /// Makes what `entry` says; gives the file that the bytes to come belong to.
    fn place(&self, entry: &FileEntry, fetched: &mut Fetched, progress: &Progress) -> Outcome<Option<File>> {
        let failed = |error: Errno| self.failed(&entry.path, &error);
        match &entry.kind {
            EntryKind::Removed => {
                fetched.removed += 1;
                Ok(None)
            }
            EntryKind::Dir => {
                self.folders(Path::new(&entry.path)).map_err(failed)?;
                Ok(None)
            }
            EntryKind::File(_) => {
                fetched.files += 1;
                self.parents(&entry.path).map_err(failed)?;
                let flags =
                    OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH;
                let file = rustix::fs::openat2(&self.folder, entry.path.as_str(), flags, mode, BENEATH);
                file.map(File::from).map(Some).map_err(failed)
            }
            EntryKind::Symlink(target) if stays_below(&entry.path, target) => {
                fetched.files += 1;
                let parent = self.parents(&entry.path).map_err(failed)?;
                let name = Path::new(&entry.path).file_name().unwrap_or_default();
                match rustix::fs::unlinkat(&parent, name, AtFlags::empty()) {
                    Ok(()) | Err(Errno::NOENT) => {}
                    Err(error) => return Err(failed(error)),
                }
                rustix::fs::symlinkat(target.as_str(), &parent, name).map_err(failed)?;
                Ok(None)
            }
            EntryKind::Symlink(target) => {
                progress.warning(&format!(
                    "the link `{}` was left out: its target {target:?} is outside the folder",
                    entry.path
                ));
                Ok(None)
            }
        }
    }

    /// The folder that contains `path`, made when it is not there.
    fn parents(&self, path: &str) -> Result<OwnedFd, Errno> {
        self.folders(Path::new(path).parent().unwrap_or(Path::new("")))
    }

    /// Opens a folder below, one step at a time, and makes what is missing.
    fn folders(&self, path: &Path) -> Result<OwnedFd, Errno> {
        let mut folder = self.folder.as_fd().try_clone_to_owned().map_err(|_| Errno::MFILE)?;
        for step in path.components() {
            let Component::Normal(name) = step else { return Err(Errno::INVAL) };
            match rustix::fs::mkdirat(
                &folder,
                name,
                Mode::RWXU | Mode::RGRP | Mode::XGRP | Mode::ROTH | Mode::XOTH,
            ) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error),
            }
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            folder = rustix::fs::openat2(&folder, name, flags, Mode::empty(), BENEATH)?;
        }
        Ok(folder)
    }

    fn failed(&self, what: &str, error: &dyn std::fmt::Display) -> Failure {
        Failure::usage(format!("could not write {what} into {}: {error}", self.path.display()))
            .hint("links on the way are not followed; give --out an empty folder")
    }
}

/// Whether a link at `path` with this target leads nowhere but below the folder.
fn stays_below(path: &str, target: &str) -> bool {
    let mut depth = Path::new(path).components().count().saturating_sub(1);
    for step in Path::new(target).components() {
        match step {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir => match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return false,
            },
            Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, kind: EntryKind) -> FileEntry {
        FileEntry { path: path.to_owned(), kind }
    }

    #[test]
    fn a_link_may_not_lead_out_of_the_folder() {
        assert!(stays_below("a/link", "../b"));
        assert!(!stays_below("link", "../b"));
        assert!(!stays_below("a/link", "/etc/passwd"));
        assert!(!stays_below("a/link", "x/../../../b"));
    }

    #[test]
    fn a_file_is_not_written_through_a_link() {
        let outside = tempfile::tempdir().unwrap();
        let inside = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(outside.path(), inside.path().join("way")).unwrap();
        let root = Root::open(inside.path()).unwrap();
        let progress = Progress::silent();
        for path in ["way/file", "../file", "way"] {
            assert!(
                root.place(&entry(path, EntryKind::File(1)), &mut Fetched::default(), &progress).is_err(),
                "{path}"
            );
        }
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    }
}
