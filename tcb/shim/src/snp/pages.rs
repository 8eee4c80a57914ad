// SPDX-License-Identifier: Apache-2.0

//! Taking memory into use: page state changes (56421, section 4.1.6) and PVALIDATE (APM, section 15.36.6).
//!
//! The hypervisor assigns a page to this guest, and the guest then validates it, once. That the same page is never validated
//! twice is what keeps the hypervisor from putting another one in its place, so every range that was taken is remembered,
//! and a page that the CPU says was valid already is the end.

use core::ops::Range;

use super::bytes::{long, word};
use super::ghcb::{BUFFER_LEN, Call, ExitCode, GhcbError, read_buffer, write_buffer};
use super::guest::Guest;
use super::msr::PageState;
use super::{Machine, PAGE};

/// Bytes of a large page.
pub const LARGE: u64 = 2 << 20;
/// Most ranges that can be kept apart.
pub const MAX_RANGES: usize = 24;

/// Entries of one request.
const MAX_ENTRIES: usize = 253;
const HEADER: usize = 8;
const ENTRY: usize = 8;
const LEN: usize = HEADER + ENTRY * MAX_ENTRIES;
/// Bit 56 of an entry: the page is a large one. The state is at bit 52, the address at 12, how far it is at 0.
const IS_LARGE: u64 = 1 << 56;
/// How often the hypervisor may come back with part of a request done. Each time at least one entry must be.
const MAX_ROUNDS: usize = MAX_ENTRIES;

const _: () = assert!(LEN <= BUFFER_LEN);

/// The two sizes of pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Size {
    /// 4 KiB.
    Small = 0,
    /// 2 MiB.
    Large = 1,
}

/// What PVALIDATE says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validated {
    /// EAX: 0 is success, 6 is that the page has another size in the hypervisor's tables.
    pub code: u32,
    /// The carry flag: the page was what it should become already.
    pub unchanged: bool,
}

/// Why memory could not be taken into use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PageError {
    /// In speaking with the hypervisor.
    #[error(transparent)]
    Ghcb(#[from] GhcbError),
    /// The hypervisor says that it did not do it (`SW_EXITINFO2`).
    #[error("the hypervisor did not change pages: {info:#x}")]
    Refused {
        /// What it says.
        info: u64,
    },
    /// The hypervisor went backwards, stood still or changed the request.
    #[error("the hypervisor answered a page state change with something else")]
    Confused,
    /// A range that is not of whole pages, or in no order.
    #[error("memory from {start:#x} to {end:#x} is not of whole pages")]
    Unaligned {
        /// Its beginning.
        start: u64,
        /// Its end.
        end: u64,
    },
    /// A range that was taken or must not be.
    #[error("memory from {start:#x} to {end:#x} is in use")]
    InUse {
        /// Its beginning.
        start: u64,
        /// Its end.
        end: u64,
    },
    /// More ranges than are kept apart.
    #[error("memory is in too many pieces")]
    TooMany,
    /// The page was valid already: the hypervisor has put it where another one was.
    #[error("the page at {address:#x} was valid before")]
    ValidBefore {
        /// Where.
        address: u64,
    },
    /// The CPU did not do it.
    #[error("PVALIDATE of the page at {address:#x} failed with {code}")]
    Failed {
        /// Where.
        address: u64,
        /// The instruction's code.
        code: u32,
    },
}

/// What was taken into use, and what must never be.
#[derive(Clone, Debug)]
pub struct Ledger {
    ranges: [Range<u64>; MAX_RANGES],
    count: usize,
}

impl Ledger {
    /// `reserved` is what the launch filled or what is to be shared.
    pub fn new(reserved: &[Range<u64>]) -> Result<Self, PageError> {
        let mut ledger = Self { ranges: [const { 0..0 }; MAX_RANGES], count: 0 };
        reserved.iter().try_for_each(|range| ledger.enter(range))?;
        Ok(ledger)
    }

