// SPDX-License-Identifier: Apache-2.0

//! The device under a guest that breaks every rule: it harms its own connections, and nothing grows.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod driver;

use driver::{
    BUFFER, CREDIT_UPDATE, DATA, Entry, Header, Machine, NEXT, REQUEST, RESET, RESPONSE, SHUTDOWN, SIZE,
    WRITE,
};
use enarx_vmm::vsock::{BUFFER as CREDIT, MAX_CONNECTIONS};

#[test]
fn packets_that_belong_to_nothing_are_answered_by_a_reset_or_not_at_all() {
    let ordinary = Header::new(9, 2, DATA);
    let cases = [
        ("data without a connection", ordinary, vec![RESET]),
        ("an answer to nothing", Header::new(9, 2, RESPONSE), vec![RESET]),
        ("credit for nothing", Header::new(9, 2, CREDIT_UPDATE), vec![RESET]),
        ("an end of nothing", Header::new(9, 2, SHUTDOWN), vec![RESET]),
        ("a reset of nothing", Header::new(9, 2, RESET), vec![]),
        ("an operation that there is not", Header::new(9, 2, 0xffff), vec![RESET]),
        ("a kind of socket that there is not", Header { kind: 2, ..Header::new(9, 2, REQUEST) }, vec![RESET]),
        ("a port that there is not", Header::new(9, 6, REQUEST), vec![RESET]),
        ("the port of the Keep itself", Header::new(9, 1, REQUEST), vec![RESET]),
        ("another guest's address", Header { from: (4, 9), ..ordinary }, vec![]),
        ("to another host", Header { to: (1, 2), ..ordinary }, vec![]),
    ];
    for (what, header, expected) in cases {
        let mut machine = Machine::new();
        assert_eq!(machine.ask(header, &[]), expected, "{what}");
        assert_eq!(machine.vsock.connections(), 0, "{what}");
    }
}

#[test]
fn packets_that_break_a_connection_end_it() {
    let ended = Header { flags: 2, ..Header::new(9, 2, SHUTDOWN) };
    let cases: [(&str, &[Header]); 4] = [
        ("the same request again", &[Header::new(9, 2, REQUEST)]),
        ("an answer without a question", &[Header::new(9, 2, RESPONSE)]),
        ("an operation that there is not", &[Header::new(9, 2, 99)]),
        ("data after the end of data", &[ended, Header::new(9, 2, DATA)]),
    ];
    for (what, packets) in cases {
        let mut machine = Machine::new();
        let _stream = machine.connect(9);
        let mut answers = Vec::new();
        for header in packets {
            answers = machine.ask(*header, b"x");
        }
        assert_eq!(answers, [RESET], "{what}");
        assert_eq!(machine.vsock.connections(), 0, "{what}");
    }
}

#[test]
fn a_guest_that_sends_beyond_its_credit_loses_the_connection() {
    let mut machine = Machine::new();
    let _stream = machine.connect(9);
    machine.give_buffers(SIZE - 4);
    // The socket takes some, the device keeps `CREDIT`, and what is beyond is too much.
    let piece = [0; 4000];
    let mut sent = 0_usize;
    while machine.vsock.connections() == 1 {
        machine.send(Header::new(9, 2, DATA), &piece);
        sent += piece.len();
        assert!(sent < 64 * CREDIT as usize, "the device takes everything");
    }
    let last = machine.answers().pop().unwrap().0;
    assert_eq!(last.operation, RESET);
}

#[test]
fn lies_about_credit_get_a_guest_nothing() {
    for (room, taken) in [(0, 0), (0, u32::MAX), (u32::MAX, u32::MAX / 2), (5, 1_000_000)] {
        let mut machine = Machine::new();
        let mut stream = machine.connect(9);
        std::io::Write::write_all(&mut stream, &[1; 100]).unwrap();
        machine.vsock.ready(machine.host.watched[0], true, false);
        machine.give_buffers(2);
        machine.send(Header { room, taken, ..Header::new(9, 2, CREDIT_UPDATE) }, &[]);
        // It may be asked for credit once, or get what fits; never more than that, and the device lives.
        assert!(machine.answers().iter().all(|(header, data)| data.len() <= 100 && header.length <= room));
        assert_eq!(machine.vsock.connections(), 1);
    }
}

