// SPDX-License-Identifier: Apache-2.0

//! The vsock device is the host's. Whatever it sends, connections stay within their buffers, end as they should, and
//! nothing is believed that contradicts itself.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use enarx_keep::StreamError;
use enarx_shim::machine::mux::{BUFFER, Broken, Id, MAX_CONNECTIONS, Mux, Packets};
use enarx_shim::machine::packet::{Address, HEADER, Header, Operation};
use proptest::prelude::*;

const GUEST: u64 = 3;
const HOST: u64 = 2;
const CONTROL: u32 = 1;

#[derive(Debug, PartialEq, Eq)]
enum Sent {
    Connect(u32),
    Accept(u32),
    Bytes(Vec<u8>),
    Credit(u32),
    Shutdown(u32),
    Reset(u32),
}

/// What is between the two: packets that the host has put in, and what came out.
#[derive(Default)]
struct Wire {
    incoming: VecDeque<Result<Vec<u8>, Broken>>,
    sent: Vec<Sent>,
}

#[derive(Clone, Default)]
struct Device(Rc<RefCell<Wire>>);

impl Device {
    fn put(&self, header: Header, body: &[u8]) {
        let header = Header { length: u32::try_from(body.len()).unwrap(), ..header };
        self.raw(&[&header.encode(), body].concat());
    }

    fn raw(&self, packet: &[u8]) {
        self.0.borrow_mut().incoming.push_back(Ok(packet.to_vec()));
    }

    fn sent(&self) -> Vec<Sent> {
        std::mem::take(&mut self.0.borrow_mut().sent)
    }
}

impl Packets for Device {
    fn cid(&self) -> u64 {
        GUEST
    }

    fn receive(&mut self, handler: &mut dyn FnMut(&[u8])) -> Result<bool, Broken> {
        let next = self.0.borrow_mut().incoming.pop_front();
        next.map_or(Ok(false), |packet| {
            handler(&packet?);
            Ok(true)
        })
    }

    fn send(&mut self, header: &[u8; HEADER], body: &[u8]) -> Result<(), Broken> {
        let packet = [header, body].concat();
        let (header, body) = Header::decode(&packet).unwrap();
        assert_eq!((header.from.cid, header.to.cid), (GUEST, HOST));
        assert_eq!(header.length as usize, body.len());
        let sent = match header.operation {
            Operation::Request => Sent::Connect(header.to.port),
            Operation::Response => Sent::Accept(header.from.port),
            Operation::Data => Sent::Bytes(body.to_vec()),
            Operation::CreditUpdate => Sent::Credit(header.taken),
            Operation::Shutdown { receive: true, send: true } => Sent::Shutdown(header.from.port),
            Operation::Reset => Sent::Reset(header.from.port),
            Operation::Shutdown { .. } | Operation::CreditRequest => panic!("it never says that"),
        };
        self.0.borrow_mut().sent.push(sent);
        Ok(())
    }
}

struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn event(from: u32, to: u32, operation: Operation) -> Header {
    Header {
        from: Address { cid: HOST, port: from },
        to: Address { cid: GUEST, port: to },
        operation,
        length: 0,
        room: 1 << 20,
        taken: 0,
    }
}

fn with_credit(header: Header, room: u32, taken: u32) -> Header {
    Header { room, taken, ..header }
}

const SHUTDOWN: Operation = Operation::Shutdown { receive: true, send: true };

fn context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

fn mux() -> (Mux<Device>, Device) {
    let device = Device::default();
    (Mux::new(device.clone()), device)
}

/// A connection that the host opened from its port 1000, with this much credit.
fn opened(credit: u32) -> (Mux<Device>, Device, Id) {
    let (mut mux, device) = mux();
    device.put(with_credit(event(1000, CONTROL, Operation::Request), credit, 0), b"");
    assert!(mux.poll());
    assert_eq!(device.sent(), [Sent::Accept(CONTROL)]);
    let Poll::Ready(Ok((CONTROL, id))) = mux.poll_accept(&context()) else { panic!("it was not accepted") };
    (mux, device, id)
}

fn read(mux: &mut Mux<Device>, id: Id, length: usize) -> Poll<Result<Vec<u8>, StreamError>> {
    let mut buffer = vec![0; length];
    mux.poll_read(id, &context(), &mut buffer).map_ok(|count| buffer[..count].to_vec())
}

