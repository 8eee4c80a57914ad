// SPDX-License-Identifier: Apache-2.0

//! The unikernel against a host that breaks every rule it can: what it hands over at start, its processor, its device. A Keep
//! ends with a status that says why, or goes on to serve; it never resets, hangs or goes on with what is not so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod hostile;

use enarx_shim::machine::Ending;
use enarx_shim::machine::packet::{HEADER, Header, Operation};
use hostile::{Device, GUEST, HOST, LAUNCH, Machine, Queue, ROOM, Start, VERSION_1, packet};

/// The machine ends with this status whatever the device does.
fn ends_at_start(start: &Start, ending: Ending) {
    let Some(machine) = Machine::start(start) else { return };
    assert_eq!(machine.end(), Some(ending as u8), "{} {}", start.cpu, start.launch);
}

/// After this lie the Keep answers whoever else speaks to it.
fn serves_after(lie: impl FnOnce(&mut Device)) {
    let Some(mut machine) = Machine::start(&Start::default()) else { return };
    let mut device = machine.device();
    lie(&mut device);
    device.open();
    assert!(machine.runs());
}

/// After this lie the Keep ends, as one does whose device is of no more use.
fn ends_after(ending: Ending, lie: impl FnOnce(&mut Device)) {
    let Some(machine) = Machine::start(&Start::default()) else { return };
    lie(&mut machine.device());
    assert_eq!(machine.end(), Some(ending as u8));
}

#[test]
fn a_host_that_does_not_lie_is_served() {
    serves_after(|_| ());
}

#[test]
fn launch_texts_that_are_none_end_a_machine() {
    for launch in [
        "",
        "root=/dev/sda",
        "enarx-launch-2 backend=qemu memory-mib=64 tsc-khz=1000000",
        "enarx-launch-1 backend=process",
        "enarx-launch-1 backend=qemu memory-mib=64",
        "enarx-launch-1 backend=qemu tsc-khz=1000000",
        "enarx-launch-1 backend=qemu memory-mib=64 tsc-khz=0",
        "enarx-launch-1 backend=qemu memory-mib=64 tsc-khz=99999999999999999999",
        "enarx-launch-1 backend=qemu memory-mib=64 tsc-khz=1000000 tsc-khz=1000000",
        "enarx-launch-1 backend=qemu memory-mib=64 tsc-khz=1000000 debug=yes",
        "enarx-launch-1  backend=qemu memory-mib=64 tsc-khz=1000000",
    ] {
        ends_at_start(&Start { launch: launch.to_owned(), ..Start::default() }, Ending::Host);
    }
    let long = format!("{LAUNCH}{}", " ".repeat(5000));
    ends_at_start(&Start { launch: long, ..Start::default() }, Ending::Host);
}

#[test]
fn a_processor_without_randomness_or_a_timer_of_its_own_is_refused() {
    for cpu in ["max,-rdrand,-rdseed", "max,-x2apic"] {
        ends_at_start(&Start { cpu, ..Start::default() }, Ending::Processor);
    }
}

#[test]
fn a_machine_with_less_than_8_mib_beside_the_image_is_refused() {
    // The image and what is not used below it take more than 3 MiB.
    for memory in [8, 11] {
        ends_at_start(&Start { memory, ..Start::default() }, Ending::Host);
    }
}

#[test]
fn a_device_of_an_older_kind_is_none() {
    ends_at_start(&Start { features: 0, ..Start::default() }, Ending::Host);
}

#[test]
fn a_device_that_gives_the_guest_no_sensible_address_is_not_heard() {
    for cid in [0, HOST, u64::MAX] {
        let Some(mut machine) = Machine::start(&Start { cid, ..Start::default() }) else { return };
        let mut device = machine.device();
        // Addressed to the guest as it ought to be called; it knows of no such address.
        device.deliver(&packet(5000, Operation::Request, b""));
        std::thread::sleep(std::time::Duration::from_millis(500));
        assert_eq!(device.sent_now(), None);
        assert!(machine.runs());
    }
}

#[test]
fn a_buffer_that_there_is_not_ends_the_keep() {
    for id in [8, 9, 255, 0xffff] {
        ends_after(Ending::Panic, |device| device.used(Queue::Receive, id, 44));
    }
}

#[test]
fn more_bytes_than_a_buffer_has_end_the_keep() {
    for length in [16 * 1024 + 45, 1 << 20, u32::MAX] {
        ends_after(Ending::Panic, |device| device.used(Queue::Receive, 0, length));
    }
}

