// SPDX-License-Identifier: Apache-2.0

//! Who waits for which descriptor. One thread, a handful of descriptors: `poll` is all it takes.

use std::cell::RefCell;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// What a waiter waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Read,
    Write,
}

/// The waiters.
#[derive(Default)]
pub(super) struct Reactor {
    waiting: RefCell<Vec<Waiting>>,
}

struct Waiting {
    descriptor: Rc<dyn AsFd>,
    direction: Direction,
    waker: Waker,
}

impl Reactor {
    /// Wakes `waker` once when `descriptor` is ready. A second waiter takes the place of the first.
    pub(super) fn wait(&self, descriptor: &Rc<dyn AsFd>, direction: Direction, waker: &Waker) {
        let number = number(descriptor);
        let mut waiting = self.waiting.borrow_mut();
        let known = waiting
            .iter_mut()
            .find(|known| known.direction == direction && self::number(&known.descriptor) == number);
        match known {
            Some(known) => known.waker.clone_from(waker),
            None => waiting.push(Waiting { descriptor: descriptor.clone(), direction, waker: waker.clone() }),
        }
    }

    /// Forgets who waits for `descriptor`, so that it can be closed.
    pub(super) fn forget(&self, descriptor: &Rc<dyn AsFd>) {
        let number = number(descriptor);
        self.waiting.borrow_mut().retain(|known| self::number(&known.descriptor) != number);
    }

    /// Sleeps until a descriptor is ready or `limit` has passed, and wakes who waited for it.
    pub(super) fn park(&self, limit: Option<Duration>) {
        let ready = self.poll(limit);
        let mut index = 0;
        let mut woken = Vec::new();
        self.waiting.borrow_mut().retain(|waiting| {
            let is_ready = ready.get(index).copied().unwrap_or(false);
            index += 1;
            if is_ready {
                woken.push(waiting.waker.clone());
            }
            !is_ready
        });
        woken.into_iter().for_each(Waker::wake);
    }

    /// Whether each waiter's descriptor is ready, in the order of the waiters.
    fn poll(&self, limit: Option<Duration>) -> Vec<bool> {
        let waiting = self.waiting.borrow();
        let mut polled: Vec<PollFd<'_>> = waiting
            .iter()
            .map(|waiting| {
                let events = match waiting.direction {
                    Direction::Read => PollFlags::IN,
                    Direction::Write => PollFlags::OUT,
                };
                PollFd::from_borrowed_fd(waiting.descriptor.as_fd(), events)
            })
            .collect();
        // A limit that no `timespec` can hold is none.
        let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        match poll(&mut polled, limit.as_ref()) {
            Ok(_) => polled.iter().map(|polled| !polled.revents().is_empty()).collect(),
            // Interrupted: nobody is ready, and the caller comes again.
            Err(_) => Vec::new(),
        }
    }
}

fn number(descriptor: &Rc<dyn AsFd>) -> RawFd {
    descriptor.as_fd().as_raw_fd()
}
