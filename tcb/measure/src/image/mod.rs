// SPDX-License-Identifier: Apache-2.0

//! The image of a unikernel: what of it goes where in the guest's memory, and where its first instruction is.
//!
//! An image is one static ELF file for x86-64 with a note that names its entry point by PVH (Xen's
//! `XEN_ELFNOTE_PHYS32_ENTRY`). An image for guests of SEV-SNP and TDX has a note of Enarx's, too, which says where such a
//! guest finds what is not in the image. Everything that could make two readers understand two things is refused.

mod bytes;
mod notes;

use alloc::vec::Vec;
use core::ops::Range;

use crate::boot;
use crate::launch::PAGE;
use bytes::Bytes;
use notes::Notes;

/// Largest image file.
pub const MAX_IMAGE: usize = 64 << 20;
/// Most program headers of an image.
pub const MAX_HEADERS: u16 = 64;
/// Lowest address of a segment: below 1 MiB stand the boot data.
pub const LOWEST_SEGMENT: u64 = 1 << 20;
/// End of the memory that segments may lie in; above it are devices.
pub const SEGMENTS_END: u64 = boot::LOW_MEMORY_END;

const HEADER: usize = 64;
const PROGRAM_HEADER: u16 = 56;

const TYPE_EXECUTABLE: u16 = 2;
const MACHINE_X86_64: u16 = 62;

const LOAD: u32 = 1;
const INTERPRETER: u32 = 3;
const NOTE: u32 = 4;

const FLAG_EXECUTE: u32 = 1;

/// An image that was read and checked.
#[derive(Clone, Debug)]
pub struct Image {
    file: Vec<u8>,
    entry: u32,
    segments: Vec<Segment>,
    guest_pages: Option<GuestPages>,
}

/// Where a guest of a TEE has the pages that are not the image's, as guest-physical addresses of pages: below all
/// segments, apart from each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestPages {
    /// The page of CPUID values that the firmware of SEV-SNP checked.
    pub cpuid: u64,
    /// The page of secrets that the firmware of SEV-SNP gives the guest.
    pub secrets: u64,
    /// What the host writes and nothing measures: boot data.
    pub host: Range<u64>,
}

/// A piece of the guest's memory that the image fills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// First byte, as a guest-physical address.
    pub address: u64,
    /// Bytes of memory; those that the file does not have are zero.
    pub size: u64,
    /// Whether it holds code.
    pub executable: bool,
    /// Where its bytes stand in the file.
    file: Range<usize>,
}

/// A file that is not an image to start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// Larger than any image.
    #[error("the image has {bytes} bytes; the most is {MAX_IMAGE}")]
    Size {
        /// Its size.
        bytes: usize,
    },
    /// No ELF file, or one for another machine.
    #[error("the image is not an ELF file for x86-64: its {what} is another")]
    Format {
        /// The field.
        what: &'static str,
    },
    /// Bytes that a header speaks of are not in the file.
    #[error("the image ends within its {what}")]
    Truncated {
        /// What is not whole.
        what: &'static str,
    },
    /// More program headers than any image has, or none.
    #[error("the image has {number} program headers; 1 to {MAX_HEADERS} can be")]
    Headers {
        /// How many.
        number: u16,
    },
    /// It wants to be linked at start.
    #[error("the image asks for an interpreter; only a static one can be started")]
    Interpreter,
    /// A segment that is larger in the file than in memory, or lies where none may.
    #[error("segment number {number} of the image {what}")]
    Segment {
        /// Which program header, from 0.
        number: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Two segments share memory.
    #[error("two segments of the image overlap at {address:#x}")]
    Overlap {
        /// Where the second begins.
        address: u64,
    },
    /// No note with an entry point, or several.
    #[error("the image {what} entry point of PVH")]
    Note {
        /// `has no` or `has more than one`.
        what: &'static str,
    },
    /// The entry point is not code of the image.
    #[error("the image's entry point {entry:#x} is not in an executable segment")]
    Entry {
        /// Where it is.
        entry: u64,
    },
    /// The note about a guest's pages says what cannot be.
    #[error("the image's note about pages of a guest {what}")]
    GuestPages {
        /// What is wrong with it.
        what: &'static str,
    },
    /// There is no note about a guest's pages.
    #[error("the image does not say where a guest of SEV-SNP or TDX has its pages")]
    NotForTees,
    /// More memory would be launched than any measured launch has.
    #[error("the image would be launched with {bytes} bytes of memory; the most is {most}", most = crate::MAX_LAUNCHED)]
    Launched {
        /// How many.
        bytes: u64,
    },
    /// More memory is needed than the guest has.
    #[error("the image reaches up to {end:#x}, and the guest's memory there ends at {memory:#x}")]
    Memory {
        /// End of the last segment.
        end: u64,
        /// End of memory.
        memory: u64,
    },
}

impl Image {
    /// Reads and checks an image.
    pub fn parse(file: Vec<u8>) -> Result<Self, ImageError> {
        if file.len() > MAX_IMAGE {
            return Err(ImageError::Size { bytes: file.len() });
        }
        let headers = program_headers(Bytes(&file))?;
        let segments = segments(&headers, file.len())?;
        let mut found = Notes::default();
        for header in headers.iter().filter(|header| header.kind == NOTE) {
            let range = header.file(file.len()).ok_or(ImageError::Truncated { what: "notes" })?;
            let notes = Bytes(&file).slice(range).ok_or(ImageError::Truncated { what: "notes" })?;
            found.read(notes)?;
        }
        let Notes { entry, guest_pages } = found;
        let entry = entry.ok_or(ImageError::Note { what: "has no" })?;
        let within = |segment: &&Segment| segment.executable && segment.contains(entry);
        let (Ok(entry), Some(_)) = (u32::try_from(entry), segments.iter().find(within)) else {
            return Err(ImageError::Entry { entry });
        };
        Ok(Self { file, entry, segments, guest_pages })
    }