#[test]
fn what_is_sent_is_read_in_order_and_its_end_is_the_end() {
    let (mut mux, device, id) = opened(100);
    assert_eq!(read(&mut mux, id, 10), Poll::Pending);
    device.put(event(1000, CONTROL, Operation::Data), b"abcdef");
    device.put(event(1000, CONTROL, Operation::Data), b"ghi");
    device.put(event(1000, CONTROL, Operation::Shutdown { receive: false, send: true }), b"");
    mux.poll();
    assert_eq!(read(&mut mux, id, 4), Poll::Ready(Ok(b"abcd".to_vec())));
    assert_eq!(read(&mut mux, id, 100), Poll::Ready(Ok(b"efghi".to_vec())));
    assert_eq!(read(&mut mux, id, 1), Poll::Ready(Ok(vec![])));
    // The other direction is still open.
    assert_eq!(mux.poll_write(id, &context(), b"bye"), Poll::Ready(Ok(3)));
    assert_eq!(device.sent(), [Sent::Bytes(b"bye".to_vec())]);
    mux.release(id);
    assert_eq!(device.sent(), [Sent::Shutdown(CONTROL)]);
    assert_eq!(read(&mut mux, id, 1), Poll::Ready(Err(StreamError)));
}

#[test]
fn who_waits_is_woken_by_what_it_waits_for() {
    let (mut mux, device, id) = opened(0);
    let count = Arc::new(Count(AtomicUsize::new(0)));
    let waker = Waker::from(count.clone());
    let context = Context::from_waker(&waker);
    assert_eq!(mux.poll_read(id, &context, &mut [0; 1]), Poll::Pending);
    assert_eq!(mux.poll_write(id, &context, b"x"), Poll::Pending);
    assert!(mux.poll_accept(&context).is_pending());
    device.put(with_credit(event(1000, CONTROL, Operation::CreditUpdate), 0, 0), b"");
    mux.poll();
    assert_eq!(count.0.load(Ordering::Relaxed), 0, "there is no credit");
    device.put(with_credit(event(1000, CONTROL, Operation::CreditUpdate), 5, 0), b"");
    mux.poll();
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
    device.put(with_credit(event(1000, CONTROL, Operation::Data), 5, 0), b"y");
    mux.poll();
    assert_eq!(count.0.load(Ordering::Relaxed), 2);
    device.put(event(1001, CONTROL, Operation::Request), b"");
    mux.poll();
    assert_eq!(count.0.load(Ordering::Relaxed), 3);
    assert!(!mux.poll());
}

#[test]
fn no_more_is_written_than_the_peer_has_room_for() {
    let (mut mux, device, id) = opened(10);
    assert_eq!(mux.poll_write(id, &context(), &[1; 8]), Poll::Ready(Ok(8)));
    assert_eq!(mux.poll_write(id, &context(), &[2; 8]), Poll::Ready(Ok(2)));
    assert_eq!(mux.poll_write(id, &context(), &[3; 8]), Poll::Pending);
    device.put(with_credit(event(1000, CONTROL, Operation::CreditUpdate), 10, 4), b"");
    mux.poll();
    assert_eq!(mux.poll_write(id, &context(), &[4; 8]), Poll::Ready(Ok(4)));
    assert_eq!(device.sent(), [Sent::Bytes(vec![1; 8]), Sent::Bytes(vec![2; 2]), Sent::Bytes(vec![4; 4])]);
    // It claims to have taken what was never sent, and later to have less room than what waits there.
    for (room, taken) in [(u32::MAX, 15), (1, 4), (0, 14), (0, u32::MAX)] {
        device.put(with_credit(event(1000, CONTROL, Operation::CreditUpdate), room, taken), b"");
        mux.poll();
        assert_eq!(mux.poll_write(id, &context(), b"x"), Poll::Pending, "{room} {taken}");
    }
    assert_eq!(device.sent(), []);
}

#[test]
fn a_peer_that_overfills_its_buffer_loses_the_connection() {
    let (mut mux, device, id) = opened(10);
    let full = vec![7; BUFFER];
    device.put(event(1000, CONTROL, Operation::Data), &full);
    mux.poll();
    assert_eq!(device.sent(), []);
    device.put(event(1000, CONTROL, Operation::Data), b"1");
    mux.poll();
    assert_eq!(device.sent(), [Sent::Reset(CONTROL)]);
    // What had come before is still there; then the error.
    assert_eq!(read(&mut mux, id, BUFFER), Poll::Ready(Ok(full)));
    assert_eq!(read(&mut mux, id, 1), Poll::Ready(Err(StreamError)));
    assert_eq!(mux.poll_write(id, &context(), b"x"), Poll::Ready(Err(StreamError)));
}

