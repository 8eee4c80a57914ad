// SPDX-License-Identifier: Apache-2.0

//! The CPUID page (56860, section 8.17, page type CPUID): what the firmware lets a hypervisor say about the CPU.
//!
//! The firmware checked at launch that nothing in it is more than the CPU has. A guest that asks the hypervisor instead
//! would be told anything, so what is not in the page is not there.

use super::bytes::{long, word};

/// Most entries of the page.
pub const MAX_ENTRIES: usize = 64;
/// Bytes of the page that are read: 16 and 64 times 48.
pub const USED: usize = HEADER + MAX_ENTRIES * ENTRY;

const HEADER: usize = 16;
const ENTRY: usize = 48;
/// Where AMD's memory encryption is described (APM volume 3, E.4.17).
const ENCRYPTION: u32 = 0x8000_001f;
/// SEV, SEV-ES and SEV-SNP in EAX of that leaf.
const GUEST_OF_SNP: u32 = 1 << 1 | 1 << 3 | 1 << 4;
const PRIVATE_BIT: u32 = 0x3f;
/// The private bit is above what a 32-bit table entry has, and within an address.
const PRIVATE_BITS: core::ops::Range<u32> = 32..52;

/// Leaves whose answer depends on ECX (APM volume 3, appendix E; Intel SDM volume 2, CPUID).
const WITH_SUBLEAVES: &[u32] = &[
    4,
    7,
    0xb,
    0xd,
    0xf,
    0x10,
    0x12,
    0x14,
    0x17,
    0x18,
    0x1d,
    0x1e,
    0x1f,
    0x23,
    0x24,
    0x8000_001d,
    0x8000_0020,
    0x8000_0026,
];
/// The leaf about XSAVE. The answers for its first two subleaves depend on XCR0 and `IA32_XSS`.
const XSAVE: u32 = 0xd;
/// Bit 27 in ECX of leaf 1 says what CR4 says.
const OSXSAVE: u32 = 1 << 27;

/// What CPUID gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// EAX.
    pub eax: u32,
    /// EBX.
    pub ebx: u32,
    /// ECX.
    pub ecx: u32,
    /// EDX.
    pub edx: u32,
}

/// What the CPU's answers depend on besides EAX and ECX.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// CR4.OSXSAVE.
    pub osxsave: bool,
    /// XCR0.
    pub xcr0: u64,
    /// `IA32_XSS`.
    pub xss: u64,
}

/// A CPUID page that was understood.
#[derive(Clone, Debug)]
pub struct Table {
    entries: [Entry; MAX_ENTRIES],
    count: usize,
    private_bit: u8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Entry {
    leaf: u32,
    subleaf: u32,
    xcr0: u64,
    xss: u64,
    answer: Answer,
}

/// A CPUID page that a Keep does not start with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CpuidError {
    /// No entries, or more than fit.
    #[error("the CPUID page has {count} entries; it must have 1 to {MAX_ENTRIES}")]
    Count {
        /// How many it says.
        count: u32,
    },
    /// Fewer bytes than a page has.
    #[error("the CPUID page ends early")]
    Truncated,
    /// Reserved bytes that are not zero.
    #[error("reserved bytes of the CPUID page are not zero")]
    Reserved,
    /// Two answers to one question.
    #[error("entry {entry} of the CPUID page answers what another one answers")]
    Duplicate {
        /// Which one, from 0.
        entry: usize,
    },
    /// The page does not say that this is a guest of SEV-SNP, or names a bit for private memory that cannot be.
    #[error("the CPUID page does not describe a CPU with SEV-SNP")]
    NoSnp,
    /// A question that the page cannot answer, because the answer depends on registers.
    #[error("the CPUID page has no answer for leaf {leaf:#x} in this state of the CPU")]
    Unanswered {
        /// The leaf.
        leaf: u32,
    },
}

