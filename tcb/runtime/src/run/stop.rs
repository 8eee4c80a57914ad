// SPDX-License-Identifier: Apache-2.0

//! The owner's request to end a workload.

use alloc::sync::Arc;
use core::future::poll_fn;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::Poll;

use futures_util::task::AtomicWaker;

/// Ends a workload wherever it is: waiting in a host function, or computing (then at the next epoch).
#[derive(Clone, Default)]
pub struct Stop(Arc<Shared>);

#[derive(Default)]
struct Shared {
    requested: AtomicBool,
    waker: AtomicWaker,
}

impl Stop {
    /// A request that is not made yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the request. It stays made.
    pub fn request(&self) {
        self.0.requested.store(true, Ordering::Release);
        self.0.waker.wake();
    }

    /// Waits for the request. One workload waits for one `Stop`: a second waiter takes the place of the first.
    pub(super) async fn requested(&self) {
        poll_fn(|context| {
            self.0.waker.register(context.waker());
            if self.0.requested.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}
