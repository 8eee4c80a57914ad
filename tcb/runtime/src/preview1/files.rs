// SPDX-License-Identifier: Apache-2.0

//! Functions on an open descriptor, but for reading and writing.

use super::Call;
use super::abi::{
    ADVICE_LAST, DIRENT_LEN, Errno, FDSTAT_LEN, FILESTAT_LEN, PREOPENTYPE_DIR, PREOPENTYPE_OTHER, fdflags,
    filetype, fstflags, whence,
};
use super::fds::{Fd, Object, checked_flags, filetype_of};
use super::guest::Result;
use crate::vfs::{SetTime, Stat};

/// Entries that are taken from a directory at a time.
const ENTRIES_AT_ONCE: usize = 64;
/// The only device there is.
const DEVICE: u64 = 1;

pub(super) fn fd_advise(call: &mut Call<'_>, fd: u32, offset: u64, len: u64, advice: u32) -> Result {
    match &call.state.fds.get(fd)?.object {
        Object::File(_) => {}
        Object::Input(_) | Object::Output(_) | Object::Listener(_) | Object::Connection(_) => {
            return Err(Errno::Spipe.into());
        }
        Object::Directory(_) => return Err(Errno::Badf.into()),
    }
    // Everything is in memory, so there is nothing to do with good advice.
    let sensible = advice <= ADVICE_LAST && i64::try_from(offset).is_ok() && i64::try_from(len).is_ok();
    if sensible { Ok(()) } else { Err(Errno::Inval.into()) }
}

pub(super) fn fd_allocate(call: &mut Call<'_>, fd: u32, offset: u64, len: u64) -> Result {
    let fd = call.state.fds.get(fd)?;
    let file = match &fd.object {
        Object::File(file) if file.write => file,
        Object::Input(_) | Object::Output(_) | Object::Listener(_) | Object::Connection(_) => {
            return Err(Errno::Spipe.into());
        }
        _ => return Err(Errno::Badf.into()),
    };
    if len == 0 {
        return Err(Errno::Inval.into());
    }
    let end = offset.checked_add(len).ok_or(Errno::Fbig)?;
    if end > file.node.stat()?.size {
        file.node.set_len(end)?;
    }
    Ok(())
}

pub(super) fn fd_close(call: &mut Call<'_>, fd: u32) -> Result {
    call.state.fds.close(fd)
}

pub(super) fn fd_datasync(call: &mut Call<'_>, fd: u32) -> Result {
    fd_sync(call, fd)
}

pub(super) fn fd_sync(call: &mut Call<'_>, fd: u32) -> Result {
    // Nothing is behind the memory that it could be brought to.
    call.state.fds.get(fd)?.node().map(drop).ok_or_else(|| Errno::Inval.into())
}

pub(super) fn fd_fdstat_get(call: &mut Call<'_>, fd: u32, stat: u32) -> Result {
    let fd = call.state.fds.get(fd)?;
    let mut bytes = [0; FDSTAT_LEN as usize];
    put(&mut bytes, 0, &[fd.filetype()]);
    put(&mut bytes, 2, &fd.flags.to_le_bytes()[..2]);
    put(&mut bytes, 8, &fd.rights().to_le_bytes());
    put(&mut bytes, 16, &fd.inheriting().to_le_bytes());
    call.guest.write(stat, 8, &bytes)
}

pub(super) fn fd_fdstat_set_flags(call: &mut Call<'_>, fd: u32, flags: u32) -> Result {
    let fd = call.state.fds.get_mut(fd)?;
    let flags = checked_flags(flags)?;
    // As `fcntl`, which cannot change how a file is synchronised.
    let changeable = fdflags::APPEND | fdflags::NONBLOCK;
    if (fd.flags ^ flags) & !changeable != 0 {
        return Err(Errno::Inval.into());
    }
    fd.flags = flags;
    Ok(())
}

/// Rights can no longer be given up: today's preview 1 kept the function and took its effect away.
pub(super) fn fd_fdstat_set_rights(call: &mut Call<'_>, fd: u32, _base: u64, _inheriting: u64) -> Result {
    call.state.fds.get(fd)?;
    Err(Errno::Notsup.into())
}

