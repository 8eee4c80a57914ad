// SPDX-License-Identifier: Apache-2.0

//! As guest of SEV-SNP a Keep takes each page of memory into use once, and a hypervisor that plays with pages ends it.

mod hypervisor;

use std::ops::Range;

use enarx_shim::snp::GhcbError;
use enarx_shim::snp::pages::{LARGE, Ledger, MAX_RANGES, PageError, Validated};
use hypervisor::{Hypervisor, PAGE, Rmp, SHARED};
use proptest::prelude::*;

const RESERVED: Range<u64> = 0x20_0000..0x50_0000;

fn ledger() -> Ledger {
    Ledger::new(&[RESERVED, SHARED..SHARED + LARGE]).unwrap()
}

fn take(hypervisor: &Hypervisor, range: Range<u64>) -> Result<(), PageError> {
    hypervisor.start().unwrap().take(&range, &mut ledger())
}

fn all_valid(hypervisor: &Hypervisor, range: Range<u64>) -> bool {
    hypervisor.change(|world| {
        let mut pages = range.step_by(PAGE as usize);
        pages.all(|page| world.rmp.get(&page).is_some_and(|rmp| rmp.assigned && rmp.validated))
    })
}

#[test]
fn a_range_becomes_private_and_valid_in_pages_as_large_as_they_can_be() {
    let range = 0x100_0000 - 3 * PAGE..0x100_0000 + 2 * LARGE + 5 * PAGE;
    for only_small in [false, true] {
        let hypervisor = Hypervisor::new();
        hypervisor.change(|world| world.only_small = only_small);
        take(&hypervisor, range.clone()).unwrap();
        assert!(all_valid(&hypervisor, range.clone()));
        hypervisor.change(|world| {
            let large = world.rmp.values().filter(|rmp| rmp.large).count();
            assert_eq!(large, if only_small { 0 } else { 1024 });
            assert_eq!(world.rmp.len(), 512 + 3 + 1024 + 5);
        });
    }
}

#[test]
fn a_request_that_is_done_in_parts_is_repeated_until_it_is_done() {
    let hypervisor = Hypervisor::new();
    let mut guest = hypervisor.start().unwrap();
    hypervisor.change(|world| world.at_a_time = 10);
    let range = 0x100_0000 + PAGE..0x100_0000 + 101 * PAGE;
    guest.take(&range, &mut ledger()).unwrap();
    assert!(all_valid(&hypervisor, range));
    hypervisor.change(|world| assert_eq!(world.exits.len(), 3 + 10));
}

#[test]
fn nothing_is_taken_twice() {
    let hypervisor = Hypervisor::new();
    let mut guest = hypervisor.start().unwrap();
    let mut ledger = ledger();
    guest.take(&(0x100_0000..0x110_0000), &mut ledger).unwrap();
    let exits = hypervisor.change(|world| world.exits.len());
    for range in [
        0x100_0000..0x110_0000,
        0x10f_f000..0x120_0000,
        0xff_f000..0x100_1000,
        0xf0_0000..0x200_0000,
        // What the launch filled, and what is shared.
        0x4f_f000..0x50_1000,
        SHARED + PAGE..SHARED + 2 * PAGE,
        0x10_0000..0x1000_0000,
    ] {
        let in_use = PageError::InUse { start: range.start, end: range.end };
        assert_eq!(guest.take(&range, &mut ledger), Err(in_use));
    }
    for (start, end) in
        [(1, 0x1000), (0x200_0000, 0x200_0001), (0x200_0000, 0x200_0000), (0x200_1000, 0x200_0000)]
    {
        let range = start..end;
        let unaligned = PageError::Unaligned { start: range.start, end: range.end };
        assert_eq!(guest.take(&range, &mut ledger), Err(unaligned));
    }
    assert_eq!(hypervisor.change(|world| world.exits.len()), exits, "nothing of it was asked for");
}

#[test]
fn there_are_so_many_ranges_and_no_more() {
    let ranges: Vec<_> = (1..=MAX_RANGES as u64).map(|page| page * 2 * PAGE..(page * 2 + 1) * PAGE).collect();
    let mut ledger = Ledger::new(&ranges).unwrap();
    let mut guest = Hypervisor::new().start().unwrap();
    assert_eq!(guest.take(&(0x100_0000..0x110_0000), &mut ledger), Err(PageError::TooMany));
}

