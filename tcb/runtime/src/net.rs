// SPDX-License-Identifier: Apache-2.0

//! Connections as a workload sees them: two pipes and the reason for their end.
//!
//! What is behind a connection, TLS or a plain stream to the host, is not known here. Whoever serves it reads what the
//! workload writes and writes what the workload reads; the pipes hold both sides back. Every version of WASI builds its
//! sockets on these types: preview 1 in descriptors, later versions in the streams that [`Reader`] and [`Writer`] already are.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::future::poll_fn;
use core::task::{Poll, Waker};

use spin::Mutex;

use crate::io::{Reader, Writer, pipe};

/// Bytes that are held in each direction.
const BUFFER: usize = 64 * 1024;

/// Why a connection ended otherwise than in good order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// It was cut off: somebody between the peers ended it, or the peer broke the protocol.
    Reset,
    /// Nothing passed for too long.
    TimedOut,
}

/// The workload's end of a connection. Dropping it closes it.
pub struct Connection {
    reader: Reader,
    writer: Writer,
    fault: Arc<Mutex<Option<Fault>>>,
}

/// The other end, for whoever serves the connection.
pub struct Served {
    /// What the workload is to read.
    pub incoming: Writer,
    /// What the workload wrote.
    pub outgoing: Reader,
    fault: Arc<Mutex<Option<Fault>>>,
}

/// Both ends of a new connection.
pub fn connection() -> (Connection, Served) {
    let (incoming, reader) = pipe(BUFFER);
    let (writer, outgoing) = pipe(BUFFER);
    let fault = Arc::<Mutex<Option<Fault>>>::default();
    (Connection { reader, writer, fault: Arc::clone(&fault) }, Served { incoming, outgoing, fault })
}

impl Connection {
    /// What came from the peer.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// What goes to the peer.
    pub fn writer(&self) -> &Writer {
        &self.writer
    }

    /// Why it ended, if not in good order. Bytes that came before can still be read.
    pub fn fault(&self) -> Option<Fault> {
        *self.fault.lock()
    }

    /// Sends nothing more: the peer sees the end of the stream.
    pub fn shut_writing(&self) {
        self.writer.close();
    }

    /// Takes nothing more.
    pub fn shut_reading(&self) {
        self.reader.close();
    }
}

impl Served {
    /// Ends the connection and lets the workload know that this is no good order.
    pub fn fail(&self, fault: Fault) {
        self.fault.lock().get_or_insert(fault);
        self.incoming.close();
        self.outgoing.close();
    }
}

/// The workload's end of a listening socket. Clones are the same socket, which closes with the last.
#[derive(Clone)]
pub struct Listener {
    queue: Arc<Queue>,
    /// Held by the workload alone.
    _open: Arc<Open>,
}

/// The other end: where connections that are ready are put.
pub struct Backlog {
    queue: Arc<Queue>,
}

struct Queue {
    state: Mutex<Waiting>,
}

struct Waiting {
    ready: VecDeque<Connection>,
    limit: usize,
    closed: bool,
    wakers: Vec<Waker>,
}

struct Open(Arc<Queue>);

/// A listening socket that holds up to `limit` connections which the workload has not accepted yet.
pub fn listener(limit: usize) -> (Listener, Backlog) {
    let state = Waiting { ready: VecDeque::new(), limit, closed: false, wakers: Vec::new() };
    let queue = Arc::new(Queue { state: Mutex::new(state) });
    let open = Arc::new(Open(Arc::clone(&queue)));
    (Listener { queue: Arc::clone(&queue), _open: open }, Backlog { queue })
}

impl Listener {
    /// The next connection, if one is ready.
    pub fn try_accept(&self) -> Option<Connection> {
        self.queue.state.lock().ready.pop_front()
    }

    /// How many connections are ready.
    pub fn ready_count(&self) -> usize {
        self.queue.state.lock().ready.len()
    }

    /// Waits until a connection is ready.
    pub async fn ready(&self) {
        poll_fn(|context| {
            let mut state = self.queue.state.lock();
            if !state.ready.is_empty() {
                return Poll::Ready(());
            }
            if !state.wakers.iter().any(|waker| waker.will_wake(context.waker())) {
                state.wakers.push(context.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }
}

impl Backlog {
    /// Hands a connection to the workload. `false`, and the connection is dropped, if too many wait already or nobody
    /// listens any more.
    pub fn push(&self, connection: Connection) -> bool {
        let mut state = self.queue.state.lock();
        if state.closed || state.ready.len() >= state.limit {
            return false;
        }
        state.ready.push_back(connection);
        let wakers = core::mem::take(&mut state.wakers);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        true
    }

    /// Whether the workload has closed the socket.
    pub fn is_closed(&self) -> bool {
        self.queue.state.lock().closed
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let ready = {
            let mut state = self.0.state.lock();
            state.closed = true;
            core::mem::take(&mut state.ready)
        };
        // Outside of the lock: dropping a connection wakes who serves it.
        drop(ready);
    }
}

/// A socket that is open when the program starts.
pub enum Socket {
    /// One that listens.
    Listener(Listener),
    /// One that is connected.
    Connection(Connection),
}
