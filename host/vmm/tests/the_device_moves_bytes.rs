// SPDX-License-Identifier: Apache-2.0

//! The device under a guest that keeps to the specification: nothing is lost, nobody gets more than there is room for.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod driver;

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;

use driver::{CREDIT_REQUEST, CREDIT_UPDATE, DATA, Header, Machine, REQUEST, RESET, RESPONSE, SHUTDOWN};

#[test]
fn a_guest_connects_and_both_sides_are_heard() {
    let mut machine = Machine::new();
    let mut stream = machine.connect(70_000);
    machine.send(Header::new(70_000, 2, DATA), b"ping");
    let mut heard = [0; 4];
    stream.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"ping");

    stream.write_all(b"pong").unwrap();
    let id = machine.host.watched[0];
    machine.vsock.ready(id, true, false);
    machine.serve().unwrap();
    let answers = machine.answers();
    let [(header, data)] = answers.as_slice() else { panic!("{answers:?}") };
    assert_eq!((header.from, header.to), ((2, 2), (3, 70_000)));
    assert_eq!((header.operation, header.length, data.as_slice()), (DATA, 4, b"pong".as_slice()));
    // The guest also learns what of its own was taken.
    assert_eq!(header.taken, 4);
}

#[test]
fn a_host_connects_and_is_heard_once_the_guest_agrees() {
    let mut machine = Machine::new();
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    machine.vsock.open(1, theirs, &mut machine.host);
    ours.write_all(b"hello").unwrap();
    machine.give_buffers(4);
    machine.serve().unwrap();
    let answers = machine.answers();
    let [(request, _)] = answers.as_slice() else { panic!("{answers:?}") };
    assert_eq!((request.operation, request.to), (REQUEST, (3, 1)));

    machine.send(Header::new(1, request.from.1, RESPONSE), &[]);
    let answers = machine.answers();
    let [(header, data)] = answers.as_slice() else { panic!("{answers:?}") };
    assert_eq!((header.operation, data.as_slice()), (DATA, b"hello".as_slice()));
}

#[test]
fn the_guest_gets_no_more_than_it_has_room_for() {
    let mut machine = Machine::new();
    let small = |operation, taken| Header { room: 10, taken, ..Header::new(9, 2, operation) };
    assert_eq!(machine.ask(small(REQUEST, 0), &[]), [RESPONSE]);
    let mut stream = machine.host.streams.pop().unwrap();
    stream.write_all(b"0123456789abcdef").unwrap();
    let id = machine.host.watched[0];
    machine.vsock.ready(id, true, false);
    machine.give_buffers(4);
    machine.serve().unwrap();
    let answers = machine.answers();
    let operations: Vec<_> = answers.iter().map(|(header, _)| header.operation).collect();
    assert_eq!(operations, [DATA, CREDIT_REQUEST]);
    assert_eq!(answers[0].1, b"0123456789");

    machine.send(small(CREDIT_UPDATE, 10), &[]);
    let answers = machine.answers();
    assert_eq!(answers[0].1, b"abcdef");
}

#[test]
fn a_host_that_does_not_read_stops_the_guest_by_credit_and_loses_nothing() {
    let mut machine = Machine::new();
    let mut stream = machine.connect(9);
    machine.give_buffers(8);
    let piece: Vec<u8> = (0..3000_u32).map(|index| u8::try_from(index % 251).unwrap()).collect();
    let (mut sent, mut room, mut taken) = (0_u32, enarx_vmm::vsock::BUFFER, 0_u32);
    // As many as the credit allows, which grows as the socket takes bytes and then no longer.
    loop {
        let length = u32::try_from(piece.len()).unwrap();
        if sent - taken + length > room {
            let answers = {
                machine.send(Header::new(9, 2, CREDIT_REQUEST), &[]);
                machine.answers()
            };
            machine.give_buffers(u16::try_from(answers.len()).unwrap());
            let newest = answers.last().unwrap().0;
            (room, taken) = (newest.room, newest.taken);
            if sent - taken + length > room {
                break;
            }
        }
        machine.send(Header::new(9, 2, DATA), &piece);
        sent += length;
    }
    assert!(machine.vsock.has_backlog());
    stream.set_nonblocking(true).unwrap();
    let id = machine.host.watched[0];
    let mut heard = Vec::new();
    let mut buffer = [0; 4096];
    while heard.len() < usize::try_from(sent).unwrap() {
        match stream.read(&mut buffer) {
            Ok(count) => heard.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => machine.vsock.ready(id, false, false),
            Err(error) => panic!("{error}"),
        }
    }
    assert!(heard.chunks(3000).all(|chunk| chunk == piece));
    assert!(!machine.vsock.has_backlog());
}

