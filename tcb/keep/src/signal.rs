// SPDX-License-Identifier: Apache-2.0

//! Tells tasks that something changed which they look at.

use alloc::vec::Vec;
use core::cell::RefCell;
use core::task::{Context, Waker};

/// Those who want to know of the next change.
#[derive(Default)]
pub(crate) struct Signal {
    waiting: RefCell<Vec<Waker>>,
}

impl Signal {
    /// Wakes the task of `context` at the next change.
    pub(crate) fn wait(&self, context: &Context<'_>) {
        let mut waiting = self.waiting.borrow_mut();
        if !waiting.iter().any(|waker| waker.will_wake(context.waker())) {
            waiting.push(context.waker().clone());
        }
    }

    /// Something changed.
    pub(crate) fn notify(&self) {
        for waker in self.waiting.take() {
            waker.wake();
        }
    }
}
