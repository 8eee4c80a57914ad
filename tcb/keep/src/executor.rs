// SPDX-License-Identifier: Apache-2.0

//! Runs the tasks of a Keep on its one thread.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use crate::platform::Platform;

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// Where tasks start others.
#[derive(Default)]
pub(crate) struct Spawner {
    started: RefCell<Vec<Task>>,
}

impl Spawner {
    /// Starts a task. It runs until it is done or the Keep ends.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.started.borrow_mut().push(Box::pin(task));
    }
}

/// Runs tasks until `done` says so, or until there are none.
pub(crate) fn run(platform: &impl Platform, spawner: &Spawner, done: impl Fn() -> bool) {
    let waker = platform.waker();
    let clock = platform.clock();
    let mut context = Context::from_waker(&waker);
    let mut tasks = FuturesUnordered::new();
    loop {
        tasks.extend(spawner.started.take());
        while let Poll::Ready(Some(())) = tasks.poll_next_unpin(&mut context) {}
        if done() {
            return;
        }
        if !spawner.started.borrow().is_empty() {
            continue;
        }
        if tasks.is_empty() {
            return;
        }
        platform.park(clock.timers().next());
        clock.timers().fire(clock.monotonic());
    }
}
