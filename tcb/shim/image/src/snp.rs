// SPDX-License-Identifier: Apache-2.0

//! As guest of SEV-SNP: the one guest that there is. `enarx_shim::snp` decides, `instructions` does, and what either does
//! not like is the end.

mod instructions;
mod trap;

use core::sync::atomic::{AtomicBool, Ordering};

use enarx_keep::platform::Proof;
use enarx_shim::machine::Ending;
use enarx_shim::machine::entry::SNP_PAGES;
use enarx_shim::machine::layout::{LARGE, Layout};
use enarx_shim::machine::start_info::REACHABLE;
use enarx_shim::snp::cpuid::{Answer, State, Table};
use enarx_shim::snp::guest::Guest;
use enarx_shim::snp::message::Talk;
use enarx_shim::snp::pages::Ledger;
use enarx_shim::snp::request::{Attested, RequestError, host_data};
use enarx_shim::snp::secrets::Vmpck;
use enarx_shim::snp::{Frame, GhcbError, msr};
use spin::{Mutex, Once};
use x86_64::instructions::interrupts::without_interrupts;
use x86_64::registers::control::{Cr4, Cr4Flags};
use x86_64::registers::xcontrol::XCr0;

use crate::ending::end;
use crate::heap::Part;
use crate::{image, paging};

use instructions::Instructions;
pub(crate) use instructions::{read_shared, shared_at, write_shared};

/// Below this are the pages of the launch and nothing else that is used.
const LOW: u64 = 1 << 20;

static ACTIVE: AtomicBool = AtomicBool::new(false);
static TABLE: Once<Table> = Once::new();
static GUEST: Mutex<Option<Guest<Instructions>>> = Mutex::new(None);
static TALK: Mutex<Option<Talk>> = Mutex::new(None);
/// What the host must have said at launch.
static HOST_DATA: Once<[u8; 32]> = Once::new();

/// Whether this is a guest of SEV-SNP. Then nothing that is for a plain machine may be done.
pub(crate) fn is_active() -> bool {
    ACTIVE.load(Ordering::Relaxed)
}

/// From here on it is one.
pub(crate) fn activate() {
    ACTIVE.store(true, Ordering::Relaxed);
}

/// Reads what the firmware says of the CPU. `private` is the upper half of that with which `start.s` marks private memory.
pub(crate) fn read_cpuid(private: u32) -> Result<(), Ending> {
    let table = Table::parse(instructions::cpuid_page()).map_err(|_| Ending::Processor)?;
    let mask = 1_u64.checked_shl(u32::from(table.private_bit())).unwrap_or_default();
    if mask != u64::from(private) << 32 {
        return Err(Ending::Processor);
    }
    TABLE.call_once(|| table);
    paging::mark_private(mask);
    Ok(())
}

/// Takes the key that the firmware left. What enciphers asks the CPU what it has, so the CPU has been set up before.
pub(crate) fn take_key() -> Result<(), Ending> {
    let key = Vmpck::take(instructions::secrets_page()).map_err(|_| Ending::Processor)?;
    *TALK.lock() = Some(Talk::new(&key));
    Ok(())
}

/// Starts to speak with the hypervisor, through pages that are taken out of `layout`.
pub(crate) fn start(layout: &mut Layout) -> Result<Memory, Ending> {
    let shared = layout.take_large(REACHABLE).and_then(Frame::at).ok_or(Ending::Host)?;
    let taken = shared.address()..shared.address() + LARGE;
    let ledger = Ledger::new(&[0..LOW, image::range(), taken]).map_err(|_| Ending::Host)?;
    let private_bit = TABLE.get().ok_or(Ending::Processor)?.private_bit();
    let guest = Guest::start(Instructions, shared, private_bit).map_err(|_| Ending::Host)?;
    *GUEST.lock() = Some(guest);
    Ok(Memory { shared: shared.address(), ledger })
}

/// Memory as it is taken into use.
pub(crate) struct Memory {
    /// The first of the shared pages
    pub(crate) shared: u64,
    ledger: Ledger,
}

