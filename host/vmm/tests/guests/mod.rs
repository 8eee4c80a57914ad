// SPDX-License-Identifier: Apache-2.0

//! Guests of a few instructions each, as ELF files, written out by hand.
#![allow(dead_code, reason = "each test file uses its own part of this")]

/// Where the guests' code is loaded.
pub(crate) const BASE: u32 = 0x10_0000;

/// Ends with `status`: `mov al, status; out 0xf4, al`.
pub(crate) fn ends_with(status: u8) -> Vec<u8> {
    elf(&[0xb0, status, 0xe6, 0xf4])
}

/// Ends with what `[ebx]`, the first byte of the boot data, holds: `mov al, [ebx]; out 0xf4, al`.
pub(crate) fn ends_with_first_boot_byte() -> Vec<u8> {
    elf(&[0x8a, 0x03, 0xe6, 0xf4])
}

/// Runs into an undefined instruction without a table of handlers: `ud2`.
pub(crate) fn crashes() -> Vec<u8> {
    elf(&[0x0f, 0x0b])
}

/// Writes to a port that there is not, for ever: `out 0x80, al; jmp $-2`.
pub(crate) fn floods() -> Vec<u8> {
    elf(&[0xe6, 0x80, 0xeb, 0xfc])
}

/// Does nothing, for ever: `jmp $`.
pub(crate) fn spins() -> Vec<u8> {
    elf(&[0xeb, 0xfe])
}

/// Reads the device's magic number and identity by its registers and ends with the latter, 19; with 1 if they are
/// others.
pub(crate) fn asks_for_the_device() -> Vec<u8> {
    elf(&[
        0xbe, 0x00, 0x00, 0xb0, 0xfe, // mov esi, 0xfeb00000
        0xb0, 0x01, // mov al, 1
        0x81, 0x3e, 0x76, 0x69, 0x72, 0x74, // cmp dword [esi], "virt"
        0x75, 0x03, // jne +3
        0x8b, 0x46, 0x08, // mov eax, [esi + 8]
        0xe6, 0xf4, // out 0xf4, al
    ])
}

/// Writes `text` to the console, then ends with 0.
pub(crate) fn prints(text: &str) -> Vec<u8> {
    // mov dx, 0x3f8
    let mut code = vec![0x66, 0xba, 0xf8, 0x03];
    for byte in text.bytes() {
        // mov al, byte; out dx, al
        code.extend_from_slice(&[0xb0, byte, 0xee]);
    }
    // mov al, 0; out 0xf4, al
    code.extend_from_slice(&[0xb0, 0x00, 0xe6, 0xf4]);
    elf(&code)
}

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
}

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
        let notes = note.repeat(self.notes);
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