    fn enter(&mut self, range: &Range<u64>) -> Result<(), PageError> {
        let (start, end) = (range.start, range.end);
        if !start.is_multiple_of(PAGE) || !end.is_multiple_of(PAGE) || start >= end {
            return Err(PageError::Unaligned { start, end });
        }
        let taken = self.ranges.get(..self.count).unwrap_or_default();
        if taken.iter().any(|taken| taken.start < end && start < taken.end) {
            return Err(PageError::InUse { start, end });
        }
        *self.ranges.get_mut(self.count).ok_or(PageError::TooMany)? = range.clone();
        self.count = self.count.saturating_add(1);
        Ok(())
    }
}

impl<M: Machine> Guest<M> {
    /// Makes a range of whole pages private and valid. It must be mapped as private.
    pub fn take(&mut self, range: &Range<u64>, ledger: &mut Ledger) -> Result<(), PageError> {
        ledger.enter(range)?;
        self.change_pages(range, PageState::Private)?;
        for (address, size) in pieces(range) {
            self.validate(address, size)?;
        }
        Ok(())
    }

    /// A large page that the hypervisor's tables have in small ones is validated one by one.
    fn validate(&mut self, address: u64, size: Size) -> Result<(), PageError> {
        const SIZE_MISMATCH: u32 = 6;
        let found = self.machine().pvalidate(address, size);
        match (found, size) {
            (Validated { code: 0, unchanged: false }, _) => Ok(()),
            (Validated { code: 0, unchanged: true }, _) => Err(PageError::ValidBefore { address }),
            (Validated { code: SIZE_MISMATCH, .. }, Size::Large) => {
                let mut pages = (address..address.saturating_add(LARGE)).step_by(PAGE as usize);
                pages.try_for_each(|page| self.validate(page, Size::Small))
            }
            (Validated { code, .. }, _) => Err(PageError::Failed { address, code }),
        }
    }

    /// Asks the hypervisor to change a range of whole pages.
    pub(super) fn change_pages(&mut self, range: &Range<u64>, state: PageState) -> Result<(), PageError> {
        let mut pieces = pieces(range).peekable();
        while pieces.peek().is_some() {
            let mut request = [0; LEN];
            let mut count = 0;
            let (_, entries) = request.split_at_mut(HEADER);
            for (entry, (address, size)) in entries.as_chunks_mut::<ENTRY>().0.iter_mut().zip(&mut pieces) {
                let large = if size == Size::Large { IS_LARGE } else { 0 };
                *entry = (address | (state as u64) << 52 | large).to_le_bytes();
                count += 1;
            }
            self.request_pages(&mut request, count)?;
        }
        Ok(())
    }

    /// Repeats a request of `count` entries, which is not 0, until all of it is done.
    fn request_pages(&mut self, request: &mut [u8; LEN], count: u16) -> Result<(), PageError> {
        let last = count.saturating_sub(1);
        super::bytes::put(request, 2, &last.to_le_bytes());
        let mut done = 0;
        for _ in 0..MAX_ROUNDS {
            super::bytes::put(request, 0, &u16::to_le_bytes(done));
            write_buffer(self.machine(), request);
            let page = self.ghcb();
            let call = Call::new(ExitCode::PageState, 0, 0).with_buffer(page);
            let info = call.make(self.machine(), page)?.info2();
            if info != 0 {
                return Err(PageError::Refused { info });
            }
            let mut header = [0; HEADER];
            read_buffer(self.machine(), &mut header);
            let (now, end) = (word(&header, 0) & 0xffff, word(&header, 0) >> 16);
            // The last entry's number stays, the reserved half is zero.
            if end != u32::from(last) || long(&header, 0) >> 32 != 0 || now > u32::from(count) {
                return Err(PageError::Confused);
            }
            if now == u32::from(count) {
                return Ok(());
            }
            done = u16::try_from(now).ok().filter(|now| *now > done).ok_or(PageError::Confused)?;
        }
        Err(PageError::Confused)
    }
}

/// The pages of a range, as large as they can be.
fn pieces(range: &Range<u64>) -> impl Iterator<Item = (u64, Size)> {
    let (mut next, end) = (range.start, range.end);
    core::iter::from_fn(move || {
        let left = end.checked_sub(next).filter(|left| *left >= PAGE)?;
        let size = if next.is_multiple_of(LARGE) && left >= LARGE { Size::Large } else { Size::Small };
        let piece = (next, size);
        next = next.saturating_add(if size == Size::Large { LARGE } else { PAGE });
        Some(piece)
    })
}