#[test]
fn connections_and_answers_that_nobody_takes_are_bounded() {
    let mut machine = Machine::new();
    // Without a single buffer to answer in.
    for port in 0..1000 {
        machine.offer_packet(&Header::new(port, 2, REQUEST), &[]);
        machine.serve().unwrap();
        if machine.transmit.take(&machine.memory).is_empty() {
            break;
        }
    }
    assert_eq!(machine.vsock.connections(), MAX_CONNECTIONS);
    assert_eq!(machine.host.streams.len(), MAX_CONNECTIONS);
    // By now the device listens no more. With buffers it does again.
    assert!(!machine.vsock.listens());
    machine.give_buffers(SIZE);
    machine.serve().unwrap();
    assert!(machine.vsock.listens());
    assert_eq!(machine.answers().len(), usize::from(SIZE));
}

#[test]
fn buffers_that_hold_no_packet_are_given_back() {
    let short = (0x1_0000, 43, 0, 0);
    let cases: [(&str, &[Entry]); 8] = [
        ("a header that is cut", &[short]),
        ("nothing", &[(0x1_0000, 0, 0, 0)]),
        ("a buffer to write to", &[(0x1_0000, 4096, WRITE, 0)]),
        ("outside of memory", &[(0xffff_ffff_ffff_fff0, 4096, 0, 0)]),
        ("across the end of memory", &[((1 << 20) - 20, 4096, 0, 0)]),
        ("a chain to itself", &[(0x1_0000, 44, NEXT, 0)]),
        ("a chain out of the table", &[(0x1_0000, 44, NEXT, 999)]),
        ("a chain of two in a circle", &[(0x1_0000, 20, NEXT, 1), (0x1_0000, 20, NEXT, 0)]),
    ];
    for (what, chain) in cases {
        let mut machine = Machine::new();
        let header = Header { length: 60_000, ..Header::new(9, 2, DATA) };
        vm_memory::Bytes::write_slice(&machine.memory, &header.encode(), vm_memory::GuestAddress(0x1_0000))
            .unwrap();
        for (slot, entry) in (0..).zip(chain) {
            machine.transmit.describe(&machine.memory, slot, *entry);
        }
        machine.transmit.offer(&machine.memory, 0);
        machine.serve().unwrap();
        assert_eq!(machine.transmit.take(&machine.memory), [(0, 0)], "{what}");
        // The same to be answered in.
        machine.offer_packet(&Header::new(9, 2, DATA), &[]);
        for (slot, (address, length, flags, next)) in (0..).zip(chain) {
            machine.receive.describe(&machine.memory, slot, (*address, *length, flags ^ WRITE, *next));
        }
        machine.receive.offer(&machine.memory, 0);
        machine.serve().unwrap();
        let used = machine.receive.take(&machine.memory);
        assert!(used.iter().all(|(slot, length)| (*slot, *length <= 44) == (0, true)), "{what}: {used:?}");
    }
}

#[test]
fn a_length_that_is_not_there_is_no_packet() {
    let lengths = [1, u32::try_from(BUFFER).unwrap(), 64 * 1024, 64 * 1024 + 1, u32::MAX];
    for length in lengths {
        let mut machine = Machine::new();
        let _stream = machine.connect(9);
        machine.offer_packet(&Header { length, ..Header::new(9, 2, DATA) }, &[]);
        machine.serve().unwrap();
        assert_eq!(machine.vsock.connections(), 1);
        assert!(!machine.vsock.has_backlog());
    }
}

#[test]
fn rings_that_contradict_themselves_end_the_queue_and_nothing_else() {
    // A chain that begins outside of the table.
    let mut machine = Machine::new();
    machine.transmit.offer(&machine.memory, SIZE);
    assert!(machine.serve().is_err());
    // More chains than there is place for.
    let mut machine = Machine::new();
    machine.transmit.claim(&machine.memory, SIZE + 1);
    assert!(machine.serve().is_err());
    let mut machine = Machine::new();
    machine.receive.claim(&machine.memory, u16::MAX);
    machine.offer_packet(&Header::new(9, 2, DATA), &[]);
    assert!(machine.serve().is_err());
}