#[test]
fn a_page_that_was_valid_before_is_an_attack() {
    // The hypervisor says so for one page, large or small.
    for (at, only_small) in [(0x100_0000 + LARGE, false), (0x100_0000 + LARGE + 7 * PAGE, true)] {
        let hypervisor = Hypervisor::new();
        hypervisor.change(|world| {
            world.only_small = only_small;
            world.change_validated = Some(Box::new(move |address, honest| match honest {
                Validated { code: 0, .. } if address == at => Validated { code: 0, unchanged: true },
                honest => honest,
            }));
        });
        assert_eq!(
            take(&hypervisor, 0x100_0000..0x100_0000 + 2 * LARGE),
            Err(PageError::ValidBefore { address: at })
        );
    }
}

#[test]
fn a_page_state_change_that_was_not_made_does_not_go_unnoticed() {
    // It says that it is done, and the page is what it was: shared. The CPU would raise an exception; here, the test fails
    // unless the guest stops before.
    let hypervisor = Hypervisor::new();
    let mut guest = hypervisor.start().unwrap();
    hypervisor.change(|world| {
        world.change_ghcb = Some(Box::new(|code, mut page| {
            assert_eq!(code, 0x8000_0010);
            page[0x3a0..0x3a8].copy_from_slice(&(1_u64 << 32 | 0x100).to_le_bytes());
            page
        }));
    });
    assert_eq!(
        guest.take(&(0x100_0000..0x110_0000), &mut ledger()),
        Err(PageError::Refused { info: 1 << 32 | 0x100 })
    );
}

#[test]
fn a_size_that_fits_neither_way_is_the_end() {
    for code in [1, 2, 6, 99] {
        let hypervisor = Hypervisor::new();
        hypervisor.change(|world| {
            world.change_validated = Some(Box::new(move |_, _| Validated { code, unchanged: false }));
        });
        assert_eq!(
            take(&hypervisor, 0x100_0000..0x100_0000 + LARGE),
            Err(PageError::Failed { address: 0x100_0000, code })
        );
    }
}

#[test]
fn an_answer_about_pages_that_is_confused_is_refused() {
    // First and last entry, and the reserved half: of a request of 16 entries, of which all are done, an answer says else.
    for header in [0_u64, 15 << 16, 17 | 15 << 16, 16 | 14 << 16, 16 | 16 << 16, 16 | 15 << 16 | 1 << 32] {
        let hypervisor = Hypervisor::new();
        let mut guest = hypervisor.start().unwrap();
        hypervisor.change(|world| {
            world.change_ghcb = Some(Box::new(move |_, mut page| {
                page[0x800..0x808].copy_from_slice(&header.to_le_bytes());
                page
            }));
        });
        let range = 0x100_1000..0x101_1000;
        assert_eq!(guest.take(&range, &mut ledger()), Err(PageError::Confused), "{header:#x}");
    }
}

#[test]
fn a_refusal_of_the_exit_itself_is_passed_on() {
    let hypervisor = Hypervisor::new();
    let mut guest = hypervisor.start().unwrap();
    hypervisor.change(|world| {
        world.change_ghcb = Some(Box::new(|_, mut page| {
            page[0x398] = 2;
            page
        }));
    });
    let refused = GhcbError::Refused { exit: 0x8000_0010, info1: 2, info2: 0 };
    assert_eq!(guest.take(&(0x100_0000..0x110_0000), &mut ledger()), Err(PageError::Ghcb(refused)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_ranges_are_taken_whole_or_refused(
        ranges in proptest::collection::vec((0_u64..0x3000, 1_u64..0x800), 1..6),
        only_small: bool,
        at_a_time in 1_usize..300,
    ) {
        let hypervisor = Hypervisor::new();
        let mut guest = hypervisor.start().unwrap();
        hypervisor.change(|world| {
            world.only_small = only_small;
            world.at_a_time = at_a_time;
        });
        let mut ledger = ledger();
        let mut model = vec![RESERVED, SHARED..SHARED + LARGE];
        for (first, count) in ranges {
            let range = first * PAGE..(first + count) * PAGE;
            let free = model.iter().all(|taken| taken.end <= range.start || range.end <= taken.start);
            let taken = guest.take(&range, &mut ledger);
            prop_assert_eq!(taken.is_ok(), free);
            if free {
                prop_assert!(all_valid(&hypervisor, range.clone()));
                model.push(range);
            }
        }
        hypervisor.change(|world| {
            let valid = |rmp: &&Rmp| rmp.validated;
            let taken: u64 = model[2..].iter().map(|range| (range.end - range.start) / PAGE).sum();
            assert_eq!(world.rmp.values().filter(valid).count() as u64, taken);
        });
    }
}
