// SPDX-License-Identifier: Apache-2.0

//! Guests of a few instructions, on KVM and on QEMU: they start as PVH says, and their end is the program's.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod guests;
mod host;

use guests::{
    Elf, asks_for_the_device, crashes, ends_with, ends_with_first_boot_byte, floods, prints, spins,
};
use host::{Carrier, Host, ImageFile};

/// Starts an image, waits for its end, and returns the exit code and the last line of standard error.
fn run(carrier: Carrier, image: &[u8], further: &[&str]) -> (Option<i32>, String) {
    let file = ImageFile::new(image);
    let host = Host::launch(carrier, &file.path, further);
    let _ = host.sandbox();
    host.end()
}

#[test]
fn the_status_that_a_guest_ends_with_is_the_programs() {
    for carrier in Carrier::here() {
        for status in [0, 1, 42, 78, 127] {
            let (code, said) = run(carrier, &ends_with(status), &[]);
            assert_eq!((code, said.as_str()), (Some(i32::from(status)), ""), "{carrier:?}");
        }
    }
}

#[test]
fn a_guest_gets_the_boot_data_of_pvh() {
    for carrier in Carrier::here() {
        // The first byte of the magic number 0x336ec578.
        assert_eq!(run(carrier, &ends_with_first_boot_byte(), &[]).0, Some(0x78), "{carrier:?}");
    }
}

#[test]
fn the_device_is_where_a_guest_looks_for_it() {
    for carrier in Carrier::here() {
        // 19 is a vsock device.
        assert_eq!(run(carrier, &asks_for_the_device(), &[]).0, Some(19), "{carrier:?}");
    }
}

#[test]
fn a_guest_that_crashes_ends_with_an_error_of_its_own() {
    for carrier in Carrier::here() {
        let (code, said) = run(carrier, &crashes(), &[]);
        assert_eq!(code, Some(73), "{carrier:?}: {said}");
        assert!(said.starts_with("enarx-vmm: the virtual machine ended: a triple fault"), "{said}");
    }
}

#[test]
fn a_guest_cannot_keep_the_hypervisor_busy_with_nothing() {
    for carrier in Carrier::here().into_iter().filter(|carrier| *carrier == Carrier::Kvm) {
        let (code, said) = run(carrier, &floods(), &[]);
        assert_eq!(code, Some(73));
        let expected =
            "enarx-vmm: the virtual machine ended: more than 10000 accesses to devices that there are not\n";
        assert_eq!(said, expected);
    }
}

#[test]
fn a_console_is_there_only_when_it_was_asked_for() {
    for carrier in Carrier::here() {
        let (code, said) = run(carrier, &prints("hello"), &["--console"]);
        assert_eq!((code, said.as_str()), (Some(0), "hello"), "{carrier:?}");
        let (code, said) = run(carrier, &prints("hello"), &[]);
        assert_eq!((code, said.as_str()), (Some(0), ""), "{carrier:?}");
    }
}

#[test]
fn a_machine_ends_when_its_host_closes_the_stream() {
    for carrier in Carrier::here() {
        let file = ImageFile::new(&spins());
        let mut host = Host::launch(carrier, &file.path, &[]);
        assert!(host.sandbox().is_some());
        host.socket = std::os::unix::net::UnixStream::pair().unwrap().0.into();
        let (code, said) = host.end();
        assert_eq!((code, said.as_str()), (Some(70), "enarx-vmm: the host is gone\n"), "{carrier:?}");
    }
}

#[test]
fn the_sandbox_of_a_machine_is_reported_layer_by_layer() {
    for carrier in Carrier::here() {
        let file = ImageFile::new(&spins());
        let report = Host::launch(carrier, &file.path, &[]).sandbox().unwrap();
        let missing: Vec<_> = report.missing().map(|layer| layer.name.as_ref()).collect();
        let expected: &[&str] = if carrier == Carrier::Qemu { &["qemu-confined"] } else { &[] };
        assert_eq!(missing, expected);
    }
}

#[test]
fn an_image_that_cannot_be_started_is_named_as_such() {
    let cases = [
        (b"#!/bin/sh\n".to_vec(), "the image ends within its header"),
        (Elf { notes: 0, ..Elf::default() }.build(), "the image has no entry point of PVH"),
        (
            Elf { code: vec![0xf4], memory: Some(64 << 20), ..Elf::default() }.build(),
            "the image reaches up to 0x4100000, and the guest's memory there ends at 0x2000000",
        ),
    ];
    for carrier in Carrier::here() {
        for (image, why) in &cases {
            let (code, said) = run(carrier, image, &[]);
            assert_eq!((code, said), (Some(72), format!("enarx-vmm: {why}\n")), "{carrier:?}");
        }
    }
}
