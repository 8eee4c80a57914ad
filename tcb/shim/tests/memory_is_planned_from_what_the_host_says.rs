// SPDX-License-Identifier: Apache-2.0

//! Of the host's memory map the Keep takes what cannot hurt: memory that is neither its own image, nor a device, nor
//! told twice.

use std::ops::Range;

use enarx_shim::machine::layout::{LARGE, Layout, LayoutError, MAX_ADDRESS, MAX_PIECES, PAGE};
use enarx_shim::machine::start_info::Region;
use proptest::prelude::*;

const MIB: u64 = 1 << 20;
const IMAGE: Range<u64> = 2 * MIB..5 * MIB;

fn ram(start: u64, end: u64) -> Region {
    Region { start, size: end - start, ram: true }
}

fn reserved(start: u64, end: u64) -> Region {
    Region { ram: false, ..ram(start, end) }
}

fn plan(regions: &[Region]) -> Result<Vec<Range<u64>>, LayoutError> {
    Layout::plan(regions, &IMAGE).map(|layout| layout.pieces().to_vec())
}

#[test]
fn what_is_around_the_image_is_free_from_1_mib_on() {
    let regions = [ram(0, 0x9_fc00), reserved(0x9_fc00, MIB), ram(MIB, 64 * MIB)];
    assert_eq!(plan(&regions).unwrap(), [5 * MIB..64 * MIB, MIB..2 * MIB]);
}

#[test]
fn memory_above_4_gib_is_used_too_and_the_largest_comes_first() {
    let regions = [ram(4096 * MIB, 8192 * MIB), ram(MIB, 64 * MIB)];
    assert_eq!(plan(&regions).unwrap(), [4096 * MIB..8192 * MIB, 5 * MIB..64 * MIB, MIB..2 * MIB]);
}

#[test]
fn pieces_are_whole_pages_inside_of_what_was_said() {
    let regions = [ram(MIB + 1, 64 * MIB - 1)];
    assert_eq!(plan(&regions).unwrap(), [5 * MIB..64 * MIB - PAGE, MIB + PAGE..2 * MIB]);
}

#[test]
fn what_is_beyond_all_use_is_left_alone() {
    assert_eq!(
        plan(&[ram(MIB, 64 * MIB), ram(MAX_ADDRESS, MAX_ADDRESS + 64 * MIB)]).unwrap(),
        [5 * MIB..64 * MIB, MIB..2 * MIB]
    );
}

#[test]
fn lies_are_refused() {
    let overlap = |first, second| Err(LayoutError::Overlap { first, second });
    let good = ram(MIB, 64 * MIB);
    assert_eq!(plan(&[good, good]), overlap(0, 1));
    assert_eq!(plan(&[good, ram(128 * MIB, 129 * MIB), ram(64 * MIB - 1, 65 * MIB)]), overlap(0, 2));
    assert_eq!(plan(&[good, reserved(32 * MIB, 33 * MIB)]), overlap(0, 1));
    assert_eq!(plan(&[reserved(0, 1 << 40), good]), overlap(0, 1));
    let covers = |region| Err(LayoutError::CoversDevices { region });
    assert_eq!(plan(&[ram(MIB, 4096 * MIB)]), covers(0));
    assert_eq!(plan(&[good, ram(0xfeb0_0000, 0xfeb0_1000)]), covers(1));
    assert_eq!(plan(&[good, ram(0xfee0_0000, 0xfee0_1000)]), covers(1));
    assert_eq!(plan(&[]), Err(LayoutError::ImageOutside));
    assert_eq!(plan(&[reserved(MIB, 64 * MIB)]), Err(LayoutError::ImageOutside));
    assert_eq!(plan(&[ram(MIB, 4 * MIB), ram(4 * MIB, 64 * MIB)]), Err(LayoutError::ImageOutside));
    assert_eq!(plan(&[ram(2 * MIB, 5 * MIB)]), Err(LayoutError::TooSmall { free: 0 }));
    assert_eq!(plan(&[ram(2 * MIB, 13 * MIB - PAGE)]), Err(LayoutError::TooSmall { free: 8 * MIB - PAGE }));
    assert_eq!(plan(&[ram(2 * MIB, 13 * MIB)]).unwrap(), std::slice::from_ref(&(5 * MIB..13 * MIB)));
}

#[test]
fn of_many_pieces_the_largest_are_kept() {
    let mut regions = vec![ram(MIB, 64 * MIB)];
    regions
        .extend((0..20).map(|index| ram((100 + index * 10) * MIB, (101 + index * 10) * MIB + index * PAGE)));
    let pieces = plan(&regions).unwrap();
    assert_eq!(pieces.len(), MAX_PIECES);
    assert_eq!(pieces[0], 5 * MIB..64 * MIB);
    assert_eq!(pieces[1], 290 * MIB..291 * MIB + 19 * PAGE);
    assert!(pieces.is_sorted_by(|one, other| one.end - one.start >= other.end - other.start));
}

