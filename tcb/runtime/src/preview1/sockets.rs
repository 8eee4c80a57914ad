// SPDX-License-Identifier: Apache-2.0

//! Functions on sockets.

use alloc::vec::Vec;

use super::Call;
use super::abi::{Errno, RECV_PEEK, RECV_WAITALL, SHUT_READ, SHUT_WRITE, fdflags};
use super::fds::{Fd, Object, checked_flags};
use super::files::copy;
use super::guest::{Guest, Place, Result};
use super::streams::{count, read_stream, write_stream};
use crate::io::Available;
use crate::net::{Connection, Fault};

pub(super) async fn sock_accept(call: &mut Call<'_>, fd: u32, flags: u32, accepted: u32) -> Result {
    let listening = call.state.fds.get(fd)?;
    let Object::Listener(listener) = &listening.object else {
        return Err(not_listening(listening).into());
    };
    // Linux takes no flag but that of the new descriptor; the rest is about files.
    let flags = checked_flags(flags)?;
    if flags & !fdflags::NONBLOCK != 0 {
        return Err(Errno::Inval.into());
    }
    call.guest.result(accepted, 4)?;
    let (listener, nonblock) = (listener.clone(), listening.has(fdflags::NONBLOCK));
    call.state.fds.check_room()?;
    let connection = loop {
        match listener.try_accept() {
            Some(connection) => break connection,
            None if nonblock => return Err(Errno::Again.into()),
            None => listener.ready().await,
        }
    };
    let number = call.state.fds.insert(Fd { object: Object::Connection(connection), flags })?;
    call.guest.write_u32(accepted, number)
}

pub(super) async fn sock_recv(
    call: &mut Call<'_>,
    fd: u32,
    data: u32,
    data_len: u32,
    flags: u32,
    datalen: u32,
    roflags: u32,
) -> Result {
    let Call { guest, state } = call;
    let fd = state.fds.get(fd)?;
    let Object::Connection(connection) = &fd.object else { return Err(not_connected(fd).into()) };
    if flags & !(RECV_PEEK | RECV_WAITALL) != 0 {
        return Err(Errno::Inval.into());
    }
    guest.result(datalen, 4)?;
    guest.result(roflags, 2)?;
    let places = guest.iovecs(data, data_len)?;
    let nonblock = fd.has(fdflags::NONBLOCK);
    let total = if flags & RECV_PEEK != 0 {
        peek(guest, connection, places, nonblock).await?
    } else if flags & RECV_WAITALL != 0 && !nonblock {
        receive_all(guest, connection, places).await?
    } else {
        receive(guest, connection, places, nonblock).await?
    };
    guest.write_u32(datalen, total)?;
    guest.write(roflags, 2, &[0; 2])
}

pub(super) async fn sock_send(
    call: &mut Call<'_>,
    fd: u32,
    data: u32,
    data_len: u32,
    flags: u32,
    datalen: u32,
) -> Result {
    let Call { guest, state } = call;
    let fd = state.fds.get(fd)?;
    let Object::Connection(connection) = &fd.object else { return Err(not_connected(fd).into()) };
    // The standard has no flags for sending.
    if flags != 0 {
        return Err(Errno::Inval.into());
    }
    guest.result(datalen, 4)?;
    let places = guest.iovecs(data, data_len)?;
    let total = send(guest, connection, places, fd.has(fdflags::NONBLOCK)).await?;
    guest.write_u32(datalen, total)
}

pub(super) fn sock_shutdown(call: &mut Call<'_>, fd: u32, how: u32) -> Result {
    let fd = call.state.fds.get(fd)?;
    let Object::Connection(connection) = &fd.object else { return Err(not_connected(fd).into()) };
    if how == 0 || how & !(SHUT_READ | SHUT_WRITE) != 0 {
        return Err(Errno::Inval.into());
    }
    if how & SHUT_READ != 0 {
        connection.shut_reading();
    }
    if how & SHUT_WRITE != 0 {
        connection.shut_writing();
    }
    Ok(())
}

/// Reads from a connection, as `fd_read` and `sock_recv` do.
pub(super) async fn receive(
    guest: &mut Guest<'_>,
    connection: &Connection,
    places: Vec<Place>,
    nonblock: bool,
) -> Result<u32> {
    let room = places.iter().any(|place| place.len() > 0);
    match read_stream(guest, connection.reader(), places, nonblock).await? {
        // The end of the stream, which a peer or somebody between can have brought about.
        0 if room => match connection.fault() {
            Some(fault) => Err(errno(fault).into()),
            None => Ok(0),
        },
        total => Ok(total),
    }
}

/// Writes to a connection, as `fd_write` and `sock_send` do.
pub(super) async fn send(
    guest: &Guest<'_>,
    connection: &Connection,
    places: Vec<Place>,
    nonblock: bool,
) -> Result<u32> {
    let written = write_stream(guest, connection.writer(), places, nonblock).await;
    match (&written, connection.fault()) {
        (Err(super::guest::Failure::Errno(Errno::Pipe)), Some(fault)) => Err(errno(fault).into()),
        _ => written,
    }
}

async fn receive_all(guest: &mut Guest<'_>, connection: &Connection, places: Vec<Place>) -> Result<u32> {
    let mut total = 0_u32;
    for place in places {
        let mut rest = place;
        while rest.len() > 0 {
            match receive(guest, connection, alloc::vec![rest.clone()], false).await {
                Ok(0) => return Ok(total),
                Ok(read) => {
                    total = total.saturating_add(read);
                    rest = rest.after(read as usize);
                }
                // As in POSIX, an error after the first bytes is told by the next call.
                Err(_) if total > 0 => return Ok(total),
                Err(error) => return Err(error),
            }
        }
    }
    Ok(total)
}

async fn peek(
    guest: &mut Guest<'_>,
    connection: &Connection,
    places: Vec<Place>,
    nonblock: bool,
) -> Result<u32> {
    let wanted = places.iter().map(Place::len).sum();
    let bytes = loop {
        match connection.reader().peek(wanted) {
            Available::Bytes(bytes) => break bytes,
            Available::End => match connection.fault() {
                Some(fault) => return Err(errno(fault).into()),
                None => return Ok(0),
            },
            Available::Nothing if nonblock => return Err(Errno::Again.into()),
            Available::Nothing => connection.reader().ready().await,
        }
    };
    let mut done = 0;
    for place in places {
        done += copy(bytes.get(done..).unwrap_or_default(), guest.bytes_mut(&place)) as usize;
    }
    Ok(count(done))
}

fn errno(fault: Fault) -> Errno {
    match fault {
        Fault::Reset => Errno::Connreset,
        Fault::TimedOut => Errno::Timedout,
    }
}

/// What is no connection: a listening socket, or no socket at all.
fn not_connected(fd: &Fd) -> Errno {
    if matches!(fd.object, Object::Listener(_)) { Errno::Notconn } else { Errno::Notsock }
}

fn not_listening(fd: &Fd) -> Errno {
    if matches!(fd.object, Object::Connection(_)) { Errno::Inval } else { Errno::Notsock }
}
