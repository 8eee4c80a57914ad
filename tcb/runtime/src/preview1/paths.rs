// SPDX-License-Identifier: Apache-2.0

//! Functions that take a path, which starts from an open directory and cannot leave it.

use super::Call;
use super::abi::{Errno, LOOKUP_SYMLINK_FOLLOW, oflags, rights};
use super::fds::{Directory, Fd, File, Object, checked_flags};
use super::files::{filestat, set_times};
use super::guest::Result;
use crate::vfs::{FileType, OpenOptions};

pub(super) fn path_create_directory(call: &mut Call<'_>, fd: u32, path: u32, path_len: u32) -> Result {
    let path = call.guest.text(path, path_len)?;
    Ok(call.state.fds.directory(fd)?.create_directory(path)?)
}

pub(super) fn path_filestat_get(
    call: &mut Call<'_>,
    fd: u32,
    flags: u32,
    path: u32,
    path_len: u32,
    filestat_at: u32,
) -> Result {
    let path = call.guest.text(path, path_len)?;
    let stat = call.state.fds.directory(fd)?.stat_at(path, follow(flags)?)?;
    call.guest.write(filestat_at, 8, &filestat(&stat))
}

#[allow(clippy::too_many_arguments, reason = "the parameters are those of WASI")]
pub(super) fn path_filestat_set_times(
    call: &mut Call<'_>,
    fd: u32,
    flags: u32,
    path: u32,
    path_len: u32,
    atim: u64,
    mtim: u64,
    fst_flags: u32,
) -> Result {
    let path = call.guest.text(path, path_len)?;
    let (accessed, modified) = set_times(atim, mtim, fst_flags)?;
    Ok(call.state.fds.directory(fd)?.set_times_at(path, follow(flags)?, accessed, modified)?)
}

#[allow(clippy::too_many_arguments, reason = "the parameters are those of WASI")]
pub(super) fn path_link(
    call: &mut Call<'_>,
    old_fd: u32,
    old_flags: u32,
    old_path: u32,
    old_path_len: u32,
    new_fd: u32,
    new_path: u32,
    new_path_len: u32,
) -> Result {
    let old_path = call.guest.text(old_path, old_path_len)?;
    let new_path = call.guest.text(new_path, new_path_len)?;
    let fds = &call.state.fds;
    Ok(fds.directory(old_fd)?.link(old_path, follow(old_flags)?, fds.directory(new_fd)?, new_path)?)
}

#[allow(clippy::too_many_arguments, reason = "the parameters are those of WASI")]
pub(super) fn path_open(
    call: &mut Call<'_>,
    fd: u32,
    dirflags: u32,
    path: u32,
    path_len: u32,
    open_flags: u32,
    rights_base: u64,
    _rights_inheriting: u64,
    fd_flags: u32,
    opened: u32,
) -> Result {
    call.guest.result(opened, 4)?;
    let flags = checked_flags(fd_flags)?;
    let path = call.guest.text(path, path_len)?;
    let write = rights_base & rights::FD_WRITE != 0;
    let read = rights_base & rights::FD_READ != 0;
    let options = open_options(follow(dirflags)?, open_flags, write)?;
    let directory = call.state.fds.directory(fd)?;
    let node = directory.open(path, &options)?;
    let object = match node.file_type() {
        FileType::Directory if write && !options.directory => return Err(Errno::Isdir.into()),
        FileType::Directory => Object::Directory(Directory { node, preopen: None }),
        _ => Object::File(File { node, position: 0, read, write }),
    };
    let number = call.state.fds.insert(Fd { object, flags })?;
    call.guest.write_u32(opened, number)
}

fn open_options(follow: bool, flags: u32, write: bool) -> Result<OpenOptions> {
    let has = |flag| flags & flag != 0;
    let directory = has(oflags::DIRECTORY);
    // Neither makes sense for a directory: `mkdir` is another function, and a directory has no length.
    let contradiction = directory && (has(oflags::CREAT) || has(oflags::EXCL) || has(oflags::TRUNC));
    if flags & !oflags::ALL != 0 || contradiction {
        return Err(Errno::Inval.into());
    }
    Ok(OpenOptions {
        follow,
        // A directory is never opened for writing: what changes in it is checked when it changes.
        write: write && !directory,
        create: has(oflags::CREAT),
        exclusive: has(oflags::EXCL),
        truncate: has(oflags::TRUNC),
        directory,
    })
}

#[allow(clippy::too_many_arguments, reason = "the parameters are those of WASI")]
pub(super) fn path_readlink(
    call: &mut Call<'_>,
    fd: u32,
    path: u32,
    path_len: u32,
    buf: u32,
    buf_len: u32,
    bufused: u32,
) -> Result {
    call.guest.result(bufused, 4)?;
    let place = call.guest.place(buf, buf_len)?;
    let path = call.guest.text(path, path_len)?;
    let target = call.state.fds.directory(fd)?.read_link(path)?;
    // As in POSIX, what does not fit is cut off.
    let used = super::files::copy(target.as_bytes(), call.guest.bytes_mut(&place));
    call.guest.write_u32(bufused, used)
}

pub(super) fn path_remove_directory(call: &mut Call<'_>, fd: u32, path: u32, path_len: u32) -> Result {
    let path = call.guest.text(path, path_len)?;
    Ok(call.state.fds.directory(fd)?.remove_directory(path)?)
}

#[allow(clippy::too_many_arguments, reason = "the parameters are those of WASI")]
pub(super) fn path_rename(
    call: &mut Call<'_>,
    fd: u32,
    old_path: u32,
    old_path_len: u32,
    new_fd: u32,
    new_path: u32,
    new_path_len: u32,
) -> Result {
    let old_path = call.guest.text(old_path, old_path_len)?;
    let new_path = call.guest.text(new_path, new_path_len)?;
    let fds = &call.state.fds;
    Ok(fds.directory(fd)?.rename(old_path, fds.directory(new_fd)?, new_path)?)
}

pub(super) fn path_symlink(
    call: &mut Call<'_>,
    old_path: u32,
    old_path_len: u32,
    fd: u32,
    new_path: u32,
    new_path_len: u32,
) -> Result {
    let target = call.guest.text(old_path, old_path_len)?;
    let new_path = call.guest.text(new_path, new_path_len)?;
    Ok(call.state.fds.directory(fd)?.symlink(target, new_path)?)
}

pub(super) fn path_unlink_file(call: &mut Call<'_>, fd: u32, path: u32, path_len: u32) -> Result {
    let path = call.guest.text(path, path_len)?;
    Ok(call.state.fds.directory(fd)?.unlink(path)?)
}

fn follow(flags: u32) -> Result<bool> {
    match flags {
        0 => Ok(false),
        LOOKUP_SYMLINK_FOLLOW => Ok(true),
        _ => Err(Errno::Inval.into()),
    }
}
