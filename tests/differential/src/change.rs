// SPDX-License-Identifier: Apache-2.0

//! Small changes of evidence and what endorses it, by a generator with a seed: the same seed, the same changes.

use core::fmt;

use crate::Case;

/// A generator of numbers (`SplitMix64`), good enough to spread changes.
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below a limit.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.number() % limit.max(1) as u64).unwrap_or_default()
    }

    fn byte(&mut self) -> u8 {
        self.number().to_le_bytes()[0]
    }
}

/// What was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// `evidence`, `time` or the name of an item.
    pub part: String,
    /// How, and at which bytes.
    pub how: How,
}

/// How a part was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// These bytes have another value: offset, before, after.
    Bytes(Vec<(usize, u8, u8)>),
    /// A byte was taken out.
    Without(usize),
    /// A byte was put in.
    With(usize, u8),
    /// The end is missing from here on.
    Cut(usize),
    /// So many bytes follow.
    Longer(usize),
    /// It is not there.
    Absent,
    /// It is so many seconds later, or earlier.
    Moved(i64),
}

impl Change {
    /// Makes one, which leaves nothing as it was.
    pub fn apply(random: &mut Random, case: &Case, parts: &[&str]) -> (Case, Self) {
        let mut changed = case.clone();
        // Half of all changes are of the evidence, one in 64 is of the time, the others are of items.
        let choice = random.below(64);
        if choice == 0 {
            let seconds = i64::try_from(random.below(60 * 24 * 3600)).unwrap_or_default() - 30 * 24 * 3600;
            changed.now = changed.now.saturating_add_signed(seconds);
            return (changed, Self { part: "time".into(), how: How::Moved(seconds) });
        }
        let chosen = case.items.iter().position(|item| {
            choice >= 32
                && parts.get(random_index(choice, parts.len())).is_some_and(|part| item.name == *part)
        });
        let (part, bytes) = match chosen {
            Some(position) => {
                let item = &mut changed.items[position];
                (item.name.clone(), &mut item.bytes)
            }
            None => ("evidence".to_owned(), &mut changed.evidence),
        };
        let how = Self::change(random, bytes);
        if how == How::Absent {
            changed.items.retain(|item| item.name != part);
        }
        (changed, Self { part, how })
    }

    /// Flips one bit of the evidence.
    pub fn bit(case: &Case, at: usize, bit: u8) -> (Case, Self) {
        let mut changed = case.clone();
        let before = changed.evidence[at];
        changed.evidence[at] ^= 1 << bit;
        let how = How::Bytes(vec![(at, before, changed.evidence[at])]);
        (changed, Self { part: "evidence".into(), how })
    }

    fn change(random: &mut Random, bytes: &mut Vec<u8>) -> How {
        let at = random.below(bytes.len());
        match random.below(32) {
            0 => {
                bytes.remove(at);
                How::Without(at)
            }
            1 => {
                let byte = random.byte();
                bytes.insert(at, byte);
                How::With(at, byte)
            }
            2 => {
                bytes.truncate(at);
                How::Cut(at)
            }
            3 => {
                let count = random.below(16) + 1;
                bytes.extend((0..count).map(|_| random.byte()));
                How::Longer(count)
            }
            4 => {
                bytes.clear();
                How::Absent
            }
            choice => {
                let count = if choice < 8 { 1 + random.below(3) } else { 1 };
                let mut changes = Vec::new();
                for position in 0..count {
                    let at = if position == 0 { at } else { random.below(bytes.len()) };
                    // A single bit as often as any other value.
                    let mask = if choice % 2 == 0 { 1 << random.below(8) } else { random.byte().max(1) };
                    changes.push((at, bytes[at], bytes[at] ^ mask));
                    bytes[at] ^= mask;
                }
                How::Bytes(changes)
            }
        }
    }
}

fn random_index(choice: usize, count: usize) -> usize {
    choice % count.max(1)
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}", self.part, self.how)
    }
}
