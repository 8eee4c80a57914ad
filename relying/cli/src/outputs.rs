// SPDX-License-Identifier: Apache-2.0

//! Brings files that the workload made or changed to the tenant's machine. The workload chose their names: nothing is
//! written outside the folder, and no link is followed.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use enarx_session::tenant::Event;
use enarx_session::wire::{Command, EntryKind, FileEntry, Message};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::failure::{Failure, Outcome};
use crate::progress::Progress;
use crate::wire::{Link, broken, out_of_turn};

/// How far a path is resolved: below the folder, through nothing but folders.
const BENEATH: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);
/// How many files that could not be written are named.
const MAX_NAMED: usize = 8;

/// What came back.
#[derive(Default)]
pub(crate) struct Fetched {
    pub(crate) files: usize,
    pub(crate) bytes: u64,
    /// Paths that the workload removed; nothing is removed on the tenant's machine
    pub(crate) removed: usize,
    /// How many could not be written
    pub(crate) lost: usize,
    /// The first of them, each with the reason
    pub(crate) why_lost: Vec<String>,
}

/// The folder that changed files are brought into. It is made and tried before anything else is done: a workload
/// whose results have nowhere to go is better not run.
pub(crate) struct Destination {
    path: PathBuf,
    folder: OwnedFd,
}

impl Destination {
    pub(crate) fn open(path: &Path) -> Outcome<Self> {
        let wrong = |error: io::Error| {
            let why = match error.kind() {
                io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
                    "it is not a folder".to_owned()
                }
                _ => error.to_string(),
            };
            Failure::usage(format!("changed files cannot be written into {}: {why}", path.display()))
                .hint("give --out a folder that you can write to; it is made when it is not there")
        };
        let folder = fs::create_dir_all(path).and_then(|()| File::open(path)).map_err(wrong)?;
        let destination = Self { path: path.to_owned(), folder: folder.into() };
        let parent = destination.folders(Path::new("")).map_err(|error| wrong(error.into()))?;
        // Made and removed again: no other question is answered by permissions, quotas and file systems alike.
        Unfinished::new(parent, OsString::new(), Mode::RUSR).map_err(|error| wrong(error.into()))?;
        Ok(destination)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Fetches all changed files. One that cannot be written does not keep the others from being written.
    pub(crate) async fn fetch(&self, link: &mut Link, progress: &Progress) -> Outcome<Fetched> {
        link.session().send(Command::FetchFiles).map_err(|error| broken(&error))?;
        let mut fetched = Fetched::default();
        let mut current: Option<(String, Unfinished)> = None;
        loop {
            match link.soon().await? {
                Event::Message(Message::File(entry)) => {
                    finish(current.take(), &mut fetched);
                    match self.place(&entry, &mut fetched, progress) {
                        Ok(file) => current = file.map(|file| (entry.path, file)),
                        Err(error) => fetched.lose(&entry.path, &error.into()),
                    }
                }
                Event::Message(Message::FileBytes(bytes)) => {
                    let Some((path, file)) = &mut current else { continue };
                    if let Err(error) = file.file.write_all(&bytes) {
                        fetched.lose(path, &error);
                        current = None;
                    } else {
                        fetched.bytes += bytes.len() as u64;
                    }
                }
                Event::Message(Message::FilesEnd) => {
                    finish(current.take(), &mut fetched);
                    return Ok(fetched);
                }
                _ => return Err(out_of_turn()),
            }
        }
    }

    /// Makes what `entry` says; gives the file that the bytes to come belong to.
    fn place(
        &self,
        entry: &FileEntry,
        fetched: &mut Fetched,
        progress: &Progress,
    ) -> Result<Option<Unfinished>, Errno> {
        let path = Path::new(&entry.path);
        let name = || path.file_name().map(OsString::from).ok_or(Errno::INVAL);
        match &entry.kind {
            EntryKind::Removed => fetched.removed += 1,
            EntryKind::Dir => drop(self.folders(path)?),
            EntryKind::File(_) => {
                let (parent, name) = (self.parents(path)?, name()?);
                let mode = mode_at(&parent, &name)?;
                return Unfinished::new(parent, name, mode).map(Some);
            }
            EntryKind::Symlink(target) if stays_below(&entry.path, target) => {
                let (parent, name) = (self.parents(path)?, name()?);
                let temporary = temporary_name()?;
                rustix::fs::symlinkat(target.as_str(), &parent, &temporary)?;
                rustix::fs::renameat(&parent, &temporary, &parent, &name).inspect_err(|_| {
                    let _ = rustix::fs::unlinkat(&parent, &temporary, AtFlags::empty());
                })?;
                fetched.files += 1;
            }
            EntryKind::Symlink(target) => progress.warning(&format!(
                "the link `{}` was left out: its target `{}` is outside the folder",
                entry.path.escape_debug(),
                target.escape_debug()
            )),
        }
        Ok(None)
    }

