// SPDX-License-Identifier: Apache-2.0

//! Numbers and layouts of `wasi_snapshot_preview1`, from its witx description
//! (WebAssembly/WASI, legacy/preview1/witx/typenames.witx).

pub(super) use crate::errno::Errno;

/// `$filetype`.
pub(super) mod filetype {
    pub(crate) const UNKNOWN: u8 = 0;
    pub(crate) const DIRECTORY: u8 = 3;
    pub(crate) const REGULAR_FILE: u8 = 4;
    pub(crate) const SOCKET_STREAM: u8 = 6;
    pub(crate) const SYMBOLIC_LINK: u8 = 7;
}

/// `$rights`.
pub(super) mod rights {
    pub(crate) const FD_DATASYNC: u64 = 1 << 0;
    pub(crate) const FD_READ: u64 = 1 << 1;
    pub(crate) const FD_SEEK: u64 = 1 << 2;
    pub(crate) const FD_FDSTAT_SET_FLAGS: u64 = 1 << 3;
    pub(crate) const FD_SYNC: u64 = 1 << 4;
    pub(crate) const FD_TELL: u64 = 1 << 5;
    pub(crate) const FD_WRITE: u64 = 1 << 6;
    pub(crate) const FD_ADVISE: u64 = 1 << 7;
    pub(crate) const FD_ALLOCATE: u64 = 1 << 8;
    pub(crate) const PATH_CREATE_DIRECTORY: u64 = 1 << 9;
    pub(crate) const PATH_CREATE_FILE: u64 = 1 << 10;
    pub(crate) const PATH_LINK_SOURCE: u64 = 1 << 11;
    pub(crate) const PATH_LINK_TARGET: u64 = 1 << 12;
    pub(crate) const PATH_OPEN: u64 = 1 << 13;
    pub(crate) const FD_READDIR: u64 = 1 << 14;
    pub(crate) const PATH_READLINK: u64 = 1 << 15;
    pub(crate) const PATH_RENAME_SOURCE: u64 = 1 << 16;
    pub(crate) const PATH_RENAME_TARGET: u64 = 1 << 17;
    pub(crate) const PATH_FILESTAT_GET: u64 = 1 << 18;
    pub(crate) const PATH_FILESTAT_SET_SIZE: u64 = 1 << 19;
    pub(crate) const PATH_FILESTAT_SET_TIMES: u64 = 1 << 20;
    pub(crate) const FD_FILESTAT_GET: u64 = 1 << 21;
    pub(crate) const FD_FILESTAT_SET_SIZE: u64 = 1 << 22;
    pub(crate) const FD_FILESTAT_SET_TIMES: u64 = 1 << 23;
    pub(crate) const PATH_SYMLINK: u64 = 1 << 24;
    pub(crate) const PATH_REMOVE_DIRECTORY: u64 = 1 << 25;
    pub(crate) const PATH_UNLINK_FILE: u64 = 1 << 26;
    pub(crate) const POLL_FD_READWRITE: u64 = 1 << 27;
    pub(crate) const SOCK_SHUTDOWN: u64 = 1 << 28;
    pub(crate) const SOCK_ACCEPT: u64 = 1 << 29;
}

/// `$fdflags`.
pub(super) mod fdflags {
    pub(crate) const APPEND: u32 = 1 << 0;
    pub(crate) const DSYNC: u32 = 1 << 1;
    pub(crate) const NONBLOCK: u32 = 1 << 2;
    pub(crate) const RSYNC: u32 = 1 << 3;
    pub(crate) const SYNC: u32 = 1 << 4;
    pub(crate) const ALL: u32 = APPEND | DSYNC | NONBLOCK | RSYNC | SYNC;
}

/// `$oflags`.
pub(super) mod oflags {
    pub(crate) const CREAT: u32 = 1 << 0;
    pub(crate) const DIRECTORY: u32 = 1 << 1;
    pub(crate) const EXCL: u32 = 1 << 2;
    pub(crate) const TRUNC: u32 = 1 << 3;
    pub(crate) const ALL: u32 = CREAT | DIRECTORY | EXCL | TRUNC;
}

/// `$fstflags`.
pub(super) mod fstflags {
    pub(crate) const ATIM: u32 = 1 << 0;
    pub(crate) const ATIM_NOW: u32 = 1 << 1;
    pub(crate) const MTIM: u32 = 1 << 2;
    pub(crate) const MTIM_NOW: u32 = 1 << 3;
    pub(crate) const ALL: u32 = ATIM | ATIM_NOW | MTIM | MTIM_NOW;
}

/// `$lookupflags`: follow a symbolic link at the end of the path.
pub(super) const LOOKUP_SYMLINK_FOLLOW: u32 = 1;

/// `$whence`.
pub(super) mod whence {
    pub(crate) const SET: u32 = 0;
    pub(crate) const CUR: u32 = 1;
    pub(crate) const END: u32 = 2;
}

/// The last value of `$advice`.
pub(super) const ADVICE_LAST: u32 = 5;

/// `$clockid`. The clocks for CPU time are not here: see [`super::process`].
pub(super) mod clockid {
    pub(crate) const REALTIME: u32 = 0;
    pub(crate) const MONOTONIC: u32 = 1;
}

/// `$eventtype`.
pub(super) mod eventtype {
    pub(crate) const CLOCK: u8 = 0;
    pub(crate) const FD_READ: u8 = 1;
    pub(crate) const FD_WRITE: u8 = 2;
}

/// `$subclockflags`: the timeout is a time and not a duration.
pub(super) const SUBSCRIPTION_CLOCK_ABSTIME: u16 = 1;
/// `$eventrwflags`: the other end is closed.
pub(super) const EVENT_FD_READWRITE_HANGUP: u16 = 1;
/// `$preopentype`: a directory, the only one.
pub(super) const PREOPENTYPE_DIR: u8 = 0;

/// A `$preopentype` that the standard does not have. C libraries skip it on their way to the directories behind; an error
/// would end their search.
pub(super) const PREOPENTYPE_OTHER: u8 = 1;
/// `$riflags`.
pub(super) const RECV_PEEK: u32 = 1 << 0;
pub(super) const RECV_WAITALL: u32 = 1 << 1;
/// `$sdflags`.
pub(super) const SHUT_READ: u32 = 1 << 0;
pub(super) const SHUT_WRITE: u32 = 1 << 1;

/// Bytes of `$fdstat`, `$filestat`, `$dirent`, `$subscription`, `$event` and `$iovec` in memory.
pub(super) const FDSTAT_LEN: u32 = 24;
pub(super) const FILESTAT_LEN: u32 = 64;
pub(super) const DIRENT_LEN: u32 = 24;
pub(super) const SUBSCRIPTION_LEN: u32 = 48;
pub(super) const EVENT_LEN: u32 = 32;
pub(super) const IOVEC_LEN: u32 = 8;