    /// The address of the first instruction, which the processor reaches in 32-bit protected mode.
    pub fn entry(&self) -> u32 {
        self.entry
    }

    /// The whole file.
    pub fn file(&self) -> &[u8] {
        &self.file
    }

    /// Where a guest of a TEE has the pages that are not the image's, if the image was made for such guests.
    pub fn guest_pages(&self) -> Option<&GuestPages> {
        self.guest_pages.as_ref()
    }

    /// What goes where, by ascending address, without overlap.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The bytes that a segment begins with. The rest of it is zero.
    pub fn contents(&self, segment: &Segment) -> &[u8] {
        self.file.get(segment.file.clone()).unwrap_or_default()
    }

    /// Checks that the segments lie in memory of `memory` bytes.
    pub fn check_fits(&self, memory: u64) -> Result<(), ImageError> {
        let memory = memory.min(SEGMENTS_END);
        match self.segments.last().and_then(Segment::end) {
            Some(end) if end <= memory => Ok(()),
            end => Err(ImageError::Memory { end: end.unwrap_or(u64::MAX), memory }),
        }
    }
}

impl Segment {
    /// The first byte after it; `None` if that is no address.
    pub(crate) fn end(&self) -> Option<u64> {
        self.address.checked_add(self.size)
    }

    fn contains(&self, address: u64) -> bool {
        address >= self.address && self.end().is_some_and(|end| address < end)
    }
}

/// What of a program header matters here.
struct ProgramHeader {
    kind: u32,
    flags: u32,
    offset: u64,
    address: u64,
    file_size: u64,
    memory_size: u64,
}

impl ProgramHeader {
    fn read(bytes: Bytes<'_>) -> Option<Self> {
        Some(Self {
            kind: bytes.u32(0)?,
            flags: bytes.u32(4)?,
            offset: bytes.u64(8)?,
            // 16 is the virtual address, which is the guest's own business.
            address: bytes.u64(24)?,
            file_size: bytes.u64(32)?,
            memory_size: bytes.u64(40)?,
        })
    }

    /// Its bytes in a file of `length` bytes.
    fn file(&self, length: usize) -> Option<Range<usize>> {
        let start = usize::try_from(self.offset).ok()?;
        let end = start.checked_add(usize::try_from(self.file_size).ok()?)?;
        (end <= length).then_some(start..end)
    }
}

fn program_headers(file: Bytes<'_>) -> Result<Vec<ProgramHeader>, ImageError> {
    let header = file.slice(0..HEADER).ok_or(ImageError::Truncated { what: "header" })?;
    let cut = ImageError::Truncated { what: "header" };
    // Magic, 64 bits, little endian, version 1.
    if !header.0.starts_with(b"\x7fELF\x02\x01\x01") {
        return Err(ImageError::Format { what: "beginning" });
    }
    for (offset, expected, what) in [
        (16, TYPE_EXECUTABLE, "type"),
        (18, MACHINE_X86_64, "machine"),
        (54, PROGRAM_HEADER, "size of program headers"),
    ] {
        if header.u16(offset).ok_or(cut.clone())? != expected {
            return Err(ImageError::Format { what });
        }
    }
    let number = header.u16(56).ok_or(cut.clone())?;
    if !(1..=MAX_HEADERS).contains(&number) {
        return Err(ImageError::Headers { number });
    }
    let what = "program headers";
    let start = usize::try_from(header.u64(32).ok_or(cut)?).map_err(|_| ImageError::Truncated { what })?;
    let size = usize::from(number) * usize::from(PROGRAM_HEADER);
    let end = start.checked_add(size).ok_or(ImageError::Truncated { what })?;
    let table = file.slice(start..end).ok_or(ImageError::Truncated { what })?;
    let headers = table.0.chunks_exact(usize::from(PROGRAM_HEADER));
    headers.map(|bytes| ProgramHeader::read(Bytes(bytes)).ok_or(ImageError::Truncated { what })).collect()
}

fn segments(headers: &[ProgramHeader], length: usize) -> Result<Vec<Segment>, ImageError> {
    if headers.iter().any(|header| header.kind == INTERPRETER) {
        return Err(ImageError::Interpreter);
    }
    let mut segments = Vec::new();
    for (number, header) in headers.iter().enumerate() {
        // A load header without memory loads nothing.
        if header.kind != LOAD || header.memory_size == 0 {
            continue;
        }
        let wrong = |what| ImageError::Segment { number, what };
        let file = header.file(length).ok_or(ImageError::Truncated { what: "segments" })?;
        if header.file_size > header.memory_size {
            return Err(wrong("is larger in the file than in memory"));
        }
        let end = header.address.checked_add(header.memory_size);
        if header.address < LOWEST_SEGMENT {
            return Err(wrong("begins below 1 MiB"));
        }
        if end.is_none_or(|end| end > SEGMENTS_END) {
            return Err(wrong("ends where devices are"));
        }
        // What is measured is whole pages, and two segments in one would be two ways to fill it.
        if !header.address.is_multiple_of(PAGE) {
            return Err(wrong("begins within a page"));
        }
        let executable = header.flags & FLAG_EXECUTE != 0;
        segments.push(Segment { address: header.address, size: header.memory_size, executable, file });
    }
    segments.sort_by_key(|segment| segment.address);
    for pair in segments.windows(2) {
        if let [first, second] = pair
            && first.end().is_none_or(|end| end > second.address)
        {
            return Err(ImageError::Overlap { address: second.address });
        }
    }
    Ok(segments)
}