#[test]
fn pieces_beyond_the_limit_are_let_go_whatever_their_order() {
    let map = |sizes: &[u64]| {
        let mut regions = vec![ram(MIB, 64 * MIB)];
        for (number, size) in (0_u64..).zip(sizes) {
            regions.push(ram((100 + 10 * number) * MIB, (100 + 10 * number) * MIB + size * PAGE));
        }
        plan(&regions).unwrap().into_iter().skip(1).map(|piece| (piece.end - piece.start) / PAGE).collect()
    };
    let kept: Vec<u64> = map(&[900, 800, 700, 600, 500, 400, 300, 200]);
    assert_eq!(kept, [900, 800, 700, 600, 500, 400, 300]);
    let kept: Vec<u64> = map(&[200, 300, 400, 500, 600, 700, 800, 900]);
    assert_eq!(kept, [900, 800, 700, 600, 500, 400, 300]);
}

#[test]
fn a_large_page_is_taken_out_of_a_piece_and_nothing_is_lost() {
    let take = |regions: &[Region], limit| {
        let mut layout = Layout::plan(regions, &IMAGE).unwrap();
        let taken = layout.take_large(limit);
        (taken, layout.pieces().to_vec())
    };
    let map = [ram(MIB, 63 * MIB), ram(4096 * MIB, 8192 * MIB)];
    let left = [4096 * MIB..8192 * MIB, 5 * MIB..60 * MIB, MIB..2 * MIB, 62 * MIB..63 * MIB];
    assert_eq!(take(&map, 4096 * MIB), (Some(60 * MIB), left.to_vec()));
    let left = [4096 * MIB..8190 * MIB, 5 * MIB..63 * MIB, MIB..2 * MIB];
    assert_eq!(take(&map, u64::MAX), (Some(8190 * MIB), left.to_vec()));
    // Nothing ends that low.
    let (taken, left) = take(&map, MIB);
    assert_eq!((taken, left.len()), (None, 3));
}

proptest! {
    #[test]
    fn whatever_is_said_pieces_are_apart_and_allowed(
        said in proptest::collection::vec((0..1_u64 << 37, 1..1_u64 << 34, any::<bool>()), 0..12),
        with_image in any::<bool>(),
    ) {
        let mut regions: Vec<_> =
            said.into_iter().map(|(start, size, ram)| Region { start, size, ram }).collect();
        if with_image {
            regions.insert(0, ram(MIB, 64 * MIB));
        }
        let Ok(pieces) = plan(&regions) else { return Ok(()) };
        for (index, piece) in pieces.iter().enumerate() {
            prop_assert!(piece.start % PAGE == 0 && piece.end % PAGE == 0 && piece.start < piece.end);
            prop_assert!(piece.end <= IMAGE.start || IMAGE.end <= piece.start);
            prop_assert!(piece.start >= MIB && piece.end <= MAX_ADDRESS);
            let inside = |region: &Region| region.ram && region.start <= piece.start && piece.end <= region.start + region.size;
            prop_assert!(regions.iter().any(inside));
            let outside = |region: &Region| !region.ram && region.start < piece.end && piece.start < region.start + region.size;
            prop_assert!(!regions.iter().any(outside));
            for other in &pieces[index + 1..] {
                prop_assert!(piece.end <= other.start || other.end <= piece.start);
            }
        }
    }

    #[test]
    fn a_large_page_that_is_taken_is_nobody_elses(
        regions in proptest::collection::vec((0_u64..64, 1_u64..64), 1..10),
        limit in 0_u64..200,
    ) {
        let mut next = 5 * MIB;
        let mut map = vec![ram(MIB, next)];
        for (gap, size) in regions {
            map.push(ram(next + gap * PAGE * 100, next + gap * PAGE * 100 + size * PAGE * 300));
            next = map.last().unwrap().start + map.last().unwrap().size;
        }
        if let Ok(mut layout) = Layout::plan(&map, &IMAGE) {
            let total = |layout: &Layout| layout.pieces().iter().map(|piece| piece.end - piece.start).sum::<u64>();
            let before = total(&layout);
            match layout.take_large(limit * MIB) {
                None => prop_assert_eq!(total(&layout), before),
                Some(start) => {
                    prop_assert!(start.is_multiple_of(LARGE) && start + LARGE <= limit * MIB);
                    prop_assert!(layout.pieces().iter().all(|piece| piece.end <= start || start + LARGE <= piece.start));
                    // One piece may become two, and then the smallest may have to go.
                    prop_assert!(total(&layout) <= before - LARGE);
                    prop_assert!(layout.pieces().is_sorted_by_key(|piece| core::cmp::Reverse(piece.end - piece.start)));
                }
            }
        }
    }
}
