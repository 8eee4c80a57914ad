// SPDX-License-Identifier: Apache-2.0

//! As guest of SEV-SNP a Keep speaks with its hypervisor in the words of the GHCB specification and no others, and an answer
//! that the specification does not allow is the end.

mod hypervisor;

use enarx_shim::snp::guest::{Guest, MSRS, StartError};
use enarx_shim::snp::msr::{self, MsrError, PageState};
use enarx_shim::snp::{Frame, GhcbError};
use hypervisor::{Hypervisor, SHARED};
use proptest::prelude::*;

const DEVICE: u64 = 0xfeb0_0000;

fn started() -> (Hypervisor, Guest<Hypervisor>) {
    let hypervisor = Hypervisor::new();
    let guest = hypervisor.start().unwrap();
    (hypervisor, guest)
}

/// Starts against a hypervisor that gives `lie` as its answer to the request with this number.
fn refusal(about: u64, lie: u64) -> StartError {
    let hypervisor = Hypervisor::new();
    hypervisor.change(|world| {
        let change = move |asked: u64, honest| if asked & 0xfff == about { lie } else { honest };
        world.change_msr = Some(Box::new(change));
    });
    hypervisor.start().unwrap_err()
}

#[test]
fn the_start_is_four_words_and_page_state_changes() {
    let (hypervisor, _) = started();
    hypervisor.change(|world| {
        assert_eq!(world.heard[..4], [0x002, 0x080, SHARED | 2 << 52 | 0x014, SHARED | 0x012]);
        // 511 further pages, 253 at a time.
        assert_eq!(world.exits, [0x8000_0010; 3]);
        assert_eq!(world.rmp.len(), 512);
        assert!(world.rmp.values().all(|rmp| !rmp.assigned && !rmp.validated));
        // Nothing of what was in the GHCB's page before is left.
        assert!(world.shared[..0x100].iter().all(|byte| *byte == 0));
    });
}

#[test]
fn each_lie_at_the_start_has_its_own_refusal() {
    let msr = StartError::Msr;
    let information = |max: u64, min: u64, bit: u64| max << 48 | min << 32 | bit << 24 | 1;
    assert_eq!(refusal(2, information(1, 1, 51)), msr(MsrError::Version { min: 1, max: 1 }));
    assert_eq!(refusal(2, information(4, 3, 51)), msr(MsrError::Version { min: 3, max: 4 }));
    // The range is empty.
    assert_eq!(refusal(2, information(1, 3, 51)), msr(MsrError::Version { min: 3, max: 1 }));
    assert_eq!(refusal(2, information(2, 1, 47)), msr(MsrError::PrivateBit { found: 47, expected: 51 }));
    assert_eq!(refusal(2, 2), msr(MsrError::Reply { found: 2 }));
    let reserved = information(2, 1, 51) | 1 << 12;
    assert_eq!(refusal(2, reserved), msr(MsrError::Reply { found: reserved }));
    assert_eq!(refusal(0x80, 0x081), msr(MsrError::Unsupported));
    assert_eq!(refusal(0x80, 0x080), msr(MsrError::Reply { found: 0x080 }));
    assert_eq!(refusal(0x14, 7 << 32 | 0x015), msr(MsrError::Unchanged { code: 7 }));
    assert_eq!(refusal(0x14, 1 << 12 | 0x015), msr(MsrError::Reply { found: 1 << 12 | 0x015 }));
    assert_eq!(refusal(0x12, u64::MAX << 12 | 0x013), msr(MsrError::Refused));
    let other = (SHARED + 0x1000) | 0x013;
    assert_eq!(refusal(0x12, other), msr(MsrError::Reply { found: other }));
}

#[test]
fn registers_of_the_interrupt_controller_are_read_and_written() {
    let (hypervisor, mut guest) = started();
    for register in MSRS {
        guest.write_msr(register, 0x1234_5678_9abc_def0).unwrap();
        assert_eq!(guest.read_msr(register), Ok(0x1234_5678_9abc_def0));
    }
    hypervisor.change(|world| assert_eq!(world.msrs.len(), MSRS.len()));
    for register in [0xc000_0080, 0xc001_0130, 0x80a, 0x10] {
        assert_eq!(guest.read_msr(register), Err(GhcbError::NotListed));
        assert_eq!(guest.write_msr(register, 0), Err(GhcbError::NotListed));
    }
    hypervisor.change(|world| assert_eq!(world.exits.len(), 3 + 2 * MSRS.len()));
}

#[test]
fn a_register_that_is_not_marked_as_valid_was_not_read() {
    // RAX and RDX are fields 63 and 98.
    for field in [63, 98] {
        let (hypervisor, mut guest) = started();
        hypervisor.change(|world| {
            world.change_ghcb = Some(Box::new(move |_, mut page| {
                page[0x3f0 + field / 8] &= !(1 << (field % 8));
                page
            }));
        });
        assert_eq!(guest.read_msr(0x1b), Err(GhcbError::Missing { exit: 0x7c }));
    }
}

