// SPDX-License-Identifier: Apache-2.0

//! Time inside a Keep: a monotonic clock from the platform, and wall time that only the tenant can set.
//!
//! The host's idea of the date is never believed. Wall time is what the owner signed at provisioning ([`WallBase`])
//! plus what the monotonic clock counted since then.
//!
//! Whoever implements [`Clock`] owns an executor. Before it goes to sleep it asks [`Timers::next`] when to wake up, and
//! after waking it calls [`Timers::fire`]; that is all the runtime needs for `sleep`, `poll_oneoff` and `wasi:clocks`.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use spin::Mutex;

/// Nanoseconds in a second.
pub const SECOND: u64 = 1_000_000_000;

/// A monotonic clock together with the timers that are set on it.
pub trait Clock: Send + Sync + 'static {
    /// Nanoseconds since some start; never goes back.
    fn monotonic(&self) -> u64;

    /// The timers that the owner of the executor fires.
    fn timers(&self) -> &Timers;
}

/// Wakers and when to wake them.
#[derive(Default)]
pub struct Timers {
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    next_id: u64,
    /// Ordered by deadline; the identifier tells timers of the same deadline apart.
    waiting: BTreeMap<(u64, u64), Waker>,
}

/// What wall time was, once, according to the tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallBase {
    /// Nanoseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
    pub unix_nanos: u64,
    /// The reading of the monotonic clock at that time.
    pub monotonic: u64,
}

/// The clocks of one workload.
#[derive(Clone)]
pub struct Time {
    clock: Arc<dyn Clock>,
    base: WallBase,
}

/// Becomes ready at a deadline. Dropping it takes the timer back.
pub struct Sleep {
    clock: Arc<dyn Clock>,
    deadline: u64,
    timer: Option<(u64, Waker)>,
}

impl Timers {
    /// No timers.
    pub fn new() -> Self {
        Self::default()
    }

    /// The earliest deadline, the latest time at which [`Timers::fire`] should be called.
    pub fn next(&self) -> Option<u64> {
        self.queue.lock().waiting.keys().next().map(|(deadline, _)| *deadline)
    }

    /// Wakes everything whose deadline is not after `now`.
    pub fn fire(&self, now: u64) {
        let due: Vec<Waker> = {
            let mut queue = self.queue.lock();
            let later = match now.checked_add(1) {
                Some(after) => queue.waiting.split_off(&(after, 0)),
                None => BTreeMap::new(),
            };
            core::mem::replace(&mut queue.waiting, later).into_values().collect()
        };
        due.into_iter().for_each(Waker::wake);
    }

    fn set(&self, deadline: u64, waker: Waker) -> u64 {
        let mut queue = self.queue.lock();
        let id = queue.next_id;
        queue.next_id = id.wrapping_add(1);
        queue.waiting.insert((deadline, id), waker);
        id
    }

    fn cancel(&self, deadline: u64, id: u64) {
        self.queue.lock().waiting.remove(&(deadline, id));
    }
}

impl Time {
    /// The clocks of a workload whose tenant supplied `base`.
    pub fn new(clock: Arc<dyn Clock>, base: WallBase) -> Self {
        Self { clock, base }
    }

    /// Nanoseconds on the monotonic clock.
    pub fn monotonic(&self) -> u64 {
        self.clock.monotonic()
    }

    /// Nanoseconds since 1970-01-01T00:00:00Z.
    pub fn wall(&self) -> u64 {
        self.base.unix_nanos.saturating_add(self.clock.monotonic().saturating_sub(self.base.monotonic))
    }

    /// The reading of the monotonic clock when wall time is, or was, `unix_nanos`.
    pub fn monotonic_at_wall(&self, unix_nanos: u64) -> u64 {
        self.base.monotonic.saturating_add(unix_nanos.saturating_sub(self.base.unix_nanos))
    }

    /// Waits until the monotonic clock reads `deadline` or more.
    pub fn sleep_until(&self, deadline: u64) -> Sleep {
        Sleep { clock: Arc::clone(&self.clock), deadline, timer: None }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.clock.monotonic() >= self.deadline {
            return Poll::Ready(());
        }
        if !self.timer.as_ref().is_some_and(|(_, waker)| waker.will_wake(context.waker())) {
            self.take_back();
            let waker = context.waker().clone();
            let id = self.clock.timers().set(self.deadline, waker.clone());
            self.timer = Some((id, waker));
        }
        Poll::Pending
    }
}

impl Sleep {
    fn take_back(&mut self) {
        if let Some((id, _)) = self.timer.take() {
            self.clock.timers().cancel(self.deadline, id);
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.take_back();
    }
}
