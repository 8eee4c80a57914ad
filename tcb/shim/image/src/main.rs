// SPDX-License-Identifier: Apache-2.0

//! The unikernel: a Keep on a bare virtual machine, started by the PVH boot protocol, alone in one address space.
//!
//! In order: `start.s` reaches 64-bit code, [`keep_main`] reads what the hypervisor handed over, plans memory, puts up
//! the final page tables, the exception table and the sources of time and randomness, finds the one device, and lives the
//! life of a Keep. One CPU, one thread, interrupts only to be woken and to make a computing workload look up.
#![no_std]
#![no_main]
#![deny(unsafe_op_in_unsafe_fn)]

extern crate alloc;

mod bounce;
mod clock;
mod console;
mod device;
mod ending;
mod engine;
mod heap;
mod image;
mod interrupts;
mod paging;
mod platform;
mod processor;
mod random;
mod snp;
mod timer;
mod transport;

use alloc::borrow::ToOwned;

use enarx_keep::End;
use enarx_keep::launch::{Backend, Launch};
use enarx_shim::machine::entry::Kind;
use enarx_shim::machine::layout::Layout;
use enarx_shim::machine::start_info::StartInfo;
use enarx_shim::machine::{Ending, entry};

use clock::TscClock;
use ending::end;
use platform::Machine;

core::arch::global_asm!(
    include_str!("start.s"),
    SNP = const entry::SNP,
    TDX = const entry::TDX,
    NOTE_SNP_PAGES = const entry::NOTE_SNP_PAGES,
    SNP_CPUID = const entry::SNP_PAGES.cpuid,
    SNP_SECRETS = const entry::SNP_PAGES.secrets,
    SNP_HOST_START = const entry::SNP_PAGES.host.start,
    SNP_HOST_END = const entry::SNP_PAGES.host.end,
    SNP_STOP = const enarx_shim::snp::msr::terminate(enarx_shim::snp::msr::OURS, Ending::Host as u8),
);
core::arch::global_asm!(include_str!("interrupts.s"));
core::arch::global_asm!(include_str!("memory.s"));

/// Called by `start.s`, once, on the main stack.
#[unsafe(no_mangle)]
extern "C" fn keep_main(start_info: u32, kind: u32, private: u32) -> ! {
    let kind = Kind::of(kind);
    if kind == Kind::Snp {
        snp::activate();
    }
    end(match run(u64::from(start_info), kind, private) {
        Ok(()) => Ending::Done,
        Err(ending) => ending,
    })
}

fn run(start_info: u64, kind: Kind, private: u32) -> Result<(), Ending> {
    interrupts::set_up();
    let info = match kind {
        Kind::Plain => StartInfo::read(&image::Untouched, start_info),
        Kind::Snp => {
            snp::read_cpuid(private)?;
            StartInfo::read(&snp::Handed, start_info)
        }
        Kind::Tdx => return Err(Ending::Processor),
    };
    let processor = processor::set_up()?;
    let info = info.map_err(|_| Ending::Host)?;
    let mut layout = Layout::plan(info.regions(), &image::range()).map_err(|_| Ending::Host)?;
    let mut memory = None;
    if kind == Kind::Snp {
        snp::take_key()?;
        memory = Some(snp::start(&mut layout)?);
    }
    take_memory(&layout, memory)?;
    random::set_up()?;

    let text = core::str::from_utf8(info.command_line()).map_err(|_| Ending::Host)?.to_owned();
    let launch = Launch::parse(&text).map_err(|_| Ending::Host)?;
    if kind == Kind::Snp {
        snp::check_launch(text.as_bytes())?;
    }
    // Under QEMU nothing tells us of the device; everywhere else it is an interrupt.
    let asks = match launch.backend {
        Backend::Vm => false,
        Backend::Qemu if kind == Kind::Plain => true,
        _ => return Err(Ending::Host),
    };
    let khz = launch.tsc_khz.ok_or(Ending::Host)?;
    let clock = TscClock::new(khz);
    timer::set_up(&processor, khz);
    let socket = device::find().ok_or(Ending::Host)?;
    let machine = Machine::new(launch, &processor, clock, socket, asks);
    match enarx_keep::live(machine) {
        Ok(End::Done | End::Unprovisioned | End::HostGone) => Ok(()),
        Err(_) => Err(Ending::Entropy),
    }
}

/// Puts all memory under the heap and goes over to the final tables. As guest of SEV-SNP memory is taken into use before.
fn take_memory(layout: &Layout, mut memory: Option<snp::Memory>) -> Result<(), Ending> {
    let shared = memory.as_ref().map(|memory| memory.shared);
    let mut claim = |part| {
        if let Some(memory) = &mut memory {
            memory.take(layout, part)?;
        }
        heap::claim(layout, part);
        Ok(())
    };
    claim(heap::Part::MappedAtStart)?;
    paging::set_up(layout, shared);
    claim(heap::Part::Rest)
}
