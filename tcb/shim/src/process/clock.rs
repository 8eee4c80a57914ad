// SPDX-License-Identifier: Apache-2.0

//! The monotonic clock of a process.

use std::time::Instant;

use enarx_runtime::clock::{Clock, Timers};

/// Counts from its creation.
pub(super) struct ProcessClock {
    start: Instant,
    timers: Timers,
}

impl ProcessClock {
    pub(super) fn new() -> Self {
        Self { start: Instant::now(), timers: Timers::new() }
    }
}

impl Clock for ProcessClock {
    fn monotonic(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn timers(&self) -> &Timers {
        &self.timers
    }
}
