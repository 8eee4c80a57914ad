// SPDX-License-Identifier: Apache-2.0

//! The hypervisor part of the micro-VM Keep.
#![deny(unsafe_code)]

pub mod image;

#[cfg(feature = "program")]
mod fatal;
#[cfg(feature = "program")]
mod guest;
#[cfg(feature = "program")]
pub mod jail;
#[cfg(feature = "program")]
mod kvm;
#[cfg(feature = "program")]
mod mmio;
#[cfg(feature = "program")]
mod qemu;
#[cfg(feature = "program")]
mod serve;
#[cfg(feature = "program")]
mod tsc;
#[cfg(feature = "program")]
pub mod vsock;
