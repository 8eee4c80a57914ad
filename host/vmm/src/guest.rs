// SPDX-License-Identifier: Apache-2.0

//! What the thread of the device and whoever hears from the guest's driver share: the queues as they are now.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vm_memory::GuestMemoryMmap;
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

use crate::fatal::Fatal;
use crate::vsock::Ring;

/// Tells the guest that buffers of a queue were used.
pub(crate) type Interrupt = Box<dyn Fn() + Send>;

/// One queue.
#[derive(Default)]
pub(crate) struct Line {
    /// The queue while it is served.
    pub(crate) ring: Option<Ring>,
    /// How the guest hears of it.
    pub(crate) interrupt: Option<Interrupt>,
}

/// The guest as the device sees it.
#[derive(Default)]
pub(crate) struct Guest {
    /// Its memory.
    pub(crate) memory: Option<GuestMemoryMmap>,
    /// To the guest.
    pub(crate) receive: Line,
    /// From the guest.
    pub(crate) transmit: Line,
    /// The driver has begun anew, so that no connection is left.
    pub(crate) was_reset: bool,
    /// The machine has stopped.
    pub(crate) end: Option<Result<u8, Fatal>>,
}

/// The same for two threads, one of which sleeps until it is woken.
#[derive(Clone)]
pub(crate) struct SharedGuest {
    guest: Arc<Mutex<Guest>>,
    wake: Arc<EventFd>,
}

impl SharedGuest {
    /// A guest whose driver is not ready.
    pub(crate) fn new() -> Result<Self, Fatal> {
        let wake = EventFd::new(EFD_NONBLOCK).map_err(Fatal::start("make an event"))?;
        Ok(Self { guest: Arc::default(), wake: Arc::new(wake) })
    }

    /// The guest, for a moment.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Guest> {
        self.guest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the device's thread look.
    pub(crate) fn wake(&self) {
        // It can fail only because it was woken 2^64 times and did not look.
        let _ = self.wake.write(1);
    }

    /// What the device's thread sleeps on.
    pub(crate) fn event(&self) -> &EventFd {
        &self.wake
    }
}
