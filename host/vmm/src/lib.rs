// SPDX-License-Identifier: Apache-2.0

//! The hypervisor part of the micro-VM Keep.
#![deny(unsafe_code)]

mod fatal;
mod guest;
pub mod jail;
mod kvm;
mod mmio;
mod qemu;
mod serve;
mod tsc;
pub mod vsock;
