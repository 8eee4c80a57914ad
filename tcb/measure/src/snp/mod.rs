// SPDX-License-Identifier: Apache-2.0

//! The launch digest of SEV-SNP: SHA-384 over what each page is, chained from page to page, the processor's state last
//! (AMD publication 56860, *SEV Secure Nested Paging Firmware ABI*, "Launch digest" and `PAGE_INFO`).

mod id_block;
mod vmsa;

use sha2::{Digest as _, Sha384};

use crate::image::{Image, ImageError};
use crate::launch::{Launch, PageKind};

pub use id_block::IdBlock;
pub use vmsa::{VMSA_SIZE, vmsa};

/// `SEV_FEATURES` of a guest: SEV-SNP is active and nothing else (AMD APM volume 2, table B-4).
pub const SEV_FEATURES: u64 = 1;
/// Where `PAGE_INFO` says that the processor's state is: the last page of an address of 52 bits, of which Linux keeps 48.
const VMSA_ADDRESS: u64 = 0xffff_ffff_f000;

/// Length of `PAGE_INFO`, which is part of it.
const PAGE_INFO: u16 = 0x70;

/// What a page is, as `SNP_LAUNCH_UPDATE` numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum PageType {
    /// `PAGE_TYPE_NORMAL`: contents are measured.
    Normal = 1,
    /// `PAGE_TYPE_VMSA`: the state of a processor, measured.
    Vmsa = 2,
    /// `PAGE_TYPE_UNMEASURED`.
    Unmeasured = 4,
    /// `PAGE_TYPE_SECRETS`.
    Secrets = 5,
    /// `PAGE_TYPE_CPUID`.
    Cpuid = 6,
}

impl From<PageKind> for PageType {
    fn from(kind: PageKind) -> Self {
        match kind {
            PageKind::Measured => Self::Normal,
            PageKind::Host => Self::Unmeasured,
            PageKind::Cpuid => Self::Cpuid,
            PageKind::Secrets => Self::Secrets,
        }
    }
}

/// A launch digest that grows by one page after another.
#[derive(Clone, Debug)]
pub struct Digest([u8; 48]);

impl Default for Digest {
    /// That of a launch without pages.
    fn default() -> Self {
        Self([0; 48])
    }
}

impl Digest {
    /// Adds a page. Only of pages of two types the contents count.
    pub fn add(&mut self, kind: PageType, address: u64, contents: &[u8; 4096]) {
        let contents = match kind {
            PageType::Normal | PageType::Vmsa => Sha384::digest(contents).into(),
            PageType::Unmeasured | PageType::Secrets | PageType::Cpuid => [0; 48],
        };
        self.0 = Sha384::new()
            .chain_update(self.0)
            .chain_update(contents)
            .chain_update(PAGE_INFO.to_le_bytes())
            // Neither a page of a migration image, nor rights for lower privilege levels, nor what is reserved.
            .chain_update([kind as u8, 0, 0, 0, 0, 0])
            .chain_update(address.to_le_bytes())
            .finalize()
            .into();
    }

    /// Adds the state of a processor.
    pub fn add_vmsa(&mut self, vmsa: &[u8; VMSA_SIZE]) {
        self.add(PageType::Vmsa, VMSA_ADDRESS, vmsa);
    }

    /// As reports have it in `MEASUREMENT`.
    pub fn value(&self) -> [u8; 48] {
        self.0
    }
}

/// What a report says in `MEASUREMENT` of a guest that was launched from this image.
pub fn launch_digest(image: &Image) -> Result<[u8; 48], ImageError> {
    let launch = Launch::snp(image)?;
    let mut digest = Digest::default();
    for page in launch.pages() {
        digest.add(page.kind.into(), page.address, &page.contents());
    }
    digest.add_vmsa(&vmsa(&launch.vcpu()?, SEV_FEATURES));
    Ok(digest.value())
}
