// SPDX-License-Identifier: Apache-2.0

//! ELF files, written out by hand: right ones, and wrong ones of every kind.
#![allow(dead_code, reason = "each test file uses its own part of this")]
#![allow(clippy::unwrap_used, reason = "numbers that are small")]

/// Where an image's code is loaded.
pub(crate) const BASE: u32 = 0x10_0000;

/// An ELF file with one segment of code at [`BASE`], which is the entry point.
pub(crate) fn elf(code: &[u8]) -> Vec<u8> {
    let mut builder = Elf::default();
    builder.code.extend_from_slice(code);
    builder.build()
}

/// What may be wrong with an ELF file.
pub(crate) struct Elf {
    pub(crate) code: Vec<u8>,
    pub(crate) address: u64,
    pub(crate) memory: Option<u64>,
    pub(crate) flags: u32,
    pub(crate) entry: u32,
    /// Further segments without bytes in the file: address, size.
    pub(crate) more: Vec<(u64, u64)>,
    pub(crate) notes: usize,
    /// What notes about a guest's pages say.
    pub(crate) pages: Vec<Vec<u32>>,
}

/// CPUID page, secrets page, beginning and end of the host's pages, as the Keep's image has them.
pub(crate) const PAGES: [u32; 4] = [0x4000, 0x5000, 0x1000, 0x4000];

impl Default for Elf {
    fn default() -> Self {
        Self {
            code: Vec::new(),
            address: u64::from(BASE),
            memory: None,
            flags: 5,
            entry: BASE,
            more: Vec::new(),
            notes: 1,
            pages: Vec::new(),
        }
    }
}

impl Elf {
    pub(crate) fn build(&self) -> Vec<u8> {
        let headers = 2 + self.more.len();
        let notes_at = 64 + 56 * headers;
        // Sizes of name and value, type 18, name, value.
        let mut note = Vec::new();
        for word in [4_u32, 4, 18] {
            note.extend_from_slice(&word.to_le_bytes());
        }
        note.extend_from_slice(b"Xen\0");
        note.extend_from_slice(&self.entry.to_le_bytes());
        let mut notes = note.repeat(self.notes);
        for words in &self.pages {
            // The same with a name of six bytes, and two to fill up.
            for word in [6, u32::try_from(4 * words.len()).unwrap(), 1] {
                notes.extend_from_slice(&word.to_le_bytes());
            }
            notes.extend_from_slice(b"Enarx\0\0\0");
            notes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        }
        let code_at = notes_at + notes.len();

        let mut file = b"\x7fELF\x02\x01\x01\x00".to_vec();
        file.extend_from_slice(&[0; 8]);
        // Executable, x86-64, version 1, entry, program headers, section headers.
        file.extend_from_slice(&[2, 0, 62, 0, 1, 0, 0, 0]);
        file.extend_from_slice(&u64::from(self.entry).to_le_bytes());
        file.extend_from_slice(&64_u64.to_le_bytes());
        file.extend_from_slice(&0_u64.to_le_bytes());
        // Flags, sizes of the header, of program headers, their number, no sections.
        file.extend_from_slice(&[0, 0, 0, 0, 64, 0, 56, 0]);
        file.extend_from_slice(&u16::try_from(headers).unwrap().to_le_bytes());
        file.extend_from_slice(&[0; 6]);

        let code = self.code.len() as u64;
        let memory = self.memory.unwrap_or(code);
        file.extend_from_slice(&header(1, self.flags, code_at as u64, self.address, code, memory));
        file.extend_from_slice(&header(4, 4, notes_at as u64, 0, notes.len() as u64, notes.len() as u64));
        for (address, size) in &self.more {
            file.extend_from_slice(&header(1, 4, 0, *address, 0, *size));
        }
        file.extend_from_slice(&notes);
        file.extend_from_slice(&self.code);
        file
    }
}

fn header(kind: u32, flags: u32, offset: u64, address: u64, file: u64, memory: u64) -> Vec<u8> {
    let mut header = Vec::new();
    header.extend_from_slice(&kind.to_le_bytes());
    header.extend_from_slice(&flags.to_le_bytes());
    for number in [offset, address, address, file, memory, 1] {
        header.extend_from_slice(&number.to_le_bytes());
    }
    header
}