    /// The folder that contains `path`, made when it is not there.
    fn parents(&self, path: &Path) -> Result<OwnedFd, Errno> {
        self.folders(path.parent().unwrap_or(Path::new("")))
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
}

impl Fetched {
    fn lose(&mut self, path: &str, error: &io::Error) {
        self.lost += 1;
        if self.why_lost.len() < MAX_NAMED {
            self.why_lost.push(format!("`{}`: {error}", path.escape_debug()));
        }
    }

    /// What to say when not everything could be written, after how the workload ended.
    pub(crate) fn failure(&self, ended: &str, folder: &Path) -> Option<Failure> {
        let all = self.files.saturating_add(self.lost);
        let unnamed = self.lost.saturating_sub(self.why_lost.len());
        let more = if unnamed == 0 { String::new() } else { format!(" and {unnamed} more") };
        let (lost, named) = (self.lost, self.why_lost.join(", "));
        let folder = folder.display();
        (lost > 0).then(|| {
            Failure::unsaved(format!(
                "{ended}, but {lost} of the {all} files it changed could not be written into {folder}: {named}{more}"
            ))
            .hint(
                "all others are there and complete, the named ones are as they were; \
                 make room or give --out another folder, and run the workload again",
            )
        })
    }
}

/// A file that is complete or not there: it gets its name, and replaces what had it, when all of it is written.
struct Unfinished {
    parent: OwnedFd,
    temporary: String,
    name: OsString,
    file: File,
}

impl Unfinished {
    fn new(parent: OwnedFd, name: OsString, mode: Mode) -> Result<Self, Errno> {
        let temporary = temporary_name()?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat2(&parent, temporary.as_str(), flags, mode, BENEATH)?;
        Ok(Self { parent, temporary, name, file: file.into() })
    }

    fn finish(self) -> Result<(), Errno> {
        rustix::fs::renameat(&self.parent, &self.temporary, &self.parent, &self.name)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Not there any more when it was finished.
        let _ = rustix::fs::unlinkat(&self.parent, &self.temporary, AtFlags::empty());
    }
}

fn finish(current: Option<(String, Unfinished)>, fetched: &mut Fetched) {
    let Some((path, file)) = current else { return };
    match file.finish() {
        Ok(()) => fetched.files += 1,
        Err(error) => fetched.lose(&path, &error.into()),
    }
}

/// The permissions of the file that is to be replaced, if there is one. Nothing but a file is replaced.
fn mode_at(parent: &OwnedFd, name: &OsString) -> Result<Mode, Errno> {
    match rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) => match FileType::from_raw_mode(found.st_mode) {
            FileType::RegularFile => Ok(Mode::from_raw_mode(found.st_mode & 0o777)),
            FileType::Directory => Err(Errno::ISDIR),
            FileType::Symlink => Err(Errno::LOOP),
            _ => Err(Errno::EXIST),
        },
        Err(Errno::NOENT) => Ok(Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH),
        Err(error) => Err(error),
    }
}

/// A name that no workload can foresee and that nothing in the folder has.
fn temporary_name() -> Result<String, Errno> {
    getrandom::u64().map(|number| format!(".enarx-{number:016x}.part")).map_err(|_| Errno::IO)
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
        let root = Destination::open(inside.path()).unwrap();
        let progress = Progress::silent();
        for path in ["way/file", "../file", "way"] {
            assert!(
                root.place(&entry(path, EntryKind::File(1)), &mut Fetched::default(), &progress).is_err(),
                "{path}"
            );
        }
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_is_replaced_when_it_is_complete() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let there = folder.path().join("results");
        fs::write(&there, "old").unwrap();
        fs::set_permissions(&there, fs::Permissions::from_mode(0o600)).unwrap();
        let destination = Destination::open(folder.path()).unwrap();
        let begin = || {
            let mut file = destination
                .place(&entry("results", EntryKind::File(3)), &mut Fetched::default(), &Progress::silent())
                .unwrap()
                .unwrap();
            file.file.write_all(b"new").unwrap();
            file
        };
        drop(begin());
        assert_eq!(fs::read_to_string(&there).unwrap(), "old");
        begin().finish().unwrap();
        assert_eq!(fs::read_to_string(&there).unwrap(), "new");
        assert_eq!(fs::metadata(&there).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
