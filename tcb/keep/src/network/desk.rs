// SPDX-License-Identifier: Apache-2.0

//! Where the Keep's certificate is asked for and handed in.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::task::Poll;

use enarx_session::web::ServerIdentity;

use crate::signal::Signal;

/// One key, one request, one certificate.
#[derive(Default)]
pub(crate) struct Desk {
    identity: RefCell<Option<ServerIdentity>>,
    request: RefCell<Option<Vec<u8>>>,
    handed_in: Cell<Option<bool>>,
    changed: Signal,
}

impl Desk {
    /// Makes a key and asks the owner for a certificate.
    pub(super) fn ask(&self) -> Result<(), String> {
        let identity = ServerIdentity::generate().map_err(|error| error.to_string())?;
        *self.request.borrow_mut() = Some(identity.request());
        *self.identity.borrow_mut() = Some(identity);
        Ok(())
    }

    /// The request, for the session that takes it to the owner.
    pub(crate) fn take_request(&self) -> Option<Vec<u8>> {
        self.request.borrow_mut().take()
    }

    /// The owner's certificate. Only the first answer counts.
    pub(crate) fn hand_in(&self, certificate: &[u8]) {
        if self.handed_in.get().is_none() {
            let identity = self.identity.borrow();
            let good = identity.as_ref().is_some_and(|identity| identity.install(certificate).is_ok());
            self.handed_in.set(Some(good));
            self.changed.notify();
        }
    }

    /// Waits for the certificate.
    pub(super) async fn installed(&self) -> Result<(), String> {
        poll_fn(|context| {
            self.changed.wait(context);
            match self.handed_in.get() {
                Some(true) => Poll::Ready(Ok(())),
                Some(false) => Poll::Ready(Err("its owner sent a certificate for another key".to_string())),
                None => Poll::Pending,
            }
        })
        .await
    }

    pub(super) fn identity(&self) -> Option<ServerIdentity> {
        self.identity.borrow().clone().filter(|_| self.handed_in.get() == Some(true))
    }
}
