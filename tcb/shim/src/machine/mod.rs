// SPDX-License-Identifier: Apache-2.0

//! A Keep on a bare virtual machine, as far as that can be said without touching one: what a hypervisor hands over at
//! start, how memory is laid out, when entropy is good enough, what is said over virtio-vsock.
//!
//! Everything here is decided from values that the host chose, so everything here runs as an ordinary test. What
//! touches registers, page tables and the device is the program `keep-image`.

pub mod entry;
pub mod layout;
#[cfg(feature = "keep")]
pub mod mux;
pub mod noise;
pub mod packet;
pub mod start_info;

/// Where the slots of virtio-mmio devices begin: the layout of QEMU's machine `microvm`.
pub const DEVICES: u64 = 0xfeb0_0000;
/// Bytes of one slot.
pub const SLOT: u64 = 0x200;
/// How many slots there are.
pub const SLOTS: u64 = 24;

/// A port of the x86 I/O space: one byte written to it ends the machine with that status.
pub const EXIT_PORT: u16 = 0xf4;
/// The interrupt vector with which a device says that it did something.
pub const DEVICE_VECTOR: u8 = 0x31;

/// How a Keep on a bare machine ended, as one byte for the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Ending {
    /// Its life ended as it should.
    Done = 0,
    /// What the host handed over at start is not what it must be, or its device broke the rules.
    Host = 70,
    /// The CPU lacks something that a Keep cannot be without.
    Processor = 74,
    /// The CPU's source of randomness does not work.
    Entropy = 75,
    /// No memory is left.
    Memory = 76,
    /// The CPU met an exception: something that must not happen.
    Exception = 77,
    /// The program met something that must not happen.
    Panic = 78,
}
