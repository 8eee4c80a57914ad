// SPDX-License-Identifier: Apache-2.0

//! The table of open descriptors of a preview 1 program.

use alloc::string::String;
use alloc::vec::Vec;

use super::abi::{Errno, fdflags, filetype, rights};
use super::guest::Result;
use crate::io::{Reader, Writer};
use crate::net::{Connection, Listener, Socket};
use crate::run::Start;
use crate::vfs::{FileType, OpenNode};

/// The most descriptors that are open at once.
const MAX_FDS: usize = 1024;

const FILE_RIGHTS: u64 = rights::FD_DATASYNC
    | rights::FD_READ
    | rights::FD_SEEK
    | rights::FD_FDSTAT_SET_FLAGS
    | rights::FD_SYNC
    | rights::FD_TELL
    | rights::FD_WRITE
    | rights::FD_ADVISE
    | rights::FD_ALLOCATE
    | rights::FD_FILESTAT_GET
    | rights::FD_FILESTAT_SET_SIZE
    | rights::FD_FILESTAT_SET_TIMES
    | rights::POLL_FD_READWRITE;
const WRITE_RIGHTS: u64 = rights::FD_WRITE | rights::FD_ALLOCATE | rights::FD_FILESTAT_SET_SIZE;
const DIRECTORY_RIGHTS: u64 = rights::FD_DATASYNC
    | rights::FD_FDSTAT_SET_FLAGS
    | rights::FD_SYNC
    | rights::PATH_CREATE_DIRECTORY
    | rights::PATH_CREATE_FILE
    | rights::PATH_LINK_SOURCE
    | rights::PATH_LINK_TARGET
    | rights::PATH_OPEN
    | rights::FD_READDIR
    | rights::PATH_READLINK
    | rights::PATH_RENAME_SOURCE
    | rights::PATH_RENAME_TARGET
    | rights::PATH_FILESTAT_GET
    | rights::PATH_FILESTAT_SET_SIZE
    | rights::PATH_FILESTAT_SET_TIMES
    | rights::FD_FILESTAT_GET
    | rights::FD_FILESTAT_SET_TIMES
    | rights::PATH_SYMLINK
    | rights::PATH_REMOVE_DIRECTORY
    | rights::PATH_UNLINK_FILE;
const INPUT_RIGHTS: u64 =
    rights::FD_READ | rights::FD_FDSTAT_SET_FLAGS | rights::FD_FILESTAT_GET | rights::POLL_FD_READWRITE;
const LISTENER_RIGHTS: u64 =
    rights::FD_FDSTAT_SET_FLAGS | rights::FD_FILESTAT_GET | rights::POLL_FD_READWRITE | rights::SOCK_ACCEPT;
const CONNECTION_RIGHTS: u64 = rights::FD_READ
    | rights::FD_WRITE
    | rights::FD_FDSTAT_SET_FLAGS
    | rights::FD_FILESTAT_GET
    | rights::POLL_FD_READWRITE
    | rights::SOCK_SHUTDOWN;
const OUTPUT_RIGHTS: u64 =
    rights::FD_WRITE | rights::FD_FDSTAT_SET_FLAGS | rights::FD_FILESTAT_GET | rights::POLL_FD_READWRITE;

/// The open descriptors, by number.
#[derive(Default)]
pub(crate) struct Fds {
    open: Vec<Option<Fd>>,
}

/// One open descriptor.
pub(super) struct Fd {
    pub(super) object: Object,
    /// `$fdflags`.
    pub(super) flags: u32,
}

/// What a descriptor leads to.
pub(super) enum Object {
    Input(Reader),
    Output(Writer),
    File(File),
    Directory(Directory),
    Listener(Listener),
    Connection(Connection),
}

pub(super) struct File {
    pub(super) node: OpenNode,
    pub(super) position: u64,
    pub(super) read: bool,
    pub(super) write: bool,
}

pub(super) struct Directory {
    pub(super) node: OpenNode,
    /// The name under which it was open from the start.
    pub(super) preopen: Option<String>,
}

impl Fds {
    /// Standard input, output and error as 0, 1 and 2, the sockets under their numbers, and then the directories.
    pub(super) fn new(start: Start) -> Self {
        let Start { stdin, stdout, stderr, sockets, preopens } = start;
        let streams = [Object::Input(stdin), Object::Output(stdout), Object::Output(stderr)];
        let directories = preopens
            .into_iter()
            .map(|(name, node)| Object::Directory(Directory { node, preopen: Some(name) }));
        let open = |object| Some(Fd { object, flags: 0 });
        let mut fds = Self { open: streams.into_iter().map(open).collect() };
        for (number, socket) in sockets {
            if number >= fds.open.len() {
                fds.open.resize_with(number.min(MAX_FDS).saturating_add(1), || None);
            }
            let object = match socket {
                Socket::Listener(listener) => Object::Listener(listener),
                Socket::Connection(connection) => Object::Connection(connection),
            };
            if let Some(place) = fds.open.get_mut(number) {
                *place = open(object);
            }
        }
        fds.open.extend(directories.map(open));
        fds
    }

