// SPDX-License-Identifier: Apache-2.0

//! The GHCB (56421, chapter 3 and section 4.1): the page in which a guest tells its hypervisor what it wants and finds the
//! answer.
//!
//! A request is made in memory of our own and written to the page whole, so that nothing is in it but what it is about. The
//! answer is read once, and what is checked is what was read.

use super::bytes::{long, put};
use super::{Frame, Machine, SHARED_PAGES};

/// Bytes of the part that is written and read: the save area with the bitmap that says what of it is valid.
const AREA: usize = 0x400;
/// The buffer for what goes with a request, and its length.
const BUFFER: usize = 0x800;
/// Bytes of that buffer.
pub(super) const BUFFER_LEN: usize = 0x7f0;
const VERSION: usize = 0xffa;
const USAGE: usize = 0xffc;
const VALID: usize = 0x3f0;

/// Where registers and fields stand (56421, table 3).
pub(super) const RAX: usize = 0x1f8;
pub(super) const RCX: usize = 0x308;
pub(super) const RDX: usize = 0x310;
pub(super) const RBX: usize = 0x318;
const EXIT_CODE: usize = 0x390;
const EXIT_INFO_1: usize = 0x398;
const EXIT_INFO_2: usize = 0x3a0;
const SCRATCH: usize = 0x3a8;

/// What a guest may ask for: exactly these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(super) enum ExitCode {
    /// Sleep until an interrupt.
    Halt = 0x78,
    /// A model-specific register.
    Msr = 0x7c,
    /// Read a device's register.
    MmioRead = 0x8000_0001,
    /// Write a device's register.
    MmioWrite = 0x8000_0002,
    /// Make pages private or shared.
    PageState = 0x8000_0010,
    /// Hand a message to the secure processor.
    GuestRequest = 0x8000_0011,
    /// The same, and give certificates for its keys.
    ExtendedGuestRequest = 0x8000_0012,
}

/// An answer that ends the Keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GhcbError {
    /// The hypervisor refused the request, or wants an exception for it (56421, section 4.1.5: `SW_EXITINFO1`).
    #[error("the hypervisor refused exit {exit:#x}: {info1:#x}, {info2:#x}")]
    Refused {
        /// The exit code of the request.
        exit: u64,
        /// `SW_EXITINFO1`.
        info1: u64,
        /// `SW_EXITINFO2`.
        info2: u64,
    },
    /// A register that belongs to the answer is not marked as valid.
    #[error("the hypervisor's answer to exit {exit:#x} lacks a register")]
    Missing {
        /// The exit code of the request.
        exit: u64,
    },
    /// A request that a Keep does not make.
    #[error("the request is not one that a Keep makes")]
    NotListed,
}

/// A request in the making.
pub(super) struct Call {
    area: [u8; AREA],
    code: ExitCode,
}

/// What the page held when it came back.
pub(super) struct Reply {
    area: [u8; AREA],
    code: ExitCode,
}

impl Call {
    pub(super) fn new(code: ExitCode, info1: u64, info2: u64) -> Self {
        Self { area: [0; AREA], code }
            .with(EXIT_CODE, code as u64)
            .with(EXIT_INFO_1, info1)
            .with(EXIT_INFO_2, info2)
    }

    /// Sets a register or field, and marks it as valid: one bit for each 8 bytes.
    pub(super) fn with(mut self, offset: usize, value: u64) -> Self {
        put(&mut self.area, offset, &value.to_le_bytes());
        mark(&mut self.area, offset);
        self
    }

    /// Points at the buffer of the page, which holds what goes with the request.
    pub(super) fn with_buffer(self, page: Frame) -> Self {
        self.with(SCRATCH, page.address() | BUFFER as u64)
    }

    /// Writes it where the hypervisor finds it.
    pub(super) fn write(&self, machine: &mut impl Machine) {
        machine.write_shared(0, &self.area);
        machine.write_shared(VERSION, &super::msr::VERSION.to_le_bytes());
        machine.write_shared(USAGE, &[0; 4]);
    }

    /// Hands it over and takes the answer, which is checked as far as every answer can be.
    pub(super) fn make(&self, machine: &mut impl Machine, page: Frame) -> Result<Reply, GhcbError> {
        self.write(machine);
        machine.vmgexit(page.address());
        let mut reply = Reply { area: [0; AREA], code: self.code };
        machine.read_shared(0, &mut reply.area);
        let info1 = long(&reply.area, EXIT_INFO_1);
        // The upper half has no meaning for the exits above.
        if info1.to_le_bytes().starts_with(&[0; 4]) {
            return Ok(reply);
        }
        Err(GhcbError::Refused { exit: self.code as u64, info1, info2: reply.info2() })
    }
}

impl Reply {
    /// `SW_EXITINFO2`.
    pub(super) fn info2(&self) -> u64 {
        long(&self.area, EXIT_INFO_2)
    }

    /// A register, if the hypervisor says that it wrote it.
    pub(super) fn register(&self, offset: usize) -> Result<u64, GhcbError> {
        let (byte, bit) = place(offset);
        let valid = self.area.get(byte).is_some_and(|byte| byte & bit != 0);
        if valid { Ok(long(&self.area, offset)) } else { Err(GhcbError::Missing { exit: self.code as u64 }) }
    }
}

/// Writes to the buffer of the page.
pub(super) fn write_buffer(machine: &mut impl Machine, bytes: &[u8]) {
    let fits = bytes.get(..bytes.len().min(BUFFER_LEN)).unwrap_or_default();
    machine.write_shared(BUFFER, fits);
}

/// Reads from the buffer of the page.
pub(super) fn read_buffer(machine: &impl Machine, bytes: &mut [u8]) {
    let length = bytes.len().min(BUFFER_LEN);
    if let Some(fits) = bytes.get_mut(..length) {
        machine.read_shared(BUFFER, fits);
    }
}

fn mark(area: &mut [u8; AREA], offset: usize) {
    let (byte, bit) = place(offset);
    if let Some(byte) = area.get_mut(byte) {
        *byte |= bit;
    }
}

/// The byte and the bit that say whether a field is valid.
fn place(offset: usize) -> (usize, u8) {
    let number = offset / 8;
    (VALID.saturating_add(number / 8), 1 << (number % 8))
}

const _: () = assert!(SHARED_PAGES > 0, "the GHCB is the first of the shared pages");