#[test]
fn an_exception_or_an_error_instead_of_an_answer_is_refused() {
    for info1 in [1_u64, 2, 3, 0x8000_0000] {
        let (hypervisor, mut guest) = started();
        hypervisor.change(|world| {
            world.change_ghcb = Some(Box::new(move |_, mut page| {
                page[0x398..0x3a0].copy_from_slice(&info1.to_le_bytes());
                page[0x3a0..0x3a8].copy_from_slice(&0x8000_0b0d_u64.to_le_bytes());
                page
            }));
        });
        let refused = |exit| GhcbError::Refused { exit, info1, info2: 0x8000_0b0d };
        assert_eq!(guest.read_msr(0x1b), Err(refused(0x7c)));
        assert_eq!(guest.write_msr(0x1b, 0), Err(refused(0x7c)));
        assert_eq!(guest.read_device(DEVICE, &mut [0; 4]), Err(refused(0x8000_0001)));
        assert_eq!(guest.write_device(DEVICE, &[0; 4]), Err(refused(0x8000_0002)));
    }
}

#[test]
fn a_hypervisor_that_does_nothing_at_all_is_noticed() {
    let (hypervisor, mut guest) = started();
    hypervisor.change(|world| {
        // The request comes back as it was, which for a device's register has an address where there should be a zero.
        world.change_ghcb = Some(Box::new(|_, mut page| {
            page[0x398..0x3a0].copy_from_slice(&DEVICE.to_le_bytes());
            page
        }));
    });
    assert_eq!(
        guest.read_device(DEVICE, &mut [0; 4]),
        Err(GhcbError::Refused { exit: 0x8000_0001, info1: DEVICE, info2: 0 })
    );
}

#[test]
fn registers_of_devices_are_read_and_written_and_nothing_else_is() {
    let (hypervisor, mut guest) = started();
    guest.write_device(DEVICE + 0x30, &[1, 2, 3, 4]).unwrap();
    let mut bytes = [0; 4];
    guest.read_device(DEVICE + 0x30, &mut bytes).unwrap();
    assert_eq!(bytes, [1, 2, 3, 4]);
    let mut byte = [0];
    guest.read_device(DEVICE + 0x32, &mut byte).unwrap();
    assert_eq!(byte, [3]);
    let exits = hypervisor.change(|world| world.exits.len());
    for (address, length) in [
        (DEVICE - 4, 4),
        (DEVICE + 0x200 * 24, 4),
        (DEVICE + 2, 4),
        (DEVICE, 3),
        (DEVICE, 8),
        (DEVICE, 0),
        (0x20_0000, 4),
        (u64::MAX, 1),
    ] {
        let mut bytes = vec![0; length];
        assert_eq!(guest.read_device(address, &mut bytes), Err(GhcbError::NotListed), "{address:#x}");
        assert_eq!(guest.write_device(address, &bytes), Err(GhcbError::NotListed), "{address:#x}");
    }
    assert_eq!(hypervisor.change(|world| world.exits.len()), exits, "nothing of it was asked for");
}

#[test]
fn an_answer_is_read_once() {
    let (hypervisor, mut guest) = started();
    hypervisor.change(|world| world.reads.borrow_mut().clear());
    guest.read_device(DEVICE, &mut [0; 4]).unwrap();
    hypervisor.change(|world| {
        // The save area and the buffer, each once.
        let reads: Vec<_> = world.reads.borrow().clone().into_iter().collect();
        assert_eq!(reads, [(0, 1), (0x800, 1)]);
    });
}

#[test]
fn going_to_sleep_leaves_a_request_and_waits_for_no_answer() {
    let (hypervisor, mut guest) = started();
    hypervisor.change(|world| world.reads.borrow_mut().clear());
    assert_eq!(guest.prepare_halt(), SHARED);
    hypervisor.change(|world| {
        assert!(world.reads.borrow().is_empty());
        hypervisor::ghcb::exit(world, SHARED);
        assert_eq!(world.exits.last(), Some(&0x78));
    });
}

#[test]
fn words_of_the_msr_protocol_are_as_the_specification_has_them() {
    let page = Frame::at(0x1234_5000).unwrap();
    assert_eq!(msr::register(page), 0x1234_5012);
    assert_eq!(msr::page_state(page, PageState::Private), 0x0010_0000_1234_5014);
    assert_eq!(msr::page_state(page, PageState::Shared), 0x0020_0000_1234_5014);
    assert_eq!(msr::terminate(1, 70), 0x46_1100);
    assert_eq!(msr::terminate(0xff, 0xff), 0xff_f100);
    assert_eq!(Frame::at(0x1234_5001), None);
    assert_eq!(Frame::at(1 << 52), None);
}

proptest! {
    #[test]
    fn only_one_answer_of_the_msr_protocol_is_right(reply: u64) {
        let page = Frame::at(SHARED).unwrap();
        prop_assert_eq!(msr::check_registered(reply, page).is_ok(), reply == SHARED | 0x013);
        prop_assert_eq!(msr::check_page_state(reply).is_ok(), reply == 0x015);
        if msr::check_sev_information(reply, 51).is_ok() {
            prop_assert_eq!(reply & 0xffff_ffff, 51 << 24 | 1);
        }
    }

    #[test]
    fn whatever_comes_back_is_read_or_refused(
        noise in proptest::collection::vec(any::<u8>(), 0x400),
        exit in 0..3,
    ) {
        let (hypervisor, mut guest) = started();
        let page = noise.clone();
        hypervisor.change(|world| {
            world.change_ghcb = Some(Box::new(move |_, mut back| {
                back[..0x400].copy_from_slice(&noise);
                back
            }));
        });
        let info1 = hypervisor::ghcb::long(&page, 0x398);
        let read = match exit {
            0 => guest.read_msr(0x1b).map(drop),
            1 => guest.write_msr(0x1b, 1),
            _ => guest.read_device(DEVICE, &mut [0; 4]),
        };
        prop_assert!(info1 & 0xffff_ffff == 0 || read.is_err());
    }
}
