// SPDX-License-Identifier: Apache-2.0

//! The thread of the processor: runs the guest and acts on its exits.
//!
//! What the guest makes it do is bounded: an exit that no guest of ours causes is counted, and too many of them end the
//! machine.

use std::fs::File;
use std::io::ErrorKind::{Interrupted, WouldBlock};
use std::io::Write as _;
use std::sync::Arc;
use std::thread;

use kvm_bindings::KVM_SYSTEM_EVENT_SEV_TERM;
use kvm_ioctls::{VcpuExit, VcpuFd, VmFd};
use vm_memory::GuestMemoryMmap;

use crate::fatal::Fatal;
use crate::guest::SharedGuest;
use crate::kvm::snp::{Conversion, MAP_GPA_RANGE, of_fault, of_hypercall};
use crate::mmio::{ADDRESS, Action, Registers, SIZE};
use crate::vsock::Ring;

/// A byte written here ends the machine with it.
const EXIT_PORT: u16 = 0xf4;
/// Where a guest with a console writes it.
const CONSOLE_PORT: u16 = 0x3f8;
/// Where such a guest asks whether it may ...
const CONSOLE_STATUS: u16 = 0x3fd;
/// ... which it always may.
const CONSOLE_READY: u8 = 0x60;
/// How many exits of kinds that there is nothing behind.
const MAX_UNEXPECTED: u32 = 10_000;

pub(super) struct Processor {
    cpu: VcpuFd,
    registers: Registers,
    memory: GuestMemoryMmap,
    guest: SharedGuest,
    console: bool,
    unexpected: u32,
    protected: Option<Protected>,
}

/// What a guest of a TEE needs beside the rest.
pub(super) struct Protected {
    pub(super) vm: Arc<VmFd>,
    /// Bytes of its memory.
    pub(super) memory: u64,
    /// Open for as long as the firmware knows the guest.
    pub(super) _firmware: File,
}

/// What an exit leads to, once the processor is no longer borrowed.
enum Next {
    Goes,
    Unexpected,
    Write(u64, [u8; 4]),
    Convert(Conversion),
    Ended(Result<u8, Fatal>),
}

impl Processor {
    pub(super) fn new(
        cpu: VcpuFd,
        registers: Registers,
        memory: GuestMemoryMmap,
        guest: SharedGuest,
        console: bool,
        protected: Option<Protected>,
    ) -> Self {
        Self { cpu, registers, memory, guest, console, unexpected: 0, protected }
    }

    /// Runs the guest to its end.
    pub(super) fn run(mut self) {
        let end = loop {
            match self.step() {
                Next::Goes => {}
                Next::Unexpected => {
                    self.unexpected += 1;
                    if self.unexpected > MAX_UNEXPECTED {
                        let why =
                            format!("more than {MAX_UNEXPECTED} accesses to devices that there are not");
                        break Err(Fatal::Guest(why));
                    }
                }
                Next::Write(offset, word) => {
                    if let Some(action) = self.registers.write(offset, u32::from_le_bytes(word)) {
                        self.act(action);
                    }
                }
                Next::Convert(conversion) => {
                    if let Err(error) = self.convert(&conversion) {
                        break Err(Fatal::Guest(format!("its memory cannot be what it wants: {error}")));
                    }
                }
                Next::Ended(end) => break end,
            }
        };
        self.guest.lock().end = Some(end);
        self.guest.wake();
        // The rest is the device's thread's; the memory stays until the process ends.
        loop {
            thread::park();
        }
    }

