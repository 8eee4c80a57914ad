// SPDX-License-Identifier: Apache-2.0

//! Arguments, environment, clocks, randomness, and the end of the process.

use core::future::poll_fn;
use core::task::Poll;

use super::Call;
use super::abi::{Errno, clockid};
use super::guest::{Failure, Result};
use crate::run::Exit;

/// Random bytes that are made before others get their turn.
const RANDOM_CHUNK: usize = 1 << 20;

pub(super) fn args_get(call: &mut Call<'_>, argv: u32, argv_buf: u32) -> Result {
    let strings = call.state.args.iter().map(|arg| [arg.as_str(), "\0"].concat());
    put_strings(&mut call.guest, strings, argv, argv_buf)
}

pub(super) fn args_sizes_get(call: &mut Call<'_>, argc: u32, argv_buf_size: u32) -> Result {
    let sizes = call.state.args.iter().map(|arg| arg.len() + 1);
    put_sizes(&mut call.guest, sizes, argc, argv_buf_size)
}

pub(super) fn environ_get(call: &mut Call<'_>, environ: u32, environ_buf: u32) -> Result {
    let strings = call.state.env.iter().map(|(name, value)| [name, "=", value, "\0"].concat());
    put_strings(&mut call.guest, strings, environ, environ_buf)
}

pub(super) fn environ_sizes_get(call: &mut Call<'_>, environc: u32, environ_buf_size: u32) -> Result {
    let sizes = call.state.env.iter().map(|(name, value)| name.len() + value.len() + 2);
    put_sizes(&mut call.guest, sizes, environc, environ_buf_size)
}

pub(super) fn clock_res_get(call: &mut Call<'_>, id: u32, resolution: u32) -> Result {
    clock(call, id)?;
    call.guest.write_u64(resolution, 1)
}

pub(super) fn clock_time_get(call: &mut Call<'_>, id: u32, _precision: u64, time: u32) -> Result {
    let now = clock(call, id)?;
    call.guest.write_u64(time, now)
}

/// The reading of a clock. How much of the CPU a workload got is the host's to say, so nobody says it here.
fn clock(call: &Call<'_>, id: u32) -> Result<u64> {
    match id {
        clockid::REALTIME => Ok(call.state.time.wall()),
        clockid::MONOTONIC => Ok(call.state.time.monotonic()),
        // "For unsupported clocks, return `errno::inval`": witx, `clock_res_get`.
        _ => Err(Errno::Inval.into()),
    }
}

pub(super) async fn random_get(call: &mut Call<'_>, buf: u32, len: u32) -> Result {
    let place = call.guest.place(buf, len)?;
    for (index, chunk) in call.guest.bytes_mut(&place).chunks_mut(RANDOM_CHUNK).enumerate() {
        if index > 0 {
            give_way().await;
        }
        getrandom::fill(chunk).map_err(|_| Errno::Io)?;
    }
    Ok(())
}

#[allow(clippy::unnecessary_wraps, reason = "has the form of every function of WASI")]
pub(super) async fn sched_yield(_call: &mut Call<'_>) -> Result {
    give_way().await;
    Ok(())
}

/// Does not return to the program.
pub(super) fn proc_exit(status: u32) -> wasmtime::Error {
    wasmtime::Error::new(Exit(status))
}

/// Signals do not exist here.
pub(super) fn proc_raise(_call: &mut Call<'_>, _signal: u32) -> Result {
    Err(Errno::Notsup.into())
}

/// Lets everything else on the executor run once.
pub(super) async fn give_way() {
    let mut given = false;
    poll_fn(|context| {
        if core::mem::replace(&mut given, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn put_sizes(
    guest: &mut super::guest::Guest<'_>,
    sizes: impl Iterator<Item = usize>,
    count_at: u32,
    size_at: u32,
) -> Result {
    let mut count = 0_u32;
    let mut total = 0_u32;
    for size in sizes {
        count = count.checked_add(1).ok_or(Errno::Overflow)?;
        total = u32::try_from(size).ok().and_then(|size| total.checked_add(size)).ok_or(Errno::Overflow)?;
    }
    guest.result(size_at, 4)?;
    guest.write_u32(count_at, count)?;
    guest.write_u32(size_at, total)
}

fn put_strings(
    guest: &mut super::guest::Guest<'_>,
    strings: impl Iterator<Item = alloc::string::String>,
    mut pointers: u32,
    mut at: u32,
) -> Result {
    for string in strings {
        guest.write_u32(pointers, at)?;
        guest.write(at, 1, string.as_bytes())?;
        let len = u32::try_from(string.len()).map_err(|_| Errno::Overflow)?;
        at = at.checked_add(len).ok_or(Errno::Overflow)?;
        pointers = pointers.checked_add(4).ok_or(Failure::Errno(Errno::Overflow))?;
    }
    Ok(())
}