#[test]
fn buffers_with_less_than_a_packet_are_nothing() {
    serves_after(|device| {
        for length in [0, 1, 43] {
            let head = device.put(&[0xff; HEADER]);
            device.used(Queue::Receive, u32::from(head), length);
        }
    });
}

#[test]
fn replies_that_were_never_asked_for_are_nothing() {
    serves_after(|device| {
        for operation in [
            Operation::Response,
            Operation::Reset,
            Operation::Shutdown { receive: true, send: true },
            Operation::Data,
            Operation::CreditUpdate,
            Operation::CreditRequest,
        ] {
            device.deliver(&packet(4000, operation, b""));
        }
        device.deliver(&packet(4000, Operation::Data, &[0; 16 * 1024]));
    });
}

#[test]
fn what_is_no_packet_is_nothing() {
    serves_after(|device| {
        // A generator of bytes that anyone can repeat (Knuth, MMIX).
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state.to_be_bytes()[0]
        };
        for size in 0..300 {
            let bytes: Vec<u8> = (0..size).map(|_| next()).collect();
            device.deliver(&bytes);
        }
        for (cid, port) in [(GUEST, 1), (7, 1), (u64::MAX, u32::MAX)] {
            let mut header = Header::decode(&packet(port, Operation::Request, b"")).unwrap().0;
            header.from.cid = cid;
            device.deliver(&header.encode());
            header.from.cid = HOST;
            header.length = u32::MAX;
            device.deliver(&header.encode());
        }
    });
}

#[test]
fn a_flood_of_connections_costs_no_more_than_connections() {
    serves_after(|device| {
        for port in 10_000..10_200 {
            device.deliver(&packet(port, Operation::Request, b""));
            device.deliver(&packet(port, Operation::Shutdown { receive: true, send: true }, b""));
            device.deliver(&packet(port, Operation::Reset, b""));
        }
    });
}

#[test]
fn more_than_there_is_room_for_costs_the_connection() {
    serves_after(|device| {
        let port = device.open();
        for _ in 0..64 {
            device.deliver(&packet(port, Operation::Data, &[0x55; 16 * 1024]));
        }
    });
}

#[test]
fn a_reset_in_the_middle_costs_the_connection() {
    serves_after(|device| {
        for _ in 0..20 {
            let port = device.open();
            device.deliver(&packet(port, Operation::Data, &[0, 0]));
            device.deliver(&packet(port, Operation::Reset, b""));
            device.deliver(&packet(port, Operation::Data, &[0, 0]));
        }
    });
}

#[test]
fn lies_about_credit_cost_the_connection_at_most() {
    serves_after(|device| {
        let port = device.open();
        for (room, taken) in [(0, 0), (ROOM, 1), (u32::MAX, u32::MAX), (0, u32::MAX), (1, 1 << 31)] {
            let mut header = Header::decode(&packet(port, Operation::CreditUpdate, b"")).unwrap().0;
            (header.room, header.taken) = (room, taken);
            device.deliver(&header.encode());
        }
    });
}

#[test]
fn bytes_that_come_one_by_one_are_bytes() {
    serves_after(|device| {
        let port = device.open();
        for _ in 0..200 {
            device.deliver(&packet(port, Operation::Data, &[0]));
        }
    });
}

#[test]
fn more_used_buffers_than_there_are_end_the_keep_or_are_nothing() {
    // The guest finds its own buffers in the ring, each as short as the ring was made: with nothing.
    let Some(mut machine) = Machine::start(&Start::default()) else { return };
    let mut device = machine.device();
    device.count(Queue::Receive, 1000);
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert!(machine.runs());
}

#[test]
fn the_guests_own_tables_may_be_overwritten() {
    for byte in [0, 0xff] {
        let Some(mut machine) = Machine::start(&Start::default()) else { return };
        let mut device = machine.device();
        device.open();
        device.overwrite(Queue::Receive, byte);
        device.overwrite(Queue::Send, byte);
        device.used(Queue::Receive, 0, 44);
        device.used(Queue::Receive, 1, 0);
        // The guest goes on by what it remembers, not by what it finds there.
        std::thread::sleep(std::time::Duration::from_millis(500));
        assert!(machine.runs());
    }
}

#[test]
fn a_device_that_returns_what_it_was_not_given_is_no_device() {
    let Some(machine) = Machine::start(&Start { features: VERSION_1, ..Start::default() }) else { return };
    let mut device = machine.device();
    // The answer to this goes out in buffers 0 and 1 or so; the device says that it has used another.
    device.used(Queue::Send, 5, 0);
    device.deliver(&packet(5000, Operation::Request, b""));
    assert_eq!(machine.end(), Some(Ending::Done as u8));
}
