// SPDX-License-Identifier: Apache-2.0

//! What a file operation can be refused for.

/// Why a file operation was not done. The code of each preview is in one table, in `errno.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VfsError {
    /// Nothing has that name.
    #[error("no such file or directory")]
    NotFound,
    /// Something has that name already.
    #[error("the name exists already")]
    Exists,
    /// A directory is needed there.
    #[error("not a directory")]
    NotDirectory,
    /// A directory is not possible there.
    #[error("is a directory")]
    IsDirectory,
    /// The directory has entries.
    #[error("directory not empty")]
    NotEmpty,
    /// The path is absolute, or leads out of the directory it starts from, or the operation is not allowed on it.
    #[error("operation not permitted")]
    NotPermitted,
    /// The entry was provisioned read-only, or the directory was opened without the right to change it.
    #[error("read-only")]
    ReadOnly,
    /// Too many symbolic links on the way.
    #[error("too many levels of symbolic links")]
    Loop,
    /// The path, a name in it or a link's target is too long.
    #[error("name too long")]
    NameTooLong,
    /// The arguments make no sense, such as moving a directory into itself.
    #[error("invalid argument")]
    Invalid,
    /// The directory is in use in a way that forbids the operation: the root, or a directory named as `.`.
    #[error("resource busy")]
    Busy,
    /// The descriptor was not opened for this.
    #[error("bad descriptor")]
    BadDescriptor,
    /// The quota of bytes would be exceeded.
    #[error("quota of bytes exceeded")]
    BytesExceeded,
    /// The quota of entries would be exceeded.
    #[error("quota of entries exceeded")]
    EntriesExceeded,
    /// An offset or length beyond what a file can have.
    #[error("file too large")]
    FileTooLarge,
    /// No more names can lead to this node.
    #[error("too many links")]
    TooManyLinks,
    /// A time beyond what a file can have.
    #[error("value too large")]
    Overflow,
    /// The Keep has no memory left.
    #[error("not enough memory")]
    OutOfMemory,
}