#[test]
fn room_is_given_back_in_halves() {
    let (mut mux, device, id) = opened(10);
    let half = vec![7; BUFFER / 2];
    for _ in 0..2 {
        device.put(event(1000, CONTROL, Operation::Data), &half);
    }
    mux.poll();
    assert_eq!(
        read(&mut mux, id, BUFFER / 2 - 1).map_ok(|bytes| bytes.len()),
        Poll::Ready(Ok(BUFFER / 2 - 1))
    );
    assert_eq!(device.sent(), []);
    assert_eq!(read(&mut mux, id, 1).map_ok(|bytes| bytes.len()), Poll::Ready(Ok(1)));
    assert_eq!(device.sent(), [Sent::Credit(32 * 1024)]);
    device.put(event(1000, CONTROL, Operation::CreditRequest), b"");
    mux.poll();
    assert_eq!(device.sent(), [Sent::Credit(32 * 1024)]);
}

#[test]
fn what_was_never_asked_for_is_reset_or_ignored() {
    let (mut mux, device) = mux();
    for stray in [Operation::Response, Operation::Data, Operation::CreditUpdate, Operation::CreditRequest] {
        device.put(event(1000, 77, stray), b"");
        mux.poll();
        assert_eq!(device.sent(), [Sent::Reset(77)]);
    }
    // A reset is never answered by a reset, and what is not for us or not from the host not at all.
    device.put(event(1000, 77, Operation::Reset), b"");
    let elsewhere = Address { cid: 9, port: CONTROL };
    device.put(Header { to: elsewhere, ..event(1, 2, Operation::Request) }, b"");
    device.put(Header { from: elsewhere, ..event(1, 2, Operation::Request) }, b"");
    mux.poll();
    assert_eq!(device.sent(), []);
    assert!(mux.poll_accept(&context()).is_pending());
    // A port that the Keep connects from cannot be connected to.
    device.put(event(1000, 1 << 16, Operation::Request), b"");
    mux.poll();
    assert_eq!(device.sent(), [Sent::Reset(1 << 16)]);
}

#[test]
fn a_second_request_for_the_same_connection_ends_it() {
    let (mut mux, device, id) = opened(10);
    device.put(event(1000, CONTROL, Operation::Request), b"");
    mux.poll();
    assert_eq!(device.sent(), [Sent::Reset(CONTROL)]);
    assert_eq!(read(&mut mux, id, 1), Poll::Ready(Err(StreamError)));
}

#[test]
fn connections_are_limited_and_closing_ones_make_room() {
    let (mut mux, device) = mux();
    for port in 0..MAX_CONNECTIONS as u32 {
        device.put(event(port, CONTROL, Operation::Request), b"");
    }
    mux.poll();
    assert_eq!(device.sent().len(), MAX_CONNECTIONS);
    device.put(event(5000, CONTROL, Operation::Request), b"");
    mux.poll();
    assert_eq!(device.sent(), [Sent::Reset(CONTROL)]);
    assert_eq!(mux.connect(2), Err(StreamError));
    let Poll::Ready(Ok((_, first))) = mux.poll_accept(&context()) else { panic!("it was not accepted") };
    mux.release(first);
    assert_eq!(device.sent(), [Sent::Shutdown(CONTROL)]);
    let id = mux.connect(2).unwrap();
    assert_eq!(device.sent(), [Sent::Connect(2)]);
    assert_eq!(mux.poll_write(id, &context(), b"x"), Poll::Pending);
}

#[test]
fn a_connection_that_is_asked_for_opens_when_it_is_answered() {
    let (mut mux, device) = mux();
    let id = mux.connect(2).unwrap();
    assert_eq!(device.sent(), [Sent::Connect(2)]);
    // Bytes before the answer are against the rules.
    let other = mux.connect(2).unwrap();
    device.put(event(2, (1 << 16) + 1, Operation::Data), b"x");
    mux.poll();
    assert_eq!(read(&mut mux, other, 1), Poll::Ready(Err(StreamError)));
    device.put(event(2, 1 << 16, Operation::Response), b"");
    mux.poll();
    assert_eq!(mux.poll_write(id, &context(), b"x"), Poll::Ready(Ok(1)));
    // A second answer was not asked for.
    device.put(event(2, 1 << 16, Operation::Response), b"");
    mux.poll();
    assert_eq!(mux.poll_write(id, &context(), b"x"), Poll::Ready(Err(StreamError)));
}

