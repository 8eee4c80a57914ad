// SPDX-License-Identifier: Apache-2.0

//! Pipes between a workload and its session: bounded, in order, with two ends that can close.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails here has found something"
)]

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use enarx_runtime::io::{Available, Closed, MAX_TRANSFER, Reader, Writer, pipe};

/// Counts how often it is woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Polls once; tells the output and how a later event wakes.
fn poll_once<F: Future>(future: F, count: &Arc<Count>) -> Poll<F::Output> {
    let waker = Waker::from(Arc::clone(count));
    pin!(future).poll(&mut Context::from_waker(&waker))
}

fn bytes(bytes: &'static [u8]) -> Available {
    Available::Bytes(Bytes::from_static(bytes))
}

#[test]
fn bytes_come_out_in_order_and_no_more_than_fit() {
    let (writer, reader) = pipe(5);
    assert_eq!(writer.space(), Ok(5));
    assert_eq!(writer.try_write(b"abcdefg"), Ok(5));
    assert_eq!(writer.try_write(b"fg"), Ok(0));
    assert_eq!(reader.available(), 5);
    assert_eq!(reader.try_read(2), bytes(b"ab"));
    assert_eq!(writer.try_write(b"fg"), Ok(2));
    assert_eq!(reader.try_read(100), bytes(b"cdefg"));
    assert_eq!(reader.try_read(100), Available::Nothing);
}

#[test]
fn a_large_pipe_gives_and_takes_in_pieces() {
    let (writer, reader) = pipe(10 * MAX_TRANSFER);
    assert_eq!(writer.space(), Ok(MAX_TRANSFER));
    assert_eq!(writer.try_write(&vec![1; 3 * MAX_TRANSFER]), Ok(3 * MAX_TRANSFER));
    let Available::Bytes(first) = reader.try_read(usize::MAX) else { panic!("nothing to read") };
    assert_eq!(first.len(), MAX_TRANSFER);
}

#[test]
fn readers_get_what_was_written_before_the_end() {
    let (writer, reader) = pipe(10);
    let other = writer.clone();
    writer.try_write(b"last").unwrap();
    drop(writer);
    assert_eq!(reader.try_read(2), bytes(b"la"));
    drop(other);
    assert_eq!(reader.try_read(10), bytes(b"st"));
    assert_eq!(reader.try_read(10), Available::End);
    assert_eq!(reader.clone().try_read(10), Available::End);
}

#[test]
fn closing_ends_the_pipe_for_all_clones() {
    let (writer, reader) = pipe(10);
    let other = writer.clone();
    writer.try_write(b"x").unwrap();
    writer.close();
    assert_eq!(other.try_write(b"y"), Err(Closed));
    assert_eq!(other.clone().try_write(b"y"), Err(Closed));
    assert_eq!(reader.try_read(10), bytes(b"x"));
    assert_eq!(reader.try_read(10), Available::End);

    let (writer, reader) = pipe(10);
    let other = reader.clone();
    writer.try_write(b"lost").unwrap();
    reader.close();
    assert_eq!(writer.try_write(b"y"), Err(Closed));
    assert_eq!(other.try_read(10), Available::End);
    drop((other, reader));
    assert_eq!(writer.space(), Err(Closed));
}

#[test]
fn writers_learn_that_nobody_reads_any_more() {
    let (writer, reader) = pipe(10);
    let other = reader.clone();
    drop(reader);
    assert_eq!(writer.try_write(b"x"), Ok(1));
    drop(other);
    assert_eq!(writer.try_write(b"x"), Err(Closed));
}

#[test]
fn null_and_closed_do_not_wait() {
    let count = Arc::default();
    assert_eq!(poll_once(Reader::null().read(10), &count), Poll::Ready(None));
    assert_eq!(poll_once(Writer::null().write_all(&vec![0; 1_000_000]), &count), Poll::Ready(Ok(())));
    assert_eq!(poll_once(Writer::closed().write(b"x"), &count), Poll::Ready(Err(Closed)));
    assert_eq!(poll_once(Writer::closed().ready(), &count), Poll::Ready(()));
    assert_eq!(count.0.load(Ordering::SeqCst), 0);
}

#[test]
fn who_waits_is_woken_by_the_other_side_and_by_its_end() {
    let woken = |count: &Arc<Count>| count.0.load(Ordering::SeqCst);
    let (writer, reader) = pipe(1);
    let (reading, writing) = (Arc::default(), Arc::default());
    assert_eq!(poll_once(reader.read(10), &reading), Poll::Pending);
    assert_eq!(poll_once(reader.read(10), &reading), Poll::Pending);
    writer.try_write(b"x").unwrap();
    assert!(woken(&reading) >= 1);
    assert_eq!(poll_once(writer.write(b"y"), &writing), Poll::Pending);
    assert_eq!(poll_once(reader.read(10), &reading), Poll::Ready(Some(Bytes::from_static(b"x"))));
    assert!(woken(&writing) >= 1);
    assert_eq!(poll_once(writer.write(b"y"), &writing), Poll::Ready(Ok(1)));
    // The end wakes as well.
    let (writer, reader) = pipe(1);
    let reading = Arc::default();
    assert_eq!(poll_once(reader.read(10), &reading), Poll::Pending);
    drop(writer);
    assert!(woken(&reading) >= 1);
    assert_eq!(poll_once(reader.read(10), &reading), Poll::Ready(None));
    let (writer, reader) = pipe(1);
    let writing = Arc::default();
    writer.try_write(b"x").unwrap();
    assert_eq!(poll_once(writer.write(b"y"), &writing), Poll::Pending);
    drop(reader);
    assert!(woken(&writing) >= 1);
    assert_eq!(poll_once(writer.write(b"y"), &writing), Poll::Ready(Err(Closed)));
}

#[test]
fn a_crowd_of_waiters_is_woken_rather_than_remembered() {
    let (_writer, reader) = pipe(1);
    let counts: Vec<Arc<Count>> = (0..100).map(|_| Arc::default()).collect();
    for count in &counts {
        assert_eq!(poll_once(reader.ready(), count), Poll::Pending);
    }
    let woken = counts.iter().filter(|count| count.0.load(Ordering::SeqCst) > 0).count();
    assert_eq!(woken, 96);
}
