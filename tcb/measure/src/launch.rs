// SPDX-License-Identifier: Apache-2.0

//! What a guest of a TEE begins with, page by page in the order in which it is launched.
//!
//! All pages of the image are measured with their contents, those that are zero too: a launcher that knows no page of
//! zeros then gives the same measurement as one that does. No other memory is launched; the guest accepts it itself.

use alloc::boxed::Box;
use core::iter;

use crate::image::{GuestPages, Image, ImageError, Segment};
use crate::{Vcpu, boot, tdx};

/// Bytes of a page.
pub const PAGE: u64 = 4096;
/// The same, for lengths.
pub const PAGE_BYTES: usize = 4096;
/// Most memory that a measured launch may have: a hundred times what the Keep's image needs, and not so much that
/// measuring it takes long.
pub const MAX_LAUNCHED: u64 = 128 << 20;

/// What a guest stands on, as its processor is told at the first instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guest {
    /// A virtual machine that nothing protects from its host.
    Plain,
    /// AMD SEV-SNP.
    Snp,
    /// Intel TDX.
    Tdx,
}

impl Guest {
    /// What `esi` holds at the first instruction: a plain guest is told nothing.
    pub fn magic(self) -> u32 {
        match self {
            Self::Plain => 0,
            // "SNP1" and "TDX1", read as numbers.
            Self::Snp => 0x534e_5031,
            Self::Tdx => 0x5444_5831,
        }
    }
}

/// What a page is to the firmware that launches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageKind {
    /// Part of the image: address and contents are measured.
    Measured,
    /// The host's: the address is measured, the contents are not.
    Host,
    /// CPUID values, which the firmware of SEV-SNP checks; the address is measured.
    Cpuid,
    /// Filled in by the firmware of SEV-SNP; the address is measured.
    Secrets,
}

/// One page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page<'a> {
    /// Where it is in the guest, a multiple of [`PAGE`].
    pub address: u64,
    /// What it is.
    pub kind: PageKind,
    /// What it begins with, at most [`PAGE`] bytes; the rest of it is zero.
    begins: &'a [u8],
}

impl Page<'_> {
    /// All of its bytes.
    pub fn contents(&self) -> [u8; PAGE_BYTES] {
        let mut page = [0; PAGE_BYTES];
        page.iter_mut().zip(self.begins).for_each(|(to, from)| *to = *from);
        page
    }
}

/// The launch of an image as guest of a TEE.
#[derive(Clone, Debug)]
pub struct Launch<'a> {
    image: &'a Image,
    pages: &'a GuestPages,
    guest: Guest,
    /// Where processors of TDX begin.
    reset: Option<Box<[u8; PAGE_BYTES]>>,
}

impl<'a> Launch<'a> {
    /// How `image` is launched on SEV-SNP.
    pub fn snp(image: &'a Image) -> Result<Self, ImageError> {
        Ok(Self { image, pages: guest_pages(image)?, guest: Guest::Snp, reset: None })
    }

    /// How `image` is launched on TDX.
    pub fn tdx(image: &'a Image) -> Result<Self, ImageError> {
        let pages = guest_pages(image)?;
        let reset = Some(Box::new(tdx::reset_page(image.entry(), start_info(pages)?)));
        Ok(Self { image, pages, guest: Guest::Tdx, reset })
    }

    /// Where the host's pages are, and in the first of them the boot data.
    pub fn host(&self) -> core::ops::Range<u64> {
        self.pages.host.clone()
    }

    /// How the one processor begins.
    pub fn vcpu(&self) -> Result<Vcpu, ImageError> {
        Ok(Vcpu::start(self.image.entry(), start_info(self.pages)?, self.guest))
    }

    /// The pages, by ascending address.
    pub fn pages(&self) -> impl Iterator<Item = Page<'_>> {
        let page = |address, kind| Page { address, kind, begins: &[] };
        let host = pages_of(self.pages.host.start, self.pages.host.end);
        let host = host.map(move |address| page(address, PageKind::Host));
        let special = [(self.pages.cpuid, PageKind::Cpuid), (self.pages.secrets, PageKind::Secrets)];
        // A TD asks its module for what these tell.
        let special = special.into_iter().filter(|_| self.guest == Guest::Snp);
        let mut low: alloc::vec::Vec<_> =
            host.chain(special.map(|(address, kind)| page(address, kind))).collect();
        low.sort_by_key(|page| page.address);
        let image = self.image;
        let segments = image.segments().iter().flat_map(move |segment| of_segment(image, segment));
        let reset = self.reset.iter();
        let reset = reset.map(|reset| Page {
            address: tdx::RESET_PAGE,
            kind: PageKind::Measured,
            begins: reset.as_slice(),
        });
        low.into_iter().chain(segments).chain(reset)
    }
}

/// The pages that the image asks for, if there are not too many of all.
fn guest_pages(image: &Image) -> Result<&GuestPages, ImageError> {
    let pages = image.guest_pages().ok_or(ImageError::NotForTees)?;
    let sizes = image.segments().iter().map(|segment| segment.size);
    let bytes = sizes.chain([pages.host.end - pages.host.start]).fold(0, u64::saturating_add);
    if bytes > MAX_LAUNCHED {
        return Err(ImageError::Launched { bytes });
    }
    Ok(pages)
}

fn start_info(pages: &GuestPages) -> Result<u32, ImageError> {
    let wrong = ImageError::GuestPages { what: "leaves no room for boot data" };
    let start = u32::try_from(pages.host.start).map_err(|_| wrong.clone())?;
    if pages.host.end - pages.host.start < boot::MAX_SIZE { Err(wrong) } else { Ok(start) }
}

fn of_segment<'a>(image: &'a Image, segment: &Segment) -> impl Iterator<Item = Page<'a>> + use<'a> {
    let mut contents = image.contents(segment).chunks(PAGE_BYTES);
    pages_of(segment.address, segment.end().unwrap_or(segment.address)).map(move |address| Page {
        address,
        kind: PageKind::Measured,
        begins: contents.next().unwrap_or_default(),
    })
}

/// The addresses of pages from `start`, which is one, until all bytes before `end` are in one of them.
fn pages_of(start: u64, end: u64) -> impl Iterator<Item = u64> {
    iter::successors(Some(start), |address| address.checked_add(PAGE))
        .take_while(move |address| *address < end)
}
