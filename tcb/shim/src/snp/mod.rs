// SPDX-License-Identifier: Apache-2.0

//! A Keep as guest of AMD SEV-SNP, as far as that can be said without a CPU that has it.
//!
//! What is decided, encoded and checked is here, without unsafe code, and runs as ordinary tests against a hypervisor and
//! a secure processor that hold this guest to the specifications: AMD64 Architecture Programmer's Manual, volume 2 (APM),
//! sections 15.34 to 15.36; GHCB specification (56421); SEV-SNP firmware ABI (56860). The instructions are in the image.

pub mod msr;

/// Bytes of the smallest page.
pub const PAGE: u64 = 4096;

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
