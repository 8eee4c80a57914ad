// SPDX-License-Identifier: Apache-2.0

//! Sockets of preview 1: accepted, read, written, shut and waited for as descriptors, with the errors of POSIX.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a helper of a test may end the test"
)]

mod harness;

use std::time::Duration;

use enarx_runtime::io::{Available, Closed};
use enarx_runtime::net::{Backlog, Connection, Fault, Listener, Socket, connection, listener};
use harness::Setup;
use harness::script::{I, L, Script, u16_at};

const AGAIN: u32 = 6;
const BADF: u32 = 8;
const CONNRESET: u32 = 15;
const INVAL: u32 = 28;
const NOTCONN: u32 = 53;
const PIPE: u32 = 64;
const SPIPE: u32 = 70;
const NONBLOCK: u32 = 4;
const SOCKET_STREAM: u8 = 6;
const READ: u32 = 1;
const WRITE: u32 = 2;

/// A setup whose descriptor 3 listens.
fn listening(backlog: usize) -> (Setup, Backlog) {
    let (socket, backlog): (Listener, Backlog) = listener(backlog);
    (Setup { sockets: vec![(3, Socket::Listener(socket))], ..Setup::default() }, backlog)
}

/// A setup whose descriptor 3 is this connection.
fn connected(connection: Connection) -> Setup {
    Setup { sockets: vec![(3, Socket::Connection(connection))], ..Setup::default() }
}

fn bytes(available: Available) -> Vec<u8> {
    match available {
        Available::Bytes(bytes) => bytes.to_vec(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_connection_is_accepted_read_and_answered() {
    let mut script = Script::new();
    script.call("sock_accept", &[I(3), I(0), I(0)]);
    script.iovecs(64, &[(256, 100)]);
    script.call("fd_read", &[I(5), I(64), I(1), I(4)]);
    script.iovecs(72, &[(256, 4)]);
    script.call("fd_write", &[I(5), I(72), I(1), I(8)]);
    script.call("fd_fdstat_get", &[I(5), I(400)]);
    script.call("fd_close", &[I(5)]);
    script.call("fd_read", &[I(5), I(64), I(1), I(4)]);
    let (setup, backlog) = listening(1);
    let (ours, served) = connection();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(30));
        assert!(backlog.push(ours));
        assert_eq!(served.incoming.try_write(b"ping!"), Ok(5));
        served
    });
    let ran = setup.run(&script);
    let served = thread.join().unwrap();
    assert_eq!(ran.results, [0, 0, 0, 0, 0, BADF]);
    // 4 is the directory that is open from the start, behind the socket.
    assert_eq!((ran.u32(0), ran.u32(4), ran.u32(8)), (5, 5, 4));
    assert_eq!(ran.bytes(400, 1), [SOCKET_STREAM]);
    assert_eq!(bytes(served.outgoing.try_read(100)), b"ping");
    assert_eq!(served.outgoing.try_read(100), Available::End);
    assert_eq!(served.incoming.try_write(b"x"), Err(Closed));
}

#[test]
fn the_directory_behind_sockets_is_found_by_those_who_look_for_it() {
    let mut script = Script::new();
    for fd in 3..6 {
        script.call("fd_prestat_get", &[I(fd), I(fd * 16)]);
    }
    let (setup, _backlog) = listening(1);
    let ran = setup.run(&script);
    assert_eq!(ran.results, [0, 0, BADF]);
    // The first is something that C libraries skip, the second a directory with a name of one letter.
    assert_eq!((ran.bytes(48, 1)[0], ran.bytes(64, 1)[0], ran.u32(68)), (1, 0, 1));
}

#[test]
fn without_waiting_nothing_to_accept_is_said() {
    let mut script = Script::new();
    script.call("fd_fdstat_set_flags", &[I(3), I(NONBLOCK)]);
    script.call("sock_accept", &[I(3), I(0), I(0)]);
    script.call("sock_accept", &[I(3), I(1), I(0)]);
    script.call("sock_accept", &[I(0), I(0), I(0)]);
    let (setup, _backlog) = listening(1);
    assert_eq!(setup.run(&script).results, [0, AGAIN, INVAL, 57]);
}

#[test]
fn an_accepted_connection_has_the_flags_that_were_asked_for() {
    let mut script = Script::new();
    script.call("sock_accept", &[I(3), I(NONBLOCK), I(0)]);
    script.iovecs(64, &[(256, 100)]);
    script.call("sock_recv", &[I(5), I(64), I(1), I(0), I(4), I(8)]);
    let (setup, backlog) = listening(1);
    let (ours, _served) = connection();
    assert!(backlog.push(ours));
    assert_eq!(setup.run(&script).results, [0, AGAIN]);
}

#[test]
fn more_connections_than_may_wait_are_not_taken() {
    let (socket, backlog) = listener(1);
    let ((first, _served), (second, refused)) = (connection(), connection());
    assert!(backlog.push(first));
    assert!(!backlog.push(second));
    assert_eq!(refused.outgoing.try_read(1), Available::End);
    drop(socket);
    assert!(backlog.is_closed());
    assert!(!backlog.push(connection().0));
}

