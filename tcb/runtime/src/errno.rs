// SPDX-License-Identifier: Apache-2.0

//! Refusals of the file system in the words of both previews.
//!
//! One table, so that a program sees the same error whichever way it was compiled.

use crate::preview2::bindings::wasi::filesystem::types::ErrorCode;
use crate::vfs::VfsError;

/// `$errno` of preview 1 (WebAssembly/WASI, legacy/preview1/witx/typenames.witx).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Errno {
    Again = 6,
    Badf = 8,
    Busy = 10,
    Connreset = 15,
    Dquot = 19,
    Exist = 20,
    Fbig = 22,
    Ilseq = 25,
    Inval = 28,
    Io = 29,
    Isdir = 31,
    Loop = 32,
    Mfile = 33,
    Mlink = 34,
    Nametoolong = 37,
    Noent = 44,
    Nomem = 48,
    Notconn = 53,
    Notdir = 54,
    Notempty = 55,
    Notsock = 57,
    Notsup = 58,
    Overflow = 61,
    Perm = 63,
    Pipe = 64,
    Rofs = 69,
    Spipe = 70,
    Timedout = 73,
}

/// The codes of preview 1 and of `wasi:filesystem` 0.2.
pub(crate) fn codes(error: VfsError) -> (Errno, ErrorCode) {
    match error {
        VfsError::NotFound => (Errno::Noent, ErrorCode::NoEntry),
        VfsError::Exists => (Errno::Exist, ErrorCode::Exist),
        VfsError::NotDirectory => (Errno::Notdir, ErrorCode::NotDirectory),
        VfsError::IsDirectory => (Errno::Isdir, ErrorCode::IsDirectory),
        VfsError::NotEmpty => (Errno::Notempty, ErrorCode::NotEmpty),
        VfsError::NotPermitted => (Errno::Perm, ErrorCode::NotPermitted),
        VfsError::ReadOnly => (Errno::Rofs, ErrorCode::ReadOnly),
        VfsError::Loop => (Errno::Loop, ErrorCode::Loop),
        VfsError::NameTooLong => (Errno::Nametoolong, ErrorCode::NameTooLong),
        VfsError::Invalid => (Errno::Inval, ErrorCode::Invalid),
        VfsError::Busy => (Errno::Busy, ErrorCode::Busy),
        VfsError::BadDescriptor => (Errno::Badf, ErrorCode::BadDescriptor),
        VfsError::BytesExceeded | VfsError::EntriesExceeded => (Errno::Dquot, ErrorCode::Quota),
        VfsError::FileTooLarge => (Errno::Fbig, ErrorCode::FileTooLarge),
        VfsError::TooManyLinks => (Errno::Mlink, ErrorCode::TooManyLinks),
        VfsError::Overflow => (Errno::Overflow, ErrorCode::Overflow),
        VfsError::OutOfMemory => (Errno::Nomem, ErrorCode::InsufficientMemory),
    }
}

impl From<VfsError> for Errno {
    fn from(error: VfsError) -> Self {
        codes(error).0
    }
}

impl From<VfsError> for ErrorCode {
    fn from(error: VfsError) -> Self {
        codes(error).1
    }
}
