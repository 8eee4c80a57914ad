// SPDX-License-Identifier: Apache-2.0

//! `poll_oneoff`: waiting for the first of several things.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::Poll;

use super::Call;
use super::abi::{
    EVENT_FD_READWRITE_HANGUP, EVENT_LEN, Errno, SUBSCRIPTION_CLOCK_ABSTIME, SUBSCRIPTION_LEN, clockid,
    eventtype,
};
use super::fds::{Fds, Object};
use super::guest::{Failure, Result, u16_at, u32_at, u64_at};
use crate::clock::Time;
use crate::io::{Available, Closed, Reader, Writer};
use crate::net::Listener;

/// The most that one call waits for; every descriptor once for reading and once for writing, and some clocks.
const MAX_SUBSCRIPTIONS: u32 = 4096;

/// One thing to wait for.
struct Subscription {
    userdata: u64,
    eventtype: u8,
    source: Source,
}

enum Source {
    /// Until the monotonic clock reads this.
    Deadline(u64),
    Reader(Reader),
    Writer(Writer),
    Listener(Listener),
    /// Never waits: so many bytes can be transferred.
    Ready(u64),
    /// Never waits: the subscription itself is wrong.
    Wrong(Errno),
}

/// What happened to a subscription.
struct Happened {
    error: Option<Errno>,
    bytes: u64,
    hangup: bool,
}

pub(super) async fn poll_oneoff(
    call: &mut Call<'_>,
    subscriptions: u32,
    events: u32,
    count: u32,
    happened: u32,
) -> Result {
    if count == 0 || count > MAX_SUBSCRIPTIONS {
        return Err(Errno::Inval.into());
    }
    call.guest.result(happened, 4)?;
    call.guest.array(events, count, EVENT_LEN, 8)?;
    let array = call.guest.array(subscriptions, count, SUBSCRIPTION_LEN, 8)?;
    let time = &call.state.time;
    let now = time.monotonic();
    let mut waiting = Vec::with_capacity(count as usize);
    for bytes in call.guest.bytes(&array).chunks_exact(SUBSCRIPTION_LEN as usize) {
        waiting.push(subscription(bytes, time, now, &call.state.fds)?);
    }

    let mut out = Vec::new();
    let mut number = 0;
    while number == 0 {
        let now = time.monotonic();
        for subscription in &waiting {
            if let Some(what) = subscription.source.look(now) {
                out.extend_from_slice(&event(subscription, &what));
                number += 1;
            }
        }
        if number == 0 {
            first(&waiting, time).await;
        }
    }
    call.guest.write(events, 8, &out)?;
    call.guest.write_u32(happened, number)
}

fn subscription(bytes: &[u8], time: &Time, now: u64, fds: &Fds) -> Result<Subscription> {
    let eventtype = bytes.get(8).copied().unwrap_or_default();
    let source = match eventtype {
        eventtype::CLOCK => clock(bytes, time, now),
        eventtype::FD_READ => readable(u32_at(bytes, 16), fds),
        eventtype::FD_WRITE => writable(u32_at(bytes, 16), fds),
        _ => return Err(Errno::Inval.into()),
    };
    let source = match source {
        Ok(source) => source,
        Err(Failure::Errno(errno)) => Source::Wrong(errno),
        Err(trap) => return Err(trap),
    };
    Ok(Subscription { userdata: u64_at(bytes, 0), eventtype, source })
}

fn clock(bytes: &[u8], time: &Time, now: u64) -> Result<Source> {
    let id = u32_at(bytes, 16);
    let timeout = u64_at(bytes, 24);
    let absolute = match u16_at(bytes, 40) {
        0 => false,
        SUBSCRIPTION_CLOCK_ABSTIME => true,
        _ => return Err(Errno::Inval.into()),
    };
    Ok(Source::Deadline(match (id, absolute) {
        (clockid::REALTIME | clockid::MONOTONIC, false) => now.saturating_add(timeout),
        (clockid::REALTIME, true) => time.monotonic_at_wall(timeout),
        (clockid::MONOTONIC, true) => timeout,
        _ => return Err(Errno::Inval.into()),
    }))
}