#[test]
fn peeking_leaves_and_waiting_for_all_waits() {
    let mut script = Script::new();
    script.iovecs(64, &[(256, 3), (300, 2)]);
    script.call("sock_recv", &[I(3), I(64), I(2), I(1), I(0), I(4)]);
    script.iovecs(80, &[(400, 3), (450, 5)]);
    script.call("sock_recv", &[I(3), I(80), I(2), I(2), I(8), I(4)]);
    script.call("sock_recv", &[I(3), I(80), I(2), I(4), I(12), I(4)]);
    let (ours, served) = connection();
    assert_eq!(served.incoming.try_write(b"hello"), Ok(5));
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(30));
        assert_eq!(served.incoming.try_write(b"you"), Ok(3));
        served
    });
    let ran = connected(ours).run(&script);
    drop(thread.join().unwrap());
    assert_eq!(ran.results, [0, 0, INVAL]);
    assert_eq!((ran.u32(0), ran.u32(8)), (5, 8));
    assert_eq!((ran.bytes(256, 3), ran.bytes(300, 2)), (&b"hel"[..], &b"lo"[..]));
    assert_eq!((ran.bytes(400, 3), ran.bytes(450, 5)), (&b"hel"[..], &b"loyou"[..]));
}

#[test]
fn a_half_that_is_shut_leaves_the_other() {
    let mut script = Script::new();
    script.bytes(256, b"bye");
    script.iovecs(64, &[(256, 3)]);
    script.call("sock_send", &[I(3), I(64), I(1), I(0), I(0)]);
    script.call("sock_send", &[I(3), I(64), I(1), I(1), I(0)]);
    script.call("sock_shutdown", &[I(3), I(WRITE)]);
    script.call("sock_send", &[I(3), I(64), I(1), I(0), I(0)]);
    script.iovecs(72, &[(300, 100)]);
    script.call("sock_recv", &[I(3), I(72), I(1), I(0), I(4), I(8)]);
    script.call("sock_shutdown", &[I(3), I(READ)]);
    script.call("sock_shutdown", &[I(3), I(0)]);
    script.call("sock_shutdown", &[I(3), I(4)]);
    let (ours, served) = connection();
    assert_eq!(served.incoming.try_write(b"answer"), Ok(6));
    let ran = connected(ours).run(&script);
    assert_eq!(ran.results, [0, INVAL, 0, PIPE, 0, 0, INVAL, INVAL]);
    assert_eq!((ran.u32(4), ran.bytes(300, 6)), (6, &b"answer"[..]));
    assert_eq!(bytes(served.outgoing.try_read(10)), b"bye");
    assert_eq!(served.outgoing.try_read(10), Available::End);
}

#[test]
fn a_connection_that_was_cut_off_does_not_look_like_one_that_ended() {
    let script = {
        let mut script = Script::new();
        script.iovecs(64, &[(256, 100)]);
        script.call("fd_read", &[I(3), I(64), I(1), I(0)]);
        script.call("fd_read", &[I(3), I(64), I(1), I(4)]);
        script.call("fd_write", &[I(3), I(64), I(1), I(8)]);
        script
    };
    let (ours, served) = connection();
    assert_eq!(served.incoming.try_write(b"half"), Ok(4));
    served.fail(Fault::Reset);
    let cut = connected(ours).run(&script);
    assert_eq!((cut.results.as_slice(), cut.u32(0)), (&[0, CONNRESET, CONNRESET][..], 4));
    let (ours, served) = connection();
    assert_eq!(served.incoming.try_write(b"whole"), Ok(5));
    served.incoming.close();
    served.outgoing.close();
    let ended = connected(ours).run(&script);
    assert_eq!((ended.results.as_slice(), ended.u32(0), ended.u32(4)), (&[0, 0, PIPE][..], 5, 0));
}

#[test]
fn a_socket_is_waited_for() {
    let mut script = Script::new();
    for (at, userdata, kind, fd) in [(64, 7, 1, 3), (112, 8, 1, 4), (160, 9, 2, 4)] {
        script.raw(&format!(
            "(i64.store (i32.const {at}) (i64.const {userdata})) (i32.store8 offset=8 (i32.const {at}) (i32.const {kind}))
             (i32.store offset=16 (i32.const {at}) (i32.const {fd}))"
        ));
    }
    script.call("poll_oneoff", &[I(160), I(512), I(1), I(0)]);
    script.call("poll_oneoff", &[I(64), I(640), I(2), I(4)]);
    let ((socket, backlog), (ours, served)) = (listener(1), connection());
    let sockets = vec![(3, Socket::Listener(socket)), (4, Socket::Connection(ours))];
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(30));
        assert!(backlog.push(connection().0));
        (backlog, served)
    });
    let ran = Setup { sockets, ..Setup::default() }.run(&script);
    drop(thread.join().unwrap());
    assert_eq!(ran.results, [0, 0]);
    // There is room to write at once; later somebody wants to be accepted, and there is still nothing to read.
    assert_eq!((ran.u32(0), ran.u64(512), u16_at(&ran.memory, 520)), (1, 9, 0));
    assert_eq!((ran.u32(4), ran.u64(640), ran.u64(656)), (1, 7, 1));
}

#[test]
fn what_sockets_are_not_is_refused() {
    let mut script = Script::new();
    script.iovecs(64, &[(256, 1)]);
    script.call("fd_read", &[I(3), I(64), I(1), I(0)]);
    script.call("fd_write", &[I(3), I(64), I(1), I(0)]);
    script.call("sock_recv", &[I(3), I(64), I(1), I(0), I(0), I(8)]);
    script.call("sock_shutdown", &[I(3), I(WRITE)]);
    script.call("fd_seek", &[I(3), L(0), I(0), I(8)]);
    script.call("fd_pread", &[I(3), I(64), I(1), L(0), I(0)]);
    let (setup, _backlog) = listening(1);
    assert_eq!(setup.run(&script).results, [NOTCONN, NOTCONN, NOTCONN, NOTCONN, SPIPE, SPIPE]);
    let mut script = Script::new();
    script.call("sock_accept", &[I(3), I(0), I(0)]);
    let (ours, _served) = connection();
    assert_eq!(connected(ours).run(&script).results, [INVAL]);
}
