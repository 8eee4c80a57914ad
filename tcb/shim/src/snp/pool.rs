// SPDX-License-Identifier: Apache-2.0

//! The pages that a device may see: a fixed number, given out and taken back. Everything else stays private, so what a
//! device is to read is copied into these, and what it wrote is copied out before anybody looks at it.

use super::{DEVICE, SHARED_PAGES};

/// How many there are.
pub const PAGES: u64 = SHARED_PAGES - DEVICE;

const WORDS: usize = (PAGES / 64) as usize;

const _: () = assert!(PAGES.is_multiple_of(64));

/// Which pages are in use.
#[derive(Clone, Debug)]
pub struct Pool {
    used: [u64; WORDS],
}

impl Pool {
    /// None are.
    pub const fn new() -> Self {
        Self { used: [0; WORDS] }
    }

    /// Takes as many pages in a row; says which of the shared pages is the first.
    pub fn take(&mut self, count: u64) -> Option<u64> {
        let free = |pool: &Self, first: u64| {
            (first..first.saturating_add(count)).rev().find(|page| pool.is_used(*page))
        };
        let mut first: u64 = 0;
        while count > 0 && first.checked_add(count)? <= PAGES {
            match free(self, first) {
                None => {
                    (first..first + count).for_each(|page| self.flip(page));
                    return first.checked_add(DEVICE);
                }
                Some(used) => first = used.saturating_add(1),
            }
        }
        None
    }

    /// Takes them back. `false`, and nothing happens, if they were not all given out.
    pub fn give_back(&mut self, first: u64, count: u64) -> bool {
        let Some(first) = first.checked_sub(DEVICE) else { return false };
        let Some(end) = first.checked_add(count).filter(|end| *end <= PAGES) else { return false };
        if (first..end).any(|page| !self.is_used(page)) {
            return false;
        }
        (first..end).for_each(|page| self.flip(page));
        true
    }

    fn is_used(&self, page: u64) -> bool {
        let word = usize::try_from(page / 64).ok().and_then(|index| self.used.get(index));
        word.is_none_or(|word| word >> (page % 64) & 1 == 1)
    }

    fn flip(&mut self, page: u64) {
        let word = usize::try_from(page / 64).ok().and_then(|index| self.used.get_mut(index));
        if let Some(word) = word {
            *word ^= 1 << (page % 64);
        }
    }
}

impl Default for Pool {
    fn default() -> Self {
        Self::new()
    }
}
