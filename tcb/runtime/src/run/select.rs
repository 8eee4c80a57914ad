// SPDX-License-Identifier: Apache-2.0

//! The race between a workload and the two things that may end it from outside.

use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;

/// Who came first.
pub(super) enum First<T> {
    Done(T),
    Stopped,
    OutOfTime,
}

/// Waits for the first of the three. The two that may end the work are asked first, every time, so that work which
/// is always ready (because it only ever yields) cannot starve them.
pub(super) async fn first<T>(
    work: impl Future<Output = T>,
    stopped: impl Future<Output = ()>,
    out_of_time: impl Future<Output = ()>,
) -> First<T> {
    let (mut work, mut stopped, mut out_of_time) = (pin!(work), pin!(stopped), pin!(out_of_time));
    poll_fn(|context| {
        if stopped.as_mut().poll(context).is_ready() {
            return Poll::Ready(First::Stopped);
        }
        if out_of_time.as_mut().poll(context).is_ready() {
            return Poll::Ready(First::OutOfTime);
        }
        work.as_mut().poll(context).map(First::Done)
    })
    .await
}
