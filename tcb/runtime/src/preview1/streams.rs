// SPDX-License-Identifier: Apache-2.0

//! Reading and writing: files at once, pipes when there is something or room for something.

use alloc::vec::Vec;

use super::Call;
use super::abi::{Errno, fdflags};
use super::fds::{Fd, File, Object};
use super::files::copy;
use super::guest::{Failure, Guest, Place, Result};
use super::sockets::{receive, send};
use crate::io::{Available, Closed, Reader, Writer};
use crate::run::State;

pub(super) async fn fd_read(call: &mut Call<'_>, fd: u32, iovs: u32, iovs_len: u32, nread: u32) -> Result {
    let Call { guest, state } = call;
    let (places, fd) = prepare(guest, state, fd, iovs, iovs_len, nread)?;
    let nonblock = fd.has(fdflags::NONBLOCK);
    let total = match &mut fd.object {
        Object::Input(reader) => read_stream(guest, reader, places, nonblock).await?,
        Object::File(file) => {
            let total = read_file(guest, file, places, file.position)?;
            file.position = file.position.saturating_add(u64::from(total));
            total
        }
        Object::Connection(connection) => receive(guest, connection, places, nonblock).await?,
        Object::Directory(_) => return Err(Errno::Isdir.into()),
        Object::Listener(_) => return Err(Errno::Notconn.into()),
        Object::Output(_) => return Err(Errno::Badf.into()),
    };
    guest.write_u32(nread, total)
}

pub(super) async fn fd_write(
    call: &mut Call<'_>,
    fd: u32,
    iovs: u32,
    iovs_len: u32,
    nwritten: u32,
) -> Result {
    let Call { guest, state } = call;
    let (places, fd) = prepare(guest, state, fd, iovs, iovs_len, nwritten)?;
    let (nonblock, append) = (fd.has(fdflags::NONBLOCK), fd.has(fdflags::APPEND));
    let total = match &mut fd.object {
        Object::Output(writer) => write_stream(guest, writer, places, nonblock).await?,
        Object::File(file) if append => append_file(guest, file, places)?,
        Object::File(file) => {
            let total = write_file(guest, file, places, file.position)?;
            file.position = file.position.saturating_add(u64::from(total));
            total
        }
        Object::Connection(connection) => send(guest, connection, places, nonblock).await?,
        Object::Listener(_) => return Err(Errno::Notconn.into()),
        Object::Directory(_) | Object::Input(_) => return Err(Errno::Badf.into()),
    };
    guest.write_u32(nwritten, total)
}

pub(super) fn fd_pread(
    call: &mut Call<'_>,
    fd: u32,
    iovs: u32,
    iovs_len: u32,
    offset: u64,
    nread: u32,
) -> Result {
    let Call { guest, state } = call;
    let (places, fd) = prepare(guest, state, fd, iovs, iovs_len, nread)?;
    let file = match &mut fd.object {
        Object::File(file) => file,
        Object::Directory(_) => return Err(Errno::Isdir.into()),
        _ => return Err(Errno::Spipe.into()),
    };
    let total = read_file(guest, file, places, positive(offset)?)?;
    guest.write_u32(nread, total)
}

pub(super) fn fd_pwrite(
    call: &mut Call<'_>,
    fd: u32,
    iovs: u32,
    iovs_len: u32,
    offset: u64,
    nwritten: u32,
) -> Result {
    let Call { guest, state } = call;
    let (places, fd) = prepare(guest, state, fd, iovs, iovs_len, nwritten)?;
    let file = match &mut fd.object {
        Object::File(file) => file,
        Object::Directory(_) => return Err(Errno::Badf.into()),
        _ => return Err(Errno::Spipe.into()),
    };
    let total = write_file(guest, file, places, positive(offset)?)?;
    guest.write_u32(nwritten, total)
}

/// Checks everything the call points to, and finds its descriptor.
fn prepare<'s>(
    guest: &Guest<'_>,
    state: &'s mut State,
    fd: u32,
    iovs: u32,
    iovs_len: u32,
    result: u32,
) -> Result<(Vec<Place>, &'s mut Fd)> {
    let fd = state.fds.get_mut(fd)?;
    guest.result(result, 4)?;
    Ok((guest.iovecs(iovs, iovs_len)?, fd))
}

