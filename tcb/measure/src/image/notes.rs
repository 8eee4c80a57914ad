// SPDX-License-Identifier: Apache-2.0

//! Notes of an ELF file: the one that names the entry point, and the one that names a guest's pages.

use super::bytes::Bytes;
use super::{GuestPages, ImageError, LOWEST_SEGMENT};
use crate::launch::PAGE;

const XEN: &[u8] = b"Xen\0";
/// `XEN_ELFNOTE_PHYS32_ENTRY`, xen/include/public/elfnote.h.
const PHYS32_ENTRY: u32 = 18;
const ENARX: &[u8] = b"Enarx\0";
/// The pages of a guest (docs/micro-vm-keep.md).
const GUEST_PAGES: u32 = 1;
const GUEST_PAGES_SIZE: usize = 16;
const HEADER: usize = 12;

/// What the notes of an image say.
#[derive(Default)]
pub(super) struct Notes {
    pub(super) entry: Option<u64>,
    pub(super) guest_pages: Option<GuestPages>,
}

impl Notes {
    /// Looks through a table of notes; a second one of a kind, here or in an earlier table, is refused.
    pub(super) fn read(&mut self, mut notes: Bytes<'_>) -> Result<(), ImageError> {
        while !notes.0.is_empty() {
            let cut = ImageError::Truncated { what: "notes" };
            let (note, rest) = next(notes).ok_or(cut)?;
            notes = rest;
            let second = match (note.name, note.kind) {
                (XEN, PHYS32_ENTRY) => {
                    let before = self.entry.replace(entry(note.value)?);
                    before.map(|_| ImageError::Note { what: "has more than one" })
                }
                (ENARX, GUEST_PAGES) => {
                    let before = self.guest_pages.replace(guest_pages(note.value)?);
                    before.map(|_| ImageError::GuestPages { what: "is there twice" })
                }
                _ => None,
            };
            second.map_or(Ok(()), Err)?;
        }
        Ok(())
    }
}

fn entry(value: Bytes<'_>) -> Result<u64, ImageError> {
    let entry = match value.0.len() {
        4 => value.u32(0).map(u64::from),
        8 => value.u64(0),
        _ => None,
    };
    entry.ok_or(ImageError::Note { what: "has a note of another size for the" })
}

/// Addresses of the CPUID page and the secrets page, beginning and end of the host's pages.
fn guest_pages(value: Bytes<'_>) -> Result<GuestPages, ImageError> {
    let wrong = |what| ImageError::GuestPages { what };
    let word = |offset| value.u32(offset).map(u64::from).ok_or(wrong("has another size"));
    if value.0.len() != GUEST_PAGES_SIZE {
        return Err(wrong("has another size"));
    }
    let (cpuid, secrets, start, end) = (word(0)?, word(4)?, word(8)?, word(12)?);
    if [cpuid, secrets, start, end].iter().any(|address| !address.is_multiple_of(PAGE)) {
        return Err(wrong("names an address within a page"));
    }
    // There boot data and devices of no guest are, and no segment.
    if cpuid >= LOWEST_SEGMENT || secrets >= LOWEST_SEGMENT || end > LOWEST_SEGMENT {
        return Err(wrong("names a page from 1 MiB on"));
    }
    if start >= end {
        return Err(wrong("leaves the host no page"));
    }
    let host = start..end;
    if cpuid == secrets || host.contains(&cpuid) || host.contains(&secrets) {
        return Err(wrong("names a page twice"));
    }
    Ok(GuestPages { cpuid, secrets, host })
}

struct Note<'a> {
    kind: u32,
    name: &'a [u8],
    value: Bytes<'a>,
}

/// One note and what follows it.
fn next(notes: Bytes<'_>) -> Option<(Note<'_>, Bytes<'_>)> {
    let size = |offset| notes.u32(offset).and_then(|size| usize::try_from(size).ok());
    let (name_size, value_size) = (size(0)?, size(4)?);
    let kind = notes.u32(8)?;
    let name = notes.slice(HEADER..HEADER.checked_add(name_size)?)?;
    let value_start = HEADER.checked_add(name_size.checked_next_multiple_of(4)?)?;
    let value_end = value_start.checked_add(value_size)?;
    let value = notes.slice(value_start..value_end)?;
    // The last note's padding may be missing.
    let end = value_end.checked_next_multiple_of(4)?.min(notes.0.len());
    let rest = notes.slice(end..notes.0.len())?;
    Some((Note { kind, name: name.0, value }, rest))
}
