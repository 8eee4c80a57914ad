// SPDX-License-Identifier: Apache-2.0

//! How fast the host's time stamp counter runs, for guests whose counter is the host's.

use std::arch::x86_64::_rdtsc;
use std::thread;
use std::time::{Duration, Instant};

/// For how long is measured: the two readings of the clock are then exact to less than 0.01 %.
const INTERVAL: Duration = Duration::from_millis(20);

/// The speed in kHz.
pub(crate) fn measure() -> u32 {
    let (start, first) = (Instant::now(), counter());
    thread::sleep(INTERVAL);
    let (elapsed, ticks) = (start.elapsed(), counter().saturating_sub(first));
    let khz = u128::from(ticks).saturating_mul(1_000_000) / elapsed.as_nanos().max(1);
    u32::try_from(khz).unwrap_or(u32::MAX)
}

#[allow(unsafe_code, reason = "see the safety argument")]
fn counter() -> u64 {
    // SAFETY: the instruction is part of x86-64 and touches no memory. Linux lets every process use it unless that
    // process gave it up.
    unsafe { _rdtsc() }
}
