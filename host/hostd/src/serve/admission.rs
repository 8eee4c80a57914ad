// SPDX-License-Identifier: Apache-2.0

//! Who may be connected at the same time.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::ServeLimits;
use crate::host::Client;

/// Counts connections, in all and by client.
pub(super) struct Admission {
    max: usize,
    max_per_client: usize,
    counts: Mutex<Counts>,
    left: Notify,
}

#[derive(Default)]
struct Counts {
    all: usize,
    by_client: HashMap<Client, usize>,
}

impl Admission {
    pub(super) fn new(limits: &ServeLimits) -> Arc<Self> {
        Arc::new(Self {
            max: limits.max_connections,
            max_per_client: limits.max_connections_per_client,
            counts: Mutex::default(),
            left: Notify::new(),
        })
    }

    /// A place for one connection, if there is one.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Admitted> {
        let client = Client::from(address);
        let mut counts = self.counts();
        let of_client = counts.by_client.get(&client).copied().unwrap_or_default();
        if counts.all >= self.max || of_client >= self.max_per_client {
            return None;
        }
        counts.all += 1;
        counts.by_client.insert(client, of_client + 1);
        drop(counts);
        Some(Admitted { admission: Arc::clone(self), client, address })
    }

    /// Waits until nobody is connected.
    pub(super) async fn empty(&self) {
        loop {
            let left = self.left.notified();
            if self.counts().all == 0 {
                return;
            }
            left.await;
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one connection, free again when this is dropped.
pub(super) struct Admitted {
    admission: Arc<Admission>,
    client: Client,
    /// Where the client is.
    pub(super) address: IpAddr,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut counts = self.admission.counts();
        counts.all = counts.all.saturating_sub(1);
        if let Some(count) = counts.by_client.get_mut(&self.client) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.by_client.remove(&self.client);
            }
        }
        drop(counts);
        self.admission.left.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn places_are_limited_and_come_back() {
        let limits =
            ServeLimits { max_connections: 3, max_connections_per_client: 2, ..ServeLimits::default() };
        let admission = Admission::new(&limits);
        let one: IpAddr = "192.0.2.1".parse().unwrap();
        let two: IpAddr = "192.0.2.2".parse().unwrap();
        let three: IpAddr = "192.0.2.3".parse().unwrap();
        let first = admission.admit(one).unwrap();
        let second = admission.admit(one).unwrap();
        assert!(admission.admit(one).is_none(), "two for one client");
        let third = admission.admit(two).unwrap();
        assert!(admission.admit(three).is_none(), "three in all");
        drop(first);
        assert!(admission.admit(one).is_some());
        drop((second, third));
        admission.empty().await;
        assert!(admission.counts().by_client.is_empty());
    }
}