#[test]
fn ends_are_passed_on_in_both_directions() {
    // The guest ends; the host reads what came before, then the end.
    let mut machine = Machine::new();
    let mut stream = machine.connect(9);
    machine.send(Header::new(9, 2, DATA), b"last");
    assert_eq!(machine.ask(Header { flags: 3, ..Header::new(9, 2, SHUTDOWN) }, &[]), [RESET]);
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).unwrap();
    assert_eq!((heard.as_slice(), machine.vsock.connections()), (b"last".as_slice(), 0));

    // The host closes; the guest gets what came before, then the end.
    let mut stream = machine.connect(10);
    let id = *machine.host.watched.last().unwrap();
    stream.write_all(b"last").unwrap();
    drop(stream);
    machine.vsock.ready(id, true, true);
    machine.give_buffers(4);
    machine.serve().unwrap();
    let answers = machine.answers();
    let seen: Vec<_> = answers.iter().map(|(header, _)| (header.operation, header.flags)).collect();
    assert_eq!(seen, [(DATA, 0), (SHUTDOWN, 3)]);
    assert_eq!(machine.ask(Header::new(10, 2, RESET), &[]), [0; 0]);
    assert_eq!(machine.vsock.connections(), 0);
}

#[test]
fn a_host_may_end_one_direction_only() {
    let mut machine = Machine::new();
    let mut stream = machine.connect(9);
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    machine.vsock.ready(machine.host.watched[0], true, false);
    machine.give_buffers(4);
    machine.serve().unwrap();
    assert_eq!(machine.answers()[0].0.flags, 2);
    machine.send(Header::new(9, 2, DATA), b"answer");
    let mut heard = [0; 6];
    stream.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"answer");
}

#[test]
fn what_was_sent_before_a_reset_still_arrives() {
    let mut machine = Machine::new();
    let mut stream = machine.connect(9);
    // More than a socket takes at once.
    let piece = [7; 4000];
    let mut sent = 0;
    while !machine.vsock.has_backlog() {
        machine.send(Header::new(9, 2, DATA), &piece);
        sent += piece.len();
    }
    machine.vsock.reset();
    stream.set_nonblocking(true).unwrap();
    let mut heard = 0;
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => heard += count,
            Err(_) => machine.vsock.ready(machine.host.watched[0], false, false),
        }
    }
    assert_eq!((heard, machine.vsock.connections()), (sent, 0));
}

#[test]
fn a_host_may_connect_before_the_guest_has_a_driver() {
    let mut machine = Machine::new();
    let (_ours, theirs) = UnixStream::pair().unwrap();
    machine.vsock.open(1, theirs, &mut machine.host);
    // This is how every driver begins.
    machine.vsock.reset();
    machine.give_buffers(1);
    machine.serve().unwrap();
    assert_eq!(machine.answers()[0].0.operation, REQUEST);
    // What it was told of, it forgets with the next one.
    machine.vsock.reset();
    assert_eq!(machine.vsock.connections(), 0);
}

#[test]
fn the_owner_is_announced_by_a_connection_that_is_refused() {
    let mut machine = Machine::new();
    assert_eq!(machine.ask(Header::new(9, 3, REQUEST), &[]), [RESET]);
    assert_eq!((machine.host.provisioned, machine.vsock.connections()), (1, 0));
}
