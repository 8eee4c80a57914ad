// SPDX-License-Identifier: Apache-2.0

//! Guests of a few instructions each, as ELF files, written out by hand.
#![allow(dead_code, reason = "each test file uses its own part of this")]

#[path = "../../../../tcb/measure/tests/elf/mod.rs"]
mod elf;

pub(crate) use elf::{Elf, elf};

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