pub(super) fn fd_filestat_get(call: &mut Call<'_>, fd: u32, stat: u32) -> Result {
    let bytes = if let Some(node) = call.state.fds.get(fd)?.node() {
        filestat(&node.stat()?)
    } else {
        let mut bytes = [0; FILESTAT_LEN as usize];
        put(&mut bytes, 16, &[call.state.fds.get(fd)?.filetype()]);
        bytes
    };
    call.guest.write(stat, 8, &bytes)
}

pub(super) fn fd_filestat_set_size(call: &mut Call<'_>, fd: u32, size: u64) -> Result {
    match &call.state.fds.get(fd)?.object {
        Object::File(file) if file.write => Ok(file.node.set_len(size)?),
        // As `ftruncate` on what was not opened for writing.
        Object::Directory(_) => Err(Errno::Badf.into()),
        _ => Err(Errno::Inval.into()),
    }
}

pub(super) fn fd_filestat_set_times(
    call: &mut Call<'_>,
    fd: u32,
    atim: u64,
    mtim: u64,
    flags: u32,
) -> Result {
    let fd = call.state.fds.get(fd)?;
    let (accessed, modified) = set_times(atim, mtim, flags)?;
    let node = fd.node().ok_or(Errno::Badf)?;
    Ok(node.set_times(accessed, modified)?)
}

pub(super) fn fd_prestat_get(call: &mut Call<'_>, fd: u32, prestat: u32) -> Result {
    let mut bytes = [0; 8];
    let described = call.state.fds.get(fd)?;
    if matches!(described.object, Object::Listener(_) | Object::Connection(_)) {
        put(&mut bytes, 0, &[PREOPENTYPE_OTHER]);
        return call.guest.write(prestat, 4, &bytes);
    }
    let len = u32::try_from(preopen(described)?.len()).map_err(|_| Errno::Overflow)?;
    put(&mut bytes, 0, &[PREOPENTYPE_DIR]);
    put(&mut bytes, 4, &len.to_le_bytes());
    call.guest.write(prestat, 4, &bytes)
}

pub(super) fn fd_prestat_dir_name(call: &mut Call<'_>, fd: u32, path: u32, path_len: u32) -> Result {
    let name = preopen(call.state.fds.get(fd)?)?;
    if name.len() > path_len as usize {
        return Err(Errno::Nametoolong.into());
    }
    call.guest.write(path, 1, name.as_bytes())
}

/// Programs look for preopened directories until they find none, so everything else must look like nothing.
fn preopen(fd: &Fd) -> Result<&str> {
    match &fd.object {
        Object::Directory(directory) => directory.preopen.as_deref().ok_or_else(|| Errno::Badf.into()),
        _ => Err(Errno::Badf.into()),
    }
}

pub(super) fn fd_readdir(
    call: &mut Call<'_>,
    fd: u32,
    buf: u32,
    buf_len: u32,
    cookie: u64,
    bufused: u32,
) -> Result {
    call.guest.result(bufused, 4)?;
    let place = call.guest.place(buf, buf_len)?;
    let node = call.state.fds.directory(fd)?;
    let mut listing = Listing { room: call.guest.bytes_mut(&place), used: 0 };
    let inode = node.stat()?.inode;
    let mut cookie = cookie;
    for (number, name) in [(1, "."), (2, "..")] {
        // The directory above may be out of reach, so `..` has the number of the directory itself.
        if cookie < number {
            listing.entry(number, inode, filetype::DIRECTORY, name);
            cookie = number;
        }
    }
    loop {
        let entries = node.entries(cookie, ENTRIES_AT_ONCE)?;
        for entry in &entries {
            listing.entry(entry.cookie, entry.inode, filetype_of(entry.file_type), &entry.name);
            cookie = entry.cookie;
        }
        if listing.room.is_empty() || entries.is_empty() {
            break;
        }
    }
    let used = listing.used;
    call.guest.write_u32(bufused, used)
}

/// A buffer that is filled with entries. The last is cut off where the buffer ends, which tells the program to come
/// back with its cookie.
struct Listing<'a> {
    room: &'a mut [u8],
    used: u32,
}