#[test]
fn a_peer_that_receives_no_more_is_not_written_to() {
    let (mut mux, device, id) = opened(10);
    device.put(event(1000, CONTROL, Operation::Shutdown { receive: true, send: false }), b"");
    device.put(event(1000, CONTROL, Operation::Data), b"still");
    mux.poll();
    assert_eq!(mux.poll_write(id, &context(), b"x"), Poll::Ready(Err(StreamError)));
    assert_eq!(read(&mut mux, id, 9), Poll::Ready(Ok(b"still".to_vec())));
    assert_eq!(read(&mut mux, id, 9), Poll::Pending);
    // After its own end nothing may come.
    device.put(event(1000, CONTROL, Operation::Shutdown { receive: false, send: true }), b"");
    device.put(event(1000, CONTROL, Operation::Data), b"more");
    mux.poll();
    assert_eq!(read(&mut mux, id, 9), Poll::Ready(Err(StreamError)));
    assert_eq!(device.sent(), [Sent::Reset(CONTROL)]);
}

#[test]
fn what_was_let_go_is_forgotten_when_the_peer_has_heard() {
    let (mut mux, device, id) = opened(10);
    mux.release(id);
    device.put(event(1000, CONTROL, Operation::Data), b"late");
    device.put(event(1000, CONTROL, SHUTDOWN), b"");
    mux.poll();
    assert_eq!(device.sent(), [Sent::Shutdown(CONTROL), Sent::Reset(CONTROL)]);
    // The same ports can be used again.
    device.put(event(1000, CONTROL, Operation::Request), b"");
    mux.poll();
    assert_eq!(device.sent(), [Sent::Accept(CONTROL)]);
}

#[test]
fn garbage_is_dropped_and_a_device_that_fails_ends_everything() {
    let (mut mux, device, id) = opened(10);
    let good = event(1000, CONTROL, Operation::Data).encode();
    device.raw(b"");
    device.raw(&good[..43]);
    for (at, byte) in [(24, 1), (27, 0x80), (28, 2), (30, 0), (30, 8), (31, 1)] {
        let mut packet = good;
        packet[at] = byte;
        device.raw(&packet);
    }
    let mut with_body = [event(1000, CONTROL, Operation::Reset).encode().as_slice(), b"x"].concat();
    with_body[24] = 1;
    device.raw(&with_body);
    device.put(event(1000, CONTROL, Operation::Data), b"x");
    mux.poll();
    assert_eq!(read(&mut mux, id, 1), Poll::Ready(Ok(b"x".to_vec())));
    device.0.borrow_mut().incoming.push_back(Err(Broken));
    mux.poll();
    assert_eq!(read(&mut mux, id, 1), Poll::Ready(Err(StreamError)));
    assert_eq!(mux.poll_accept(&context()), Poll::Ready(Err(StreamError)));
    assert_eq!(mux.connect(2), Err(StreamError));
}

proptest! {
    #[test]
    fn no_sequence_of_packets_gets_more_than_its_share(
        packets in proptest::collection::vec((0..40_u32, 0..4_u32, 0..8_u8, any::<u32>(), any::<u32>(), 0..3000_usize), 0..400),
    ) {
        let (mut mux, device) = mux();
        let mut accepted = Vec::new();
        for (from, to, kind, room, taken, length) in packets {
            let body = vec![0; length];
            let kind = match kind {
                0 | 1 => Operation::Request,
                2 => Operation::Response,
                3 => SHUTDOWN,
                4 => Operation::Reset,
                5 => Operation::CreditRequest,
                6 => Operation::CreditUpdate,
                _ => Operation::Data,
            };
            let bytes = if kind == Operation::Data { &body[..] } else { b"" };
            device.put(with_credit(event(from, to, kind), room, taken), bytes);
            mux.poll();
            while let Poll::Ready(Ok((_, id))) = mux.poll_accept(&context()) {
                accepted.push(id);
            }
            let mut held = 0;
            for id in &accepted {
                let _ = mux.poll_write(*id, &context(), &[0; 100]);
                held += usize::from(!matches!(mux.poll_read(*id, &context(), &mut [0; 10]), Poll::Ready(Err(_))));
            }
            prop_assert!(held <= MAX_CONNECTIONS);
        }
        for sent in device.sent() {
            if let Sent::Bytes(bytes) = sent {
                prop_assert!(bytes.len() <= 16 * 1024);
            }
        }
    }
}
