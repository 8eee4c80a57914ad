// SPDX-License-Identifier: Apache-2.0

//! What this guest asks of its hypervisor, once there is a GHCB (56421, chapter 4).

use core::ops::Range;

use super::ghcb::{Call, ExitCode, GhcbError, RAX, RCX, RDX, read_buffer, write_buffer};
use super::msr::{self, MsrError, PageState};
use super::{Frame, Machine, PAGE, SHARED_PAGES};
use crate::machine::{DEVICES, SLOT, SLOTS};

/// The registers of the interrupt controller that are used (APM, section 16.11): its base, end of interrupt, spurious
/// interrupt, timer, initial count, divider; and the time at which the timer fires.
pub const MSRS: [u32; 7] = [0x1b, 0x80b, 0x80f, 0x832, 0x838, 0x83e, 0x6e0];

/// A guest that speaks with its hypervisor through shared pages.
#[derive(Debug)]
pub struct Guest<M> {
    machine: M,
    shared: Frame,
}

impl<M: Machine> Guest<M> {
    /// Checks that the hypervisor speaks our language, makes the pages from `shared` on [`SHARED_PAGES`] shared, all of them
    /// pages that were never private, and registers the first as the GHCB.
    ///
    /// `private_bit` is what the CPUID page says.
    pub fn start(mut machine: M, shared: Frame, private_bit: u8) -> Result<Self, StartError> {
        negotiate(&mut machine, private_bit)?;
        // The GHCB itself by the MSR protocol, since there is no other way yet, and the others through it.
        msr::check_page_state(machine.vmgexit(msr::page_state(shared, PageState::Shared)))?;
        machine.map_shared(shared);
        machine.write_shared(0, &[0; PAGE as usize]);
        msr::check_registered(machine.vmgexit(msr::register(shared)), shared)?;
        let mut guest = Self { machine, shared };
        let end = shared.address().saturating_add(PAGE * SHARED_PAGES);
        guest.change_pages(&(shared.address() + PAGE..end), PageState::Shared)?;
        Ok(guest)
    }

    /// Reads a register of [`MSRS`] (56421, section 4.1.5, `RDMSR`).
    pub fn read_msr(&mut self, register: u32) -> Result<u64, GhcbError> {
        listed(register)?;
        let call = Call::new(ExitCode::Msr, 0, 0).with(RCX, u64::from(register));
        let reply = call.make(&mut self.machine, self.shared)?;
        let (low, high) = (reply.register(RAX)?, reply.register(RDX)?);
        Ok(low & 0xffff_ffff | high << 32)
    }

    /// Writes a register of [`MSRS`].
    pub fn write_msr(&mut self, register: u32, value: u64) -> Result<(), GhcbError> {
        listed(register)?;
        let call = Call::new(ExitCode::Msr, 1, 0)
            .with(RCX, u64::from(register))
            .with(RAX, value & 0xffff_ffff)
            .with(RDX, value >> 32);
        call.make(&mut self.machine, self.shared).map(drop)
    }

    /// Writes down that this guest wants to sleep, and says with which value of the GHCB MSR it does so. There is no answer:
    /// an interrupt may use the page before this guest looks again.
    pub fn prepare_halt(&mut self) -> u64 {
        Call::new(ExitCode::Halt, 0, 0).write(&mut self.machine);
        self.shared.address()
    }

    /// Reads 1, 2 or 4 bytes of a device's registers (56421, section 4.1.5, MMIO read).
    pub fn read_device(&mut self, address: u64, bytes: &mut [u8]) -> Result<(), GhcbError> {
        self.call_device(ExitCode::MmioRead, address, bytes.len())?;
        read_buffer(&self.machine, bytes);
        Ok(())
    }

    /// Writes 1, 2 or 4 bytes of a device's registers.
    pub fn write_device(&mut self, address: u64, bytes: &[u8]) -> Result<(), GhcbError> {
        // So that what is not asked for does not even get into the page.
        check_device(address, bytes.len())?;
        write_buffer(&mut self.machine, bytes);
        self.call_device(ExitCode::MmioWrite, address, bytes.len())
    }

    fn call_device(&mut self, code: ExitCode, address: u64, length: usize) -> Result<(), GhcbError> {
        check_device(address, length)?;
        let call = Call::new(code, address, length as u64).with_buffer(self.shared);
        call.make(&mut self.machine, self.shared).map(drop)
    }

    pub(super) fn machine(&mut self) -> &mut M {
        &mut self.machine
    }

    /// The GHCB and, by their number, the pages after it.
    pub(super) fn shared_page(&self, number: u64) -> u64 {
        self.shared.address().saturating_add(PAGE.saturating_mul(number))
    }

    pub(super) fn ghcb(&self) -> Frame {
        self.shared
    }
}

/// What can go wrong at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// In the MSR protocol.
    #[error(transparent)]
    Msr(#[from] MsrError),
    /// In changing pages.
    #[error(transparent)]
    Pages(#[from] super::pages::PageError),
}

fn negotiate(machine: &mut impl Machine, private_bit: u8) -> Result<(), MsrError> {
    msr::check_sev_information(machine.vmgexit(msr::SEV_INFORMATION), private_bit)?;
    msr::check_features(machine.vmgexit(msr::FEATURES))
}

fn listed(register: u32) -> Result<(), GhcbError> {
    if MSRS.contains(&register) { Ok(()) } else { Err(GhcbError::NotListed) }
}

/// Registers of the device slots, whole ones and none that cross a boundary.
fn check_device(address: u64, length: usize) -> Result<(), GhcbError> {
    let devices: Range<u64> = DEVICES..DEVICES + SLOT * SLOTS;
    let whole = matches!(length, 1 | 2 | 4) && address.is_multiple_of(length as u64);
    if whole && devices.contains(&address) { Ok(()) } else { Err(GhcbError::NotListed) }
}