impl Listing<'_> {
    fn entry(&mut self, next: u64, inode: u64, filetype: u8, name: &str) {
        let mut head = [0; DIRENT_LEN as usize];
        put(&mut head, 0, &next.to_le_bytes());
        put(&mut head, 8, &inode.to_le_bytes());
        // The file system's limit on names is far below 2^32.
        put(&mut head, 16, &u32::try_from(name.len()).unwrap_or(u32::MAX).to_le_bytes());
        put(&mut head, 20, &[filetype]);
        self.put(&head);
        self.put(name.as_bytes());
    }

    fn put(&mut self, bytes: &[u8]) {
        let copied = copy(bytes, self.room);
        self.used += copied;
        let room = core::mem::take(&mut self.room);
        self.room = room.get_mut(copied as usize..).unwrap_or_default();
    }
}

/// Copies as much as there is room for.
pub(super) fn copy(from: &[u8], to: &mut [u8]) -> u32 {
    let len = from.len().min(to.len());
    if let (Some(from), Some(to)) = (from.get(..len), to.get_mut(..len)) {
        to.copy_from_slice(from);
    }
    // `to` is in a 32-bit memory.
    u32::try_from(len).unwrap_or(u32::MAX)
}

pub(super) fn fd_renumber(call: &mut Call<'_>, from: u32, to: u32) -> Result {
    call.state.fds.renumber(from, to)
}

pub(super) fn fd_seek(call: &mut Call<'_>, fd: u32, offset: i64, origin: u32, position: u32) -> Result {
    call.guest.result(position, 8)?;
    let file = match &mut call.state.fds.get_mut(fd)?.object {
        Object::File(file) => file,
        Object::Directory(_) => return Err(Errno::Badf.into()),
        _ => return Err(Errno::Spipe.into()),
    };
    let base = match origin {
        whence::SET => 0,
        whence::CUR => file.position,
        whence::END => file.node.stat()?.size,
        _ => return Err(Errno::Inval.into()),
    };
    let target = base.checked_add_signed(offset).filter(|target| i64::try_from(*target).is_ok());
    file.position = target.ok_or(Errno::Inval)?;
    let target = file.position;
    call.guest.write_u64(position, target)
}

pub(super) fn fd_tell(call: &mut Call<'_>, fd: u32, position: u32) -> Result {
    fd_seek(call, fd, 0, whence::CUR, position)
}

/// `$filestat`.
pub(super) fn filestat(stat: &Stat) -> [u8; FILESTAT_LEN as usize] {
    let mut bytes = [0; FILESTAT_LEN as usize];
    let fields = [stat.links, stat.size, stat.accessed, stat.modified, stat.changed];
    put(&mut bytes, 0, &DEVICE.to_le_bytes());
    put(&mut bytes, 8, &stat.inode.to_le_bytes());
    put(&mut bytes, 16, &[filetype_of(stat.file_type)]);
    for (index, field) in fields.into_iter().enumerate() {
        put(&mut bytes, 24 + 8 * index, &field.to_le_bytes());
    }
    bytes
}

/// What `$fstflags` say to do with the times.
pub(super) fn set_times(atim: u64, mtim: u64, flags: u32) -> Result<(SetTime, SetTime)> {
    if flags & !fstflags::ALL != 0 {
        return Err(Errno::Inval.into());
    }
    let set = |to, now, time| match (flags & to != 0, flags & now != 0) {
        (false, false) => Ok(SetTime::Keep),
        (true, false) => Ok(SetTime::To(time)),
        (false, true) => Ok(SetTime::Now),
        (true, true) => Err(Errno::Inval),
    };
    let accessed = set(fstflags::ATIM, fstflags::ATIM_NOW, atim)?;
    Ok((accessed, set(fstflags::MTIM, fstflags::MTIM_NOW, mtim)?))
}

/// Writes a field of a structure of fixed size.
pub(super) fn put(bytes: &mut [u8], at: usize, field: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + field.len()) {
        place.copy_from_slice(field);
    }
}