    fn step(&mut self) -> Next {
        let memory = self.protected.as_ref().map(|protected| protected.memory);
        let ended = |why: &str| Next::Ended(Err(Fatal::Guest(why.to_owned())));
        match self.cpu.run() {
            Ok(VcpuExit::MmioRead(address, data)) => {
                if let Some(offset) = register(address, data.len()) {
                    self.registers.read(offset, data);
                    return Next::Goes;
                }
                data.fill(0xff);
                Next::Unexpected
            }
            Ok(VcpuExit::MmioWrite(address, data)) => {
                match (register(address, data.len()), data.try_into()) {
                    (Some(offset), Ok(word)) => Next::Write(offset, word),
                    _ => Next::Unexpected,
                }
            }
            Ok(VcpuExit::IoOut(EXIT_PORT, data)) => {
                Next::Ended(Ok(data.first().copied().unwrap_or_default()))
            }
            Ok(VcpuExit::IoOut(CONSOLE_PORT, data)) if self.console => {
                let _ = std::io::stderr().write_all(data);
                Next::Goes
            }
            Ok(VcpuExit::IoIn(CONSOLE_STATUS, data)) if self.console => {
                data.fill(CONSOLE_READY);
                Next::Goes
            }
            Ok(VcpuExit::IoIn(_, data)) => {
                data.fill(0xff);
                Next::Unexpected
            }
            Ok(VcpuExit::IoOut(..)) => Next::Unexpected,
            Ok(VcpuExit::Intr) => Next::Goes,
            Err(error) if matches!(std::io::Error::from(error).kind(), Interrupted | WouldBlock) => {
                Next::Goes
            }
            Ok(VcpuExit::Hypercall(call)) if call.nr == MAP_GPA_RANGE => {
                match memory.and_then(|memory| of_hypercall(call.args, memory)) {
                    Some(conversion) => {
                        *call.ret = 0;
                        Next::Convert(conversion)
                    }
                    None => ended("it asked for memory that it cannot have"),
                }
            }
            Ok(VcpuExit::MemoryFault { flags, gpa, size }) => {
                match memory.and_then(|memory| of_fault(flags, gpa, size, memory)) {
                    Some(conversion) => Next::Convert(conversion),
                    None => ended("it reached for memory that it does not have"),
                }
            }
            Ok(VcpuExit::SystemEvent(KVM_SYSTEM_EVENT_SEV_TERM, data)) => Next::Ended(terminated(data)),
            Ok(VcpuExit::Shutdown) => ended("a triple fault"),
            Ok(VcpuExit::Hlt) => ended("it halted for good"),
            Ok(VcpuExit::InternalError) => ended("an instruction that KVM cannot execute"),
            Ok(VcpuExit::FailEntry(reason, _)) => {
                ended(&format!("the processor refused to start: {reason:#x}"))
            }
            Ok(other) => ended(&format!("an exit that this machine has not: {other:?}")),
            Err(error) => ended(&format!("KVM failed: {error}")),
        }
    }

    /// What the guest did not ask for in vain. Only guests of a TEE get here.
    fn convert(&self, conversion: &Conversion) -> std::io::Result<()> {
        let Some(Protected { vm, .. }) = &self.protected else { return Ok(()) };
        Ok(vm.set_memory_attributes(conversion.attributes())?)
    }

    fn act(&self, action: Action) {
        let mut guest = self.guest.lock();
        match action {
            Action::Activate([receive, transmit]) => {
                guest.receive.ring = Ring::new(receive, &self.memory).ok();
                guest.transmit.ring = Ring::new(transmit, &self.memory).ok();
                guest.memory = Some(self.memory.clone());
            }
            Action::Reset => {
                guest.receive.ring = None;
                guest.transmit.ring = None;
                guest.was_reset = true;
            }
        }
        drop(guest);
        self.guest.wake();
    }
}

/// The end that a guest of SEV-SNP asks for: what it wrote to the GHCB's register, with the reason in bits 16 to 23 and
/// whose reasons they are in bits 12 to 15 (AMD publication 56421, 2.3.1). Those of set 1 are the Keep's.
fn terminated(data: &[u64]) -> Result<u8, Fatal> {
    let register = data.first().copied().unwrap_or_default();
    let [_, set, reason, ..] = register.to_le_bytes();
    match set >> 4 {
        1 => Ok(reason),
        set => {
            Err(Fatal::Guest(format!("it cannot speak with its hypervisor: reason {reason} of set {set}")))
        }
    }
}

/// Which register of the device an access is to, if it is to one.
fn register(address: u64, length: usize) -> Option<u64> {
    let offset = address.checked_sub(ADDRESS)?;
    let end = offset.checked_add(u64::try_from(length).ok()?)?;
    (end <= SIZE).then_some(offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_for_which_a_guest_ends_is_the_status() {
        assert_eq!(terminated(&[0x4d_1100]).ok(), Some(77));
        assert_eq!(terminated(&[0x00_1100]).ok(), Some(0));
        let why = |data: &[u64]| terminated(data).unwrap_err().to_string();
        let expected = "the virtual machine ended: it cannot speak with its hypervisor: reason 2 of set 0";
        assert_eq!(why(&[0x02_0100]), expected);
        assert_eq!(why(&[]), expected.replace("reason 2", "reason 0"));
    }
}