/// Offsets are signed in POSIX, and WASI says that negative ones are invalid.
fn positive(offset: u64) -> Result<u64> {
    if i64::try_from(offset).is_ok() { Ok(offset) } else { Err(Errno::Inval.into()) }
}

fn read_file(guest: &mut Guest<'_>, file: &File, places: Vec<Place>, offset: u64) -> Result<u32> {
    if !file.read {
        return Err(Errno::Badf.into());
    }
    let mut total = 0;
    for place in places {
        let read = file.node.read_at(offset.saturating_add(u64::from(total)), guest.bytes_mut(&place))?;
        total += count(read);
        if read < place.len() {
            break;
        }
    }
    Ok(total)
}

fn write_file(guest: &Guest<'_>, file: &File, places: Vec<Place>, offset: u64) -> Result<u32> {
    gather(guest, file, places, |bytes, done| {
        Ok(file.node.write_at(offset.saturating_add(u64::from(done)), bytes)?)
    })
}

fn append_file(guest: &Guest<'_>, file: &mut File, places: Vec<Place>) -> Result<u32> {
    let mut position = file.position;
    let total = gather(guest, file, places, |bytes, _| {
        let (written, end) = file.node.append(bytes)?;
        position = end;
        Ok(written)
    });
    file.position = position;
    total
}

/// Writes buffer after buffer. As in POSIX, an error after the first bytes is told by the next call.
fn gather(
    guest: &Guest<'_>,
    file: &File,
    places: Vec<Place>,
    mut write: impl FnMut(&[u8], u32) -> Result<usize>,
) -> Result<u32> {
    if !file.write {
        return Err(Errno::Badf.into());
    }
    let mut total = 0;
    for place in places {
        match write(guest.bytes(&place), total) {
            Ok(written) => {
                total += count(written);
                if written < place.len() {
                    break;
                }
            }
            Err(Failure::Errno(_)) if total > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(total)
}

/// The buffers of one call hold less than 2^32 bytes together.
pub(super) fn count(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// Waits for the first bytes and takes what is there then; 0 at the end.
pub(super) async fn read_stream(
    guest: &mut Guest<'_>,
    reader: &Reader,
    places: Vec<Place>,
    nonblock: bool,
) -> Result<u32> {
    let mut total = 0;
    for place in places.into_iter().filter(|place| place.len() > 0) {
        let out = guest.bytes_mut(&place);
        let mut filled = 0;
        while filled < out.len() {
            match reader.try_read(out.len() - filled) {
                Available::Bytes(bytes) => {
                    filled += copy(&bytes, out.get_mut(filled..).unwrap_or_default()) as usize;
                }
                Available::End => return Ok(total + count(filled)),
                Available::Nothing if total > 0 || filled > 0 => return Ok(total + count(filled)),
                Available::Nothing if nonblock => return Err(Errno::Again.into()),
                Available::Nothing => reader.ready().await,
            }
        }
        total += count(filled);
    }
    Ok(total)
}

/// Waits until everything is written, as a blocking pipe does.
pub(super) async fn write_stream(
    guest: &Guest<'_>,
    writer: &Writer,
    places: Vec<Place>,
    nonblock: bool,
) -> Result<u32> {
    let mut total = 0;
    for place in places {
        let mut rest = guest.bytes(&place);
        while !rest.is_empty() {
            match writer.try_write(rest) {
                Ok(0) if !nonblock => writer.ready().await,
                Ok(0) if total == 0 => return Err(Errno::Again.into()),
                Ok(0) => return Ok(total),
                Ok(written) => {
                    total += count(written);
                    rest = rest.get(written..).unwrap_or_default();
                }
                Err(Closed) if total == 0 => return Err(Errno::Pipe.into()),
                Err(Closed) => return Ok(total),
            }
        }
    }
    Ok(total)
}
