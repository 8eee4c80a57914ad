// SPDX-License-Identifier: Apache-2.0

//! A Keep as guest of AMD SEV-SNP, as far as that can be said without a CPU that has it.
//!
//! What is decided, encoded and checked is here, without unsafe code, and runs as ordinary tests against a hypervisor and
//! a secure processor that hold this guest to the specifications: AMD64 Architecture Programmer's Manual, volume 2 (APM),
//! sections 15.34 to 15.36; GHCB specification (56421); SEV-SNP firmware ABI (56860). The instructions are in the image.

mod bytes;
pub mod cpuid;
pub mod exception;
mod ghcb;
pub mod guest;
pub mod message;
pub mod msr;
pub mod pages;
pub mod pool;
pub mod request;
pub mod secrets;

pub use ghcb::GhcbError;

/// Bytes of the smallest page.
pub const PAGE: u64 = 4096;

/// Pages that guest and hypervisor both see, in a row: one large page. The first is the GHCB.
pub const SHARED_PAGES: u64 = 512;
/// The page with a message to the secure processor.
pub(crate) const REQUEST: u64 = 1;
/// The page with its answer.
pub(crate) const RESPONSE: u64 = 2;
/// The pages for certificates, and how many there are.
pub(crate) const CERTIFICATES: u64 = 16;
pub(crate) const CERTIFICATE_PAGES: u64 = 16;
/// The first of those that the device may see.
const DEVICE: u64 = 64;

/// A page of guest-physical memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Frame(u64);

impl Frame {
    /// The page at an address, which must begin one and have no more than the 52 bits that addresses have.
    pub const fn at(address: u64) -> Option<Self> {
        if address.is_multiple_of(PAGE) && address >> 52 == 0 { Some(Self(address)) } else { None }
    }

    /// Its address.
    pub const fn address(self) -> u64 {
        self.0
    }
}

/// The few instructions, and the memory that is shared. All decisions are elsewhere.
pub trait Machine {
    /// Writes the GHCB MSR, gives way to the hypervisor (VMGEXIT), and reads the register.
    fn vmgexit(&mut self, value: u64) -> u64;

    /// Makes the program see the shared pages from here on as shared; before that nobody touches them.
    fn map_shared(&mut self, first: Frame);

    /// Writes to the shared pages, counted from the first byte of the first. Only called within them.
    fn write_shared(&mut self, offset: usize, bytes: &[u8]);

    /// Reads from them, each byte once.
    fn read_shared(&self, offset: usize, bytes: &mut [u8]);

    /// Validates a page (PVALIDATE; APM, section 15.36.6) that is mapped as private.
    fn pvalidate(&mut self, address: u64, size: pages::Size) -> pages::Validated;
}