impl Table {
    /// Reads a page, or its first [`USED`] bytes.
    pub fn parse(page: &[u8]) -> Result<Self, CpuidError> {
        let page = page.get(..USED).ok_or(CpuidError::Truncated)?;
        let number = word(page, 0);
        let count = usize::try_from(number).ok().filter(|count| (1..=MAX_ENTRIES).contains(count));
        let count = count.ok_or(CpuidError::Count { count: number })?;
        if word(page, 4) != 0 || long(page, 8) != 0 {
            return Err(CpuidError::Reserved);
        }
        let mut table = Self { entries: [Entry::default(); MAX_ENTRIES], count: 0, private_bit: 0 };
        let (entries, _) = page.get(HEADER..).unwrap_or_default().as_chunks::<ENTRY>();
        for (number, bytes) in entries.iter().take(count).enumerate() {
            let entry = Entry::read(bytes)?;
            if table.entries().iter().any(|earlier| earlier.asks_the_same_as(&entry)) {
                return Err(CpuidError::Duplicate { entry: number });
            }
            if let Some(place) = table.entries.get_mut(number) {
                *place = entry;
            }
            table.count = number.saturating_add(1);
        }
        table.private_bit = table.find_private_bit()?;
        Ok(table)
    }

    /// Which bit of a page-table entry marks memory as private (the C-bit; APM, section 15.34.1).
    pub fn private_bit(&self) -> u8 {
        self.private_bit
    }

    /// What CPUID would say. A leaf or subleaf that the page does not have is all zeros, as on a CPU that lacks it.
    pub fn answer(&self, leaf: u32, subleaf: u32, state: &State) -> Result<Answer, CpuidError> {
        let subleaf = if WITH_SUBLEAVES.contains(&leaf) { subleaf } else { 0 };
        let mut known = self.entries().iter().filter(|entry| entry.leaf == leaf && entry.subleaf == subleaf);
        let entry = if leaf == XSAVE && subleaf < 2 {
            known.find(|entry| entry.xcr0 == state.xcr0 && entry.xss == state.xss)
        } else {
            known.next()
        };
        let Some(entry) = entry else {
            let depends = leaf == XSAVE && subleaf < 2;
            return if depends { Err(CpuidError::Unanswered { leaf }) } else { Ok(Answer::default()) };
        };
        let mut answer = entry.answer;
        if leaf == 1 {
            answer.ecx = answer.ecx & !OSXSAVE | if state.osxsave { OSXSAVE } else { 0 };
        }
        Ok(answer)
    }

    fn entries(&self) -> &[Entry] {
        self.entries.get(..self.count).unwrap_or_default()
    }

    fn find_private_bit(&self) -> Result<u8, CpuidError> {
        let answer = self.answer(ENCRYPTION, 0, &State::default())?;
        let bit = answer.ebx & PRIVATE_BIT;
        if answer.eax & GUEST_OF_SNP != GUEST_OF_SNP || !PRIVATE_BITS.contains(&bit) {
            return Err(CpuidError::NoSnp);
        }
        u8::try_from(bit).map_err(|_| CpuidError::NoSnp)
    }
}

impl Entry {
    /// `EAX_IN`, `ECX_IN`, `XCR0_IN`, `XSS_IN`, EAX, EBX, ECX, EDX, and 8 reserved bytes.
    fn read(bytes: &[u8; ENTRY]) -> Result<Self, CpuidError> {
        if long(bytes, 40) != 0 {
            return Err(CpuidError::Reserved);
        }
        let answer =
            Answer { eax: word(bytes, 24), ebx: word(bytes, 28), ecx: word(bytes, 32), edx: word(bytes, 36) };
        let leaf = word(bytes, 0);
        // A hypervisor may give any ECX where it does not matter.
        let subleaf = if WITH_SUBLEAVES.contains(&leaf) { word(bytes, 4) } else { 0 };
        Ok(Self { leaf, subleaf, xcr0: long(bytes, 8), xss: long(bytes, 16), answer })
    }

    fn asks_the_same_as(&self, other: &Self) -> bool {
        let registers = |entry: &Self| match (entry.leaf, entry.subleaf) {
            (XSAVE, 0 | 1) => (entry.xcr0, entry.xss),
            _ => (0, 0),
        };
        (self.leaf, self.subleaf, registers(self)) == (other.leaf, other.subleaf, registers(other))
    }
}
