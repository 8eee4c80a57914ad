// SPDX-License-Identifier: Apache-2.0

//! The `MRTD` of TDX: SHA-384 over the address of each page that is added, and over the contents of those that are
//! measured, 256 bytes at a time (*Intel TDX Module Base Architecture Specification*, "Build-time measurement: MRTD").

use sha2::{Digest as _, Sha384};

use crate::image::{Image, ImageError};
use crate::launch::{Guest, Launch, PAGE_BYTES, PageKind};

/// The page with the first instruction of every TD, the last below 4 GiB.
pub const RESET_PAGE: u64 = 0xffff_f000;
/// Where in that page it is.
const RESET_OFFSET: usize = 0xff0;
/// The bytes from there to the end of the page.
const RESET_CODE: u32 = 16;

/// Length of the blocks that say what is done.
const BLOCK: usize = 128;
/// Bytes that are measured at a time.
const CHUNK: usize = 256;

/// What a TD report says in `MRTD` of a guest that was launched from this image.
pub fn mrtd(image: &Image) -> Result<[u8; 48], ImageError> {
    let launch = Launch::tdx(image)?;
    let mut hash = Sha384::new();
    for page in launch.pages() {
        hash.update(block(b"MEM.PAGE.ADD", page.address));
        if page.kind != PageKind::Measured {
            continue;
        }
        let contents = page.contents();
        for (address, chunk) in (page.address..).step_by(CHUNK).zip(contents.chunks_exact(CHUNK)) {
            hash.update(block(b"MR.EXTEND", address));
            hash.update(chunk);
        }
    }
    Ok(hash.finalize().into())
}

/// What is done to which address: the name in 16 bytes, the address, zeros.
fn block(name: &[u8], address: u64) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    block.iter_mut().zip(name).for_each(|(to, from)| *to = *from);
    block.iter_mut().skip(16).zip(address.to_le_bytes()).for_each(|(to, from)| *to = from);
    block
}

/// The page that TDs begin in, at 16 bytes before its end, in 32-bit protected mode with flat segments: it fills in the
/// registers as a guest expects them and goes to the image's entry.
pub(crate) fn reset_page(entry: u32, start_info: u32) -> [u8; PAGE_BYTES] {
    // The jump is the last of three instructions of five bytes each, and counts from its own end.
    let after = 0_u32.wrapping_sub(RESET_CODE).wrapping_add(15);
    let distance = entry.wrapping_sub(after);
    let instructions = [(0xbe, Guest::Tdx.magic()), (0xbb, start_info), (0xe9, distance)];
    let code = instructions.into_iter().flat_map(|(operation, operand): (u8, u32)| {
        // mov esi, magic; mov ebx, start_info; jmp entry
        core::iter::once(operation).chain(operand.to_le_bytes())
    });
    let mut page = [0; PAGE_BYTES];
    page.iter_mut().skip(RESET_OFFSET).zip(code).for_each(|(to, from)| *to = from);
    page
}
