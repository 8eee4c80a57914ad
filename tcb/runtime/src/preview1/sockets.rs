// SPDX-License-Identifier: Apache-2.0

//! Functions on sockets. No descriptor is a socket yet, and they say so.

use super::Call;
use super::abi::Errno;
use super::guest::Result;

pub(super) fn sock_accept(call: &mut Call<'_>, fd: u32, _flags: u32, _accepted: u32) -> Result {
    not_a_socket(call, fd)
}

pub(super) fn sock_recv(
    call: &mut Call<'_>,
    fd: u32,
    _data: u32,
    _data_len: u32,
    _flags: u32,
    _datalen: u32,
    _roflags: u32,
) -> Result {
    not_a_socket(call, fd)
}

pub(super) fn sock_send(
    call: &mut Call<'_>,
    fd: u32,
    _data: u32,
    _data_len: u32,
    _flags: u32,
    _datalen: u32,
) -> Result {
    not_a_socket(call, fd)
}

pub(super) fn sock_shutdown(call: &mut Call<'_>, fd: u32, _how: u32) -> Result {
    not_a_socket(call, fd)
}

fn not_a_socket(call: &Call<'_>, fd: u32) -> Result {
    call.state.fds.get(fd)?;
    Err(Errno::Notsock.into())
}