fn readable(fd: u32, fds: &Fds) -> Result<Source> {
    match &fds.get(fd)?.object {
        Object::Input(reader) => Ok(Source::Reader(reader.clone())),
        Object::Connection(connection) => Ok(Source::Reader(connection.reader().clone())),
        Object::Listener(listener) => Ok(Source::Listener(listener.clone())),
        Object::File(file) if file.read => {
            Ok(Source::Ready(file.node.stat()?.size.saturating_sub(file.position)))
        }
        _ => Err(Errno::Badf.into()),
    }
}

fn writable(fd: u32, fds: &Fds) -> Result<Source> {
    match &fds.get(fd)?.object {
        Object::Output(writer) => Ok(Source::Writer(writer.clone())),
        Object::Connection(connection) => Ok(Source::Writer(connection.writer().clone())),
        // How much will fit is not known before it is tried.
        Object::File(file) if file.write => Ok(Source::Ready(1)),
        _ => Err(Errno::Badf.into()),
    }
}

impl Source {
    /// What happened, if it has.
    fn look(&self, now: u64) -> Option<Happened> {
        let ready = |bytes, hangup| Some(Happened { error: None, bytes, hangup });
        match self {
            Self::Deadline(deadline) if now >= *deadline => ready(0, false),
            Self::Deadline(_) => None,
            Self::Reader(reader) => match reader.try_read(0) {
                Available::Bytes(_) => ready(reader.available() as u64, false),
                Available::End => ready(0, true),
                Available::Nothing => None,
            },
            Self::Writer(writer) => match writer.space() {
                Ok(0) => None,
                Ok(space) => ready(space as u64, false),
                Err(Closed) => ready(0, true),
            },
            Self::Listener(listener) => match listener.ready_count() {
                0 => None,
                count => ready(count as u64, false),
            },
            Self::Ready(bytes) => ready(*bytes, false),
            Self::Wrong(errno) => Some(Happened { error: Some(*errno), bytes: 0, hangup: false }),
        }
    }
}

/// `$event`.
fn event(subscription: &Subscription, happened: &Happened) -> [u8; EVENT_LEN as usize] {
    let mut bytes = [0; EVENT_LEN as usize];
    let flags = if happened.hangup { EVENT_FD_READWRITE_HANGUP } else { 0 };
    super::files::put(&mut bytes, 0, &subscription.userdata.to_le_bytes());
    super::files::put(&mut bytes, 8, &happened.error.map_or(0, |errno| errno as u16).to_le_bytes());
    super::files::put(&mut bytes, 10, &[subscription.eventtype]);
    super::files::put(&mut bytes, 16, &happened.bytes.to_le_bytes());
    super::files::put(&mut bytes, 24, &flags.to_le_bytes());
    bytes
}

/// Waits until something may have happened.
async fn first(waiting: &[Subscription], time: &Time) {
    let mut sources: Vec<Pin<Box<dyn Future<Output = ()> + Send + '_>>> = Vec::new();
    let deadlines = waiting.iter().filter_map(|subscription| match subscription.source {
        Source::Deadline(deadline) => Some(deadline),
        _ => None,
    });
    if let Some(deadline) = deadlines.min() {
        sources.push(Box::pin(time.sleep_until(deadline)));
    }
    for subscription in waiting {
        match &subscription.source {
            Source::Reader(reader) => sources.push(Box::pin(reader.ready())),
            Source::Writer(writer) => sources.push(Box::pin(writer.ready())),
            Source::Listener(listener) => sources.push(Box::pin(listener.ready())),
            Source::Deadline(_) | Source::Ready(_) | Source::Wrong(_) => {}
        }
    }
    poll_fn(|context| {
        let ready = sources.iter_mut().any(|source| source.as_mut().poll(context).is_ready());
        if ready { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
