// SPDX-License-Identifier: Apache-2.0

//! What a Keep stands on.
//!
//! - `code` (feature `keep`): turns compiled code that came from the owner into something to execute. The only unsafe code of a Keep.
//! - `machine` (feature `machine`): what a Keep on a bare virtual machine decides; the unikernel `keep-image` does it.
//! - `snp` (feature `machine`): what it decides, encodes and checks as guest of AMD SEV-SNP.
//! - `process` (feature `process`): a Keep as a sandboxed process of Linux, the program `enarx-keep`.
#![cfg_attr(not(feature = "process"), no_std)]
#![deny(unsafe_code)]

extern crate alloc;

#[cfg(feature = "keep")]
pub mod code;
#[cfg(feature = "machine")]
pub mod machine;
#[cfg(feature = "process")]
pub mod process;
#[cfg(feature = "machine")]
pub mod snp;
