// SPDX-License-Identifier: Apache-2.0

//! Which physical memory a Keep uses for what, decided once from the memory map of the host.

use core::ops::Range;

use super::start_info::Region;
use super::{DEVICES, SLOT, SLOTS};

/// Bytes of the smallest page.
pub const PAGE: u64 = 4096;
/// Bytes of a large page.
pub const LARGE: u64 = 2 << 20;
/// Most pieces of memory that are used.
pub const MAX_PIECES: usize = 8;
/// Physical addresses at or above this are not used: 64 GiB.
pub const MAX_ADDRESS: u64 = 64 << 30;
/// Below this there is nothing to rely on: firmware, tables, the hypervisor's own start data.
const LOW: u64 = 1 << 20;
/// Without this much there is no use in starting: 8 MiB.
const MIN_FREE: u64 = 8 << 20;
/// The interrupt controllers' own addresses, which no memory may cover.
const CONTROLLERS: Range<u64> = 0xfec0_0000..0xfef0_0000;

/// Free memory in page-aligned pieces, the largest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    pieces: [Range<u64>; MAX_PIECES],
    count: usize,
}

/// A memory map that a Keep does not start with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// Two regions share addresses, and one of them is memory.
    #[error("regions {first} and {second} of the memory map overlap")]
    Overlap {
        /// Which one, from 0.
        first: usize,
        /// Which other one.
        second: usize,
    },
    /// Memory where devices are.
    #[error("region {region} of the memory map covers addresses of devices")]
    CoversDevices {
        /// Which one, from 0.
        region: usize,
    },
    /// The image is not, or not all, in memory.
    #[error("the image is not in one region of memory")]
    ImageOutside,
    /// Too little memory.
    #[error("{free} bytes of memory are free, fewer than {MIN_FREE}")]
    TooSmall {
        /// How much there is.
        free: u64,
    },
}

impl Layout {
    /// Plans for an image that stands at `image`.
    pub fn plan(regions: &[Region], image: &Range<u64>) -> Result<Self, LayoutError> {
        check(regions)?;
        let holds_image =
            |region: &Region| region.ram && region.start <= image.start && image.end <= end(region);
        if !regions.iter().any(holds_image) {
            return Err(LayoutError::ImageOutside);
        }
        let mut layout = Self { pieces: [const { 0..0 }; MAX_PIECES], count: 0 };
        for region in regions.iter().filter(|region| region.ram) {
            let range = region.start.max(LOW)..end(region).min(MAX_ADDRESS);
            // What is before the image in its region, and what is after it; elsewhere one of them is everything.
            layout.add(range.start..range.end.min(image.start));
            layout.add(range.start.max(image.end)..range.end);
        }
        let free = layout.pieces().iter().map(|piece| piece.end - piece.start).sum();
        if free < MIN_FREE {
            return Err(LayoutError::TooSmall { free });
        }
        Ok(layout)
    }

    /// The pieces, the largest first. Each begins and ends at a page.
    pub fn pieces(&self) -> &[Range<u64>] {
        self.pieces.get(..self.count).unwrap_or_default()
    }

    /// Takes 2 MiB, beginning at a multiple of that, out of the pieces that end at or below `limit`: from the largest that has
    /// them, the highest.
    pub fn take_large(&mut self, limit: u64) -> Option<u64> {
        let (number, start) = self.pieces().iter().enumerate().find_map(|(number, piece)| {
            let end = piece.end - piece.end % LARGE;
            let start = end.checked_sub(LARGE).filter(|start| *start >= piece.start)?;
            (piece.end <= limit).then_some((number, start))
        })?;
        let pieces = self.pieces.get_mut(number..self.count)?;
        let piece = core::mem::take(pieces.first_mut()?);
        pieces.rotate_left(1);
        self.count = self.count.saturating_sub(1);
        self.add(piece.start..start);
        self.add(start.saturating_add(LARGE)..piece.end);
        Some(start)
    }

    /// Keeps the largest pieces. A region that lies wholly on one side of the image comes twice, as itself and as
    /// nothing or itself again.
    fn add(&mut self, range: Range<u64>) {
        let start = range.start.next_multiple_of(PAGE);
        let end = range.end - range.end % PAGE;
        if start >= end || self.pieces().contains(&(start..end)) {
            return;
        }
        let place = self.pieces().iter().position(|piece| piece.end - piece.start < end - start);
        let place = place.unwrap_or(self.count);
        // When there are as many as there may be, and none is smaller, this one is let go.
        if let Some(later) = self.pieces.get_mut(place..).filter(|later| !later.is_empty()) {
            later.rotate_right(1);
            if let Some(first) = later.first_mut() {
                *first = start..end;
                self.count = (self.count + 1).min(MAX_PIECES);
            }
        }
    }
}

fn check(regions: &[Region]) -> Result<(), LayoutError> {
    let devices = DEVICES..DEVICES + SLOT * SLOTS;
    for (first, region) in regions.iter().enumerate() {
        let range = region.start..end(region);
        if region.ram && (meet(&range, &devices) || meet(&range, &CONTROLLERS)) {
            return Err(LayoutError::CoversDevices { region: first });
        }
        for (second, other) in regions.iter().enumerate().skip(first + 1) {
            if (region.ram || other.ram) && meet(&range, &(other.start..end(other))) {
                return Err(LayoutError::Overlap { first, second });
            }
        }
    }
    Ok(())
}

/// A region that was read ends at an address.
fn end(region: &Region) -> u64 {
    region.start.saturating_add(region.size)
}

fn meet(one: &Range<u64>, other: &Range<u64>) -> bool {
    one.start < other.end && other.start < one.end
}
