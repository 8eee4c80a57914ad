// SPDX-License-Identifier: Apache-2.0

//! The workload's standard input: what its owner sent and it did not take yet.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::task::Poll;

use enarx_runtime::io::Writer;

use crate::signal::Signal;

/// Input on its way into the workload. The session bounds how much there is at a time.
pub(crate) struct Input {
    writer: Writer,
    waiting: RefCell<VecDeque<Vec<u8>>>,
    ended: Cell<bool>,
    taken: Cell<u32>,
    arrived: Signal,
}

impl Input {
    pub(crate) fn new(writer: Writer) -> Self {
        Self {
            writer,
            waiting: RefCell::default(),
            ended: Cell::new(false),
            taken: Cell::new(0),
            arrived: Signal::default(),
        }
    }

    /// Adds what the owner sent.
    pub(crate) fn push(&self, bytes: Vec<u8>) {
        self.waiting.borrow_mut().push_back(bytes);
        self.arrived.notify();
    }

    /// The owner sends no more.
    pub(crate) fn end(&self) {
        self.ended.set(true);
        self.arrived.notify();
    }

    /// Bytes taken since this was last asked.
    pub(crate) fn take_taken(&self) -> u32 {
        self.taken.take()
    }

    /// Moves input into the workload until there is no more.
    pub(crate) async fn run(&self, changed: &Signal) {
        while let Some(bytes) = self.next().await {
            // A workload that closed its input loses what is sent: it did not want it.
            let _ = self.writer.write_all(&bytes).await;
            let count = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            self.taken.set(self.taken.get().saturating_add(count));
            changed.notify();
        }
        self.writer.close();
    }

    async fn next(&self) -> Option<Vec<u8>> {
        poll_fn(|context| {
            self.arrived.wait(context);
            match self.waiting.borrow_mut().pop_front() {
                Some(bytes) => Poll::Ready(Some(bytes)),
                None if self.ended.get() => Poll::Ready(None),
                None => Poll::Pending,
            }
        })
        .await
    }
}
