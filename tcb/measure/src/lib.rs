// SPDX-License-Identifier: Apache-2.0

//! The image of the micro-VM Keep, described once: for whoever launches it and for whoever predicts what it measures to.
//!
//! [`Image`] reads the ELF file, [`Launch`] says which pages of memory a guest begins with, [`Vcpu`] in which state its
//! processor does. From these come the launch digest of SEV-SNP ([`snp::launch_digest`]) and the `MRTD` of TDX
//! ([`tdx::mrtd`]). Nothing depends on how much memory a guest has or on how its host configures it: what a host chooses
//! stands in pages whose contents are not measured, which a guest reads as hostile input and compares with its evidence.
//!
//! ```no_run
//! # fn main() -> Result<(), enarx_measure::ImageError> {
//! use enarx_measure::{Image, snp, tdx};
//!
//! let image = Image::parse(std::fs::read("enarx-keep.elf").unwrap())?;
//! let (snp, tdx) = (snp::launch_digest(&image)?, tdx::mrtd(&image)?);
//! # Ok(()) }
//! ```
#![no_std]

extern crate alloc;

pub mod boot;
mod image;
mod launch;
pub mod snp;
pub mod tdx;
mod vcpu;

pub use image::{
    GuestPages, Image, ImageError, LOWEST_SEGMENT, MAX_HEADERS, MAX_IMAGE, SEGMENTS_END, Segment,
};
pub use launch::{Guest, Launch, MAX_LAUNCHED, PAGE, PAGE_BYTES, Page, PageKind};
pub use vcpu::{Table, Vcpu};
