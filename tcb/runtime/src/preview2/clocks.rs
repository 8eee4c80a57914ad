// SPDX-License-Identifier: Apache-2.0

//! `wasi:clocks`: the platform's monotonic clock, and wall time on the tenant's base.

use alloc::boxed::Box;

use async_trait::async_trait;
use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi_io::poll::{DynPollable, Pollable, subscribe};

use super::bindings::wasi::clocks::monotonic_clock;
use super::bindings::wasi::clocks::wall_clock::{self, Datetime};
use crate::clock::{SECOND, Time};
use crate::run::State;

/// Ready from a reading of the monotonic clock on.
struct Deadline {
    time: Time,
    at: u64,
}

#[async_trait]
impl Pollable for Deadline {
    async fn ready(&mut self) {
        self.time.sleep_until(self.at).await;
    }
}

impl monotonic_clock::Host for State {
    fn now(&mut self) -> Result<u64> {
        Ok(self.time.monotonic())
    }

    fn resolution(&mut self) -> Result<u64> {
        Ok(1)
    }

    fn subscribe_instant(&mut self, when: u64) -> Result<Resource<DynPollable>> {
        let deadline = self.table.push(Deadline { time: self.time.clone(), at: when })?;
        subscribe(&mut self.table, deadline)
    }

    fn subscribe_duration(&mut self, when: u64) -> Result<Resource<DynPollable>> {
        let at = self.time.monotonic().saturating_add(when);
        self.subscribe_instant(at)
    }
}

impl wall_clock::Host for State {
    fn now(&mut self) -> Result<Datetime> {
        Ok(datetime(self.time.wall()))
    }

    fn resolution(&mut self) -> Result<Datetime> {
        Ok(Datetime { seconds: 0, nanoseconds: 1 })
    }
}

/// From nanoseconds since 1970.
pub(super) fn datetime(nanos: u64) -> Datetime {
    // The remainder is below 10^9.
    let nanoseconds = u32::try_from(nanos % SECOND).unwrap_or_default();
    Datetime { seconds: nanos / SECOND, nanoseconds }
}

/// To nanoseconds since 1970; nothing if the time is beyond the year 2554, or not a time.
pub(super) fn nanos(time: Datetime) -> Option<u64> {
    if u64::from(time.nanoseconds) >= SECOND {
        return None;
    }
    time.seconds.checked_mul(SECOND)?.checked_add(u64::from(time.nanoseconds))
}
