// SPDX-License-Identifier: Apache-2.0

//! What several tests need: a clock that is set by hand, and a file system on it.

#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use enarx_runtime::clock::{Clock, SECOND, Time, Timers, WallBase};
use enarx_runtime::vfs::{Quota, Vfs};

/// 2026-01-01T00:00:00Z, where the tests' wall time starts.
pub const NEW_YEAR: u64 = 1_767_225_600 * SECOND;

/// A clock that goes on only when it is told to.
#[derive(Default)]
pub struct HandClock {
    now: AtomicU64,
    timers: Timers,
}

impl HandClock {
    pub(crate) fn advance(&self, nanos: u64) {
        let now = self.now.fetch_add(nanos, Ordering::SeqCst) + nanos;
        self.timers.fire(now);
    }
}

impl Clock for HandClock {
    fn monotonic(&self) -> u64 {
        self.now.load(Ordering::SeqCst)
    }

    fn timers(&self) -> &Timers {
        &self.timers
    }
}

/// A clock and the time by it.
pub(crate) fn time() -> (Arc<HandClock>, Time) {
    let clock = Arc::new(HandClock::default());
    let base = WallBase { unix_nanos: NEW_YEAR, monotonic: 0 };
    (Arc::clone(&clock), Time::new(clock, base))
}

/// A file system with a quota that the test does not reach.
pub(crate) fn vfs() -> Vfs {
    vfs_of(64 << 20, 10_000)
}

/// A file system with a quota.
pub(crate) fn vfs_of(bytes: u64, entries: u64) -> Vfs {
    Vfs::new(Quota { bytes, entries }, time().1)
}
