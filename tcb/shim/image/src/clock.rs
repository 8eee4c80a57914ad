// SPDX-License-Identifier: Apache-2.0

//! Time: the CPU's time stamp counter.

use core::arch::x86_64::_rdtsc;
use core::sync::atomic::{AtomicU64, Ordering};

use enarx_runtime::clock::{Clock, Timers};

/// Nanoseconds since the clock was made.
pub(crate) struct TscClock {
    start: u64,
    /// Nanoseconds for each tick, times 2^32
    scale: u128,
    /// The latest time that was told: the host may set the counter back, but not this
    latest: AtomicU64,
    timers: Timers,
}

impl TscClock {
    /// A clock on a counter that advances `khz` thousand times a second; `khz` is not zero.
    pub(crate) fn new(khz: u32) -> Self {
        let scale = (1_000_000_u128 << 32) / u128::from(khz.max(1));
        Self { start: ticks(), scale, latest: AtomicU64::new(0), timers: Timers::new() }
    }
}

impl Clock for TscClock {
    fn monotonic(&self) -> u64 {
        let passed = u128::from(ticks().saturating_sub(self.start));
        let now = u64::try_from(passed.saturating_mul(self.scale) >> 32).unwrap_or(u64::MAX);
        self.latest.fetch_max(now, Ordering::Relaxed).max(now)
    }

    fn timers(&self) -> &Timers {
        &self.timers
    }
}

/// The counter as it is.
pub(crate) fn ticks() -> u64 {
    // SAFETY: the instruction is part of the architecture and changes nothing.
    unsafe { _rdtsc() }
}