impl Memory {
    /// Takes pieces into use, which are mapped.
    pub(crate) fn take(&mut self, layout: &Layout, part: Part) -> Result<(), Ending> {
        let pieces = layout.pieces().iter().filter(|piece| part.has(piece));
        for piece in pieces {
            with(|guest| guest.take(piece, &mut self.ledger)).map_err(|_| Ending::Host)?;
        }
        Ok(())
    }
}

/// Asks for a first report, which is for this guest itself: what the host said at launch must be what it says now.
pub(crate) fn check_launch(text: &[u8]) -> Result<(), Ending> {
    HOST_DATA.call_once(|| host_data(text));
    report(&[0; 64]).map(drop).map_err(|_| Ending::Host)
}

/// Evidence over 64 bytes.
pub(crate) fn attest(report_data: &[u8; 64]) -> Proof {
    match report(report_data) {
        Ok(attested) => Proof::Own(attested.into_bundle().into()),
        // The secure processor cannot be spoken to any more, and nobody else vouches for this Keep.
        Err(_) => end(Ending::Host),
    }
}

fn report(report_data: &[u8; 64]) -> Result<Attested, RequestError> {
    let (mut talk, host_data) = (TALK.lock(), HOST_DATA.get());
    let (Some(talk), Some(host_data)) = (talk.as_mut(), host_data) else { end(Ending::Panic) };
    with(|guest| guest.report(talk, report_data, host_data))
}

/// What CPUID says, from the CPUID page.
pub(crate) fn cpuid(leaf: u32, subleaf: u32) -> Answer {
    let answer = TABLE.get().and_then(|table| table.answer(leaf, subleaf, &state()).ok());
    answer.unwrap_or_else(|| end(Ending::Processor))
}

fn state() -> State {
    let osxsave = Cr4::read().contains(Cr4Flags::OSXSAVE);
    // Nothing here sets bits of IA32_XSS, which is 0 at launch.
    State { osxsave, xcr0: if osxsave { XCr0::read_raw() } else { 1 }, xss: 0 }
}

/// Reads a register of the interrupt controller.
pub(crate) fn read_msr(register: u32) -> u64 {
    or_end(|guest| guest.read_msr(register))
}

/// Writes one.
pub(crate) fn write_msr(register: u32, value: u64) {
    or_end(|guest| guest.write_msr(register, value));
}

/// Reads a register of a device.
pub(crate) fn read_device(address: u64) -> u32 {
    let mut bytes = [0; 4];
    or_end(|guest| guest.read_device(address, &mut bytes));
    u32::from_le_bytes(bytes)
}

/// Writes one.
pub(crate) fn write_device(address: u64, value: u32) {
    or_end(|guest| guest.write_device(address, &value.to_le_bytes()));
}

/// Sleeps until an interrupt. Called with interrupts off, and returns with them on.
pub(crate) fn halt() {
    let value = with(Guest::prepare_halt);
    instructions::vmgexit_with_interrupts(value);
}

/// Ends the machine.
pub(crate) fn terminate(ending: Ending) -> ! {
    loop {
        instructions::vmgexit(msr::terminate(msr::OURS, ending as u8));
    }
}

fn or_end<T>(ask: impl FnOnce(&mut Guest<Instructions>) -> Result<T, GhcbError>) -> T {
    with(ask).unwrap_or_else(|_| end(Ending::Host))
}

/// Interrupts speak with the hypervisor too, so there are none meanwhile.
fn with<T>(ask: impl FnOnce(&mut Guest<Instructions>) -> T) -> T {
    without_interrupts(|| match GUEST.lock().as_mut() {
        Some(guest) => ask(guest),
        None => end(Ending::Panic),
    })
}

/// What the hypervisor handed over, in the pages that are its own.
pub(crate) struct Handed;

impl enarx_shim::machine::start_info::PhysicalMemory for Handed {
    fn read(&self, address: u64, buffer: &mut [u8]) {
        image::Untouched.read(address, buffer);
    }

    fn may_hold(&self, range: &core::ops::Range<u64>) -> bool {
        SNP_PAGES.are_the_hosts(range)
    }
}
