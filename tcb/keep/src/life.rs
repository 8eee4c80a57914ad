// SPDX-License-Identifier: Apache-2.0

//! From the first key to the last byte.

use alloc::rc::Rc;
use alloc::sync::Arc;
use core::cell::{Cell, RefCell};
use core::future::poll_fn;

use enarx_runtime::clock::{SECOND, Time, WallBase};
use enarx_session::SessionError;
use enarx_session::keep::{Identity, Keep, Standing};
use enarx_session::wire::Limits;

use crate::connection;
use crate::executor::{self, Spawner};
use crate::network::{self, Network};
use crate::platform::Platform;
use crate::signal::Signal;
use crate::wire::CONTROL_PORT;
use crate::workload::Workload;

/// Sessions at the same time.
const MAX_SESSIONS: usize = 8;
/// How long a Keep waits for somebody to provision it.
const UNPROVISIONED: u64 = 900 * SECOND;
/// How long the last words to the owner may take.
const FAREWELL: u64 = 2 * SECOND;

/// Why a Keep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its work is done, or its owner said so.
    Done,
    /// Nobody provisioned it in time, or a provisioning failed half-way and used up the one-time key.
    Unprovisioned,
    /// The host closed its streams.
    HostGone,
}

/// What all tasks of a Keep share.
pub(crate) struct Shared<P: Platform> {
    pub(crate) platform: P,
    pub(crate) spawner: Spawner,
    pub(crate) keep: Arc<Keep>,
    /// Somebody should look again
    pub(crate) changed: Signal,
    pub(crate) network: Network<P>,
    workload: RefCell<Option<Rc<Workload>>>,
    sessions: Cell<usize>,
    /// The owner wants the end; sessions say goodbye
    ending: Cell<bool>,
    end: Cell<Option<End>>,
}

impl<P: Platform> Shared<P> {
    pub(crate) fn workload(&self) -> Option<Rc<Workload>> {
        self.workload.borrow().clone()
    }

    pub(crate) fn started(&self, workload: Rc<Workload>) {
        *self.workload.borrow_mut() = Some(workload);
        self.changed.notify();
    }

    /// Whether sessions should end as soon as they have said everything.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.get()
    }

    /// Ends the workload and then the Keep.
    pub(crate) fn stop(self: &Rc<Self>) {
        if self.ending.replace(true) {
            return;
        }
        if let Some(workload) = self.workload() {
            workload.stop();
        }
        self.changed.notify();
        let shared = self.clone();
        self.spawner.spawn(async move {
            shared.sleep(FAREWELL).await;
            shared.finish(End::Done);
        });
    }

    /// Ends the Keep at once.
    pub(crate) fn finish(&self, end: End) {
        if self.end.get().is_none() {
            self.end.set(Some(end));
        }
    }

    pub(crate) async fn sleep(&self, nanos: u64) {
        let clock = self.platform.clock();
        let now = clock.monotonic();
        // Only the monotonic half of the time is used.
        let time = Time::new(clock, WallBase { unix_nanos: 0, monotonic: now });
        time.sleep_until(now.saturating_add(nanos)).await;
    }
}

/// Lives the life of a Keep on this platform.
///
/// # Errors
///
/// When the Keep's keys cannot be made, for want of entropy.
pub fn live<P: Platform>(platform: P) -> Result<End, SessionError> {
    let identity = Identity::generate()?;
    let statement = platform.engine().to_statement();
    let launch = platform.launch().to_vec();
    let keep = Keep::new(identity, statement, launch, Limits::default())?;
    let shared = Rc::new(Shared {
        platform,
        spawner: Spawner::default(),
        keep,
        changed: Signal::default(),
        network: Network::default(),
        workload: RefCell::new(None),
        sessions: Cell::new(0),
        ending: Cell::new(false),
        end: Cell::new(None),
    });
    shared.spawner.spawn(accept(shared.clone()));
    shared.spawner.spawn(expire(shared.clone()));
    executor::run(&shared.platform, &shared.spawner, || shared.end.get().is_some());
    Ok(shared.end.get().unwrap_or(End::HostGone))
}

async fn accept<P: Platform>(shared: Rc<Shared<P>>) {
    while let Ok((port, stream)) = poll_fn(|context| shared.platform.poll_accept(context)).await {
        if port != CONTROL_PORT {
            network::arrived(&shared, port, stream);
        // More sessions than there may be are closed.
        } else if shared.sessions.get() < MAX_SESSIONS {
            shared.sessions.set(shared.sessions.get() + 1);
            let task = shared.clone();
            shared.spawner.spawn(async move {
                connection::serve(&task, stream).await;
                task.sessions.set(task.sessions.get().saturating_sub(1));
                if task.is_ending() && task.sessions.get() == 0 {
                    task.finish(End::Done);
                }
            });
        }
    }
    shared.finish(End::HostGone);
}

/// Ends a Keep that is of no use to anybody.
async fn expire<P: Platform>(shared: Rc<Shared<P>>) {
    shared.sleep(UNPROVISIONED).await;
    if matches!(shared.keep.standing(), Standing::Fresh | Standing::Spent) {
        shared.finish(End::Unprovisioned);
    }
}