    /// Whether one more can be opened.
    pub(super) fn check_room(&self) -> Result {
        let full = self.open.len() >= MAX_FDS && self.open.iter().all(Option::is_some);
        if full { Err(Errno::Mfile.into()) } else { Ok(()) }
    }

    pub(super) fn get(&self, fd: u32) -> Result<&Fd> {
        let slot = usize::try_from(fd).ok().and_then(|fd| self.open.get(fd));
        slot.and_then(Option::as_ref).ok_or_else(|| Errno::Badf.into())
    }

    pub(super) fn get_mut(&mut self, fd: u32) -> Result<&mut Fd> {
        self.slot(fd)?.as_mut().ok_or_else(|| Errno::Badf.into())
    }

    fn slot(&mut self, fd: u32) -> Result<&mut Option<Fd>> {
        let slot = usize::try_from(fd).ok().and_then(|fd| self.open.get_mut(fd));
        slot.ok_or_else(|| Errno::Badf.into())
    }

    /// Gives the lowest free number.
    pub(super) fn insert(&mut self, fd: Fd) -> Result<u32> {
        let free = self.open.iter().position(Option::is_none).unwrap_or(self.open.len());
        let number = u32::try_from(free).map_err(|_| Errno::Mfile)?;
        match self.open.get_mut(free) {
            Some(slot) => *slot = Some(fd),
            None if free < MAX_FDS => self.open.push(Some(fd)),
            None => return Err(Errno::Mfile.into()),
        }
        Ok(number)
    }

    pub(super) fn close(&mut self, fd: u32) -> Result {
        self.slot(fd)?.take().map(drop).ok_or_else(|| Errno::Badf.into())
    }

    /// Moves a descriptor to another number, which must be open and is closed.
    pub(super) fn renumber(&mut self, from: u32, to: u32) -> Result {
        self.get(from)?;
        self.get(to)?;
        if from != to {
            let moved = self.slot(from)?.take();
            *self.slot(to)? = moved;
        }
        Ok(())
    }

    /// The directory that a path starts from.
    pub(super) fn directory(&self, fd: u32) -> Result<&OpenNode> {
        match &self.get(fd)?.object {
            Object::Directory(directory) => Ok(&directory.node),
            _ => Err(Errno::Notdir.into()),
        }
    }
}

impl Fd {
    /// `$filetype`. The standard streams are pipes, for which preview 1 has no type.
    pub(super) fn filetype(&self) -> u8 {
        match &self.object {
            Object::Input(_) | Object::Output(_) => filetype::UNKNOWN,
            Object::File(_) => filetype::REGULAR_FILE,
            Object::Directory(_) => filetype::DIRECTORY,
            Object::Listener(_) | Object::Connection(_) => filetype::SOCKET_STREAM,
        }
    }

    /// What may be done with the descriptor. Rights cannot be given up any more in today's preview 1; they only tell what
    /// the descriptor was opened for.
    pub(super) fn rights(&self) -> u64 {
        match &self.object {
            Object::Input(_) => INPUT_RIGHTS,
            Object::Output(_) => OUTPUT_RIGHTS,
            Object::Directory(_) => DIRECTORY_RIGHTS,
            Object::Listener(_) => LISTENER_RIGHTS,
            Object::Connection(_) => CONNECTION_RIGHTS,
            Object::File(file) => {
                let unreadable = if file.read { 0 } else { rights::FD_READ };
                let unwritable = if file.write { 0 } else { WRITE_RIGHTS };
                FILE_RIGHTS & !unreadable & !unwritable
            }
        }
    }

    /// What may be done with descriptors that are opened by way of this one.
    pub(super) fn inheriting(&self) -> u64 {
        match &self.object {
            Object::Directory(_) => DIRECTORY_RIGHTS | FILE_RIGHTS,
            Object::Listener(_) => CONNECTION_RIGHTS,
            _ => 0,
        }
    }

    pub(super) fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    /// The node, for what files and directories have in common.
    pub(super) fn node(&self) -> Option<&OpenNode> {
        match &self.object {
            Object::Input(_) | Object::Output(_) | Object::Listener(_) | Object::Connection(_) => None,
            Object::File(file) => Some(&file.node),
            Object::Directory(directory) => Some(&directory.node),
        }
    }
}

/// `$filetype` of a node.
pub(super) fn filetype_of(node: FileType) -> u8 {
    match node {
        FileType::Regular => filetype::REGULAR_FILE,
        FileType::Directory => filetype::DIRECTORY,
        FileType::Symlink => filetype::SYMBOLIC_LINK,
    }
}

/// Checks `$fdflags`.
pub(super) fn checked_flags(flags: u32) -> Result<u32> {
    if flags & !fdflags::ALL == 0 { Ok(flags) } else { Err(Errno::Inval.into()) }
}
