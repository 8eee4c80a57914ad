// SPDX-License-Identifier: Apache-2.0

//! Notes of an ELF file: the one that names the entry point.

use super::ImageError;
use super::bytes::Bytes;

const NAME: &[u8] = b"Xen\0";
/// `XEN_ELFNOTE_PHYS32_ENTRY`, xen/include/public/elfnote.h.
const PHYS32_ENTRY: u32 = 18;
const HEADER: usize = 12;

/// Looks through a table of notes for entry points; a second one, here or in an earlier table, is refused.
pub(super) fn entry(mut notes: Bytes<'_>, found: &mut Option<u64>) -> Result<(), ImageError> {
    while !notes.0.is_empty() {
        let cut = ImageError::Truncated { what: "notes" };
        let (note, rest) = next(notes).ok_or(cut)?;
        notes = rest;
        if note.name != NAME || note.kind != PHYS32_ENTRY {
            continue;
        }
        let entry = match note.value.0.len() {
            4 => note.value.u32(0).map(u64::from),
            8 => note.value.u64(0),
            _ => None,
        };
        let entry = entry.ok_or(ImageError::Note { what: "has a note of another size for the" })?;
        if found.replace(entry).is_some() {
            return Err(ImageError::Note { what: "has more than one" });
        }
    }
    Ok(())
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
