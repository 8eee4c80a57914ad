// SPDX-License-Identifier: Apache-2.0

//! The timer of the CPU's own interrupt controller, in x2APIC mode (Intel SDM, volume 3, chapter "APIC"): it wakes the
//! CPU, and while the Keep works it makes a computing workload look up.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use spin::Once;
use wasmtime::Engine;
use x86_64::instructions::interrupts;
use x86_64::registers::model_specific::Msr;

use crate::clock::ticks;
use crate::interrupts::{SPURIOUS_VECTOR, TIMER_VECTOR};
use crate::processor::Processor;
use crate::snp;

/// How long a workload computes before others get their turn: 10 ms, as in a process.
const PERIOD: u64 = 10_000_000;
/// The longest time that the timer is set for; who waits longer is woken in between.
const LONGEST: u64 = 1_000_000_000;

const APIC_BASE: u32 = 0x1b;
const ENABLE_X2APIC: u64 = 0xc00;
const END_OF_INTERRUPT: u32 = 0x80b;
const SPURIOUS: u32 = 0x80f;
const ENABLE: u64 = 0x100;
const TIMER: u32 = 0x832;
const DEADLINE_MODE: u64 = 2 << 17;
const INITIAL_COUNT: u32 = 0x838;
const DIVIDE: u32 = 0x83e;
const BY_ONE: u64 = 0b1011;
const TSC_DEADLINE: u32 = 0x6e0;

/// Ticks of the time stamp counter in 2^20 ns where the timer takes a time; 0 where it takes a number of
/// nanoseconds, which is what hypervisors count in (KVM and QEMU have a bus of 1 GHz).
static RATE: AtomicU64 = AtomicU64::new(0);
static ENGINE: Once<Engine> = Once::new();
static WORKING: AtomicBool = AtomicBool::new(true);

/// Turns the interrupt controller and interrupts on.
pub(crate) fn set_up(processor: &Processor, khz: u32) {
    let mode = if processor.has_deadline_timer {
        RATE.store((u64::from(khz) << 20) / 1_000_000, Ordering::Relaxed);
        DEADLINE_MODE
    } else {
        0
    };
    let base = read(APIC_BASE);
    write(APIC_BASE, base | ENABLE_X2APIC);
    write(SPURIOUS, ENABLE | u64::from(SPURIOUS_VECTOR));
    write(DIVIDE, BY_ONE);
    write(TIMER, mode | u64::from(TIMER_VECTOR));
    interrupts::enable();
}

/// Makes this engine's epoch advance while the Keep works.
pub(crate) fn tick(engine: &Engine) {
    ENGINE.call_once(|| engine.clone());
    arm(PERIOD);
}

/// Sleeps until an interrupt, for at most `nanos`, unless `ready` says that there is something to do. Nothing gets lost
/// between the question and the sleep.
pub(crate) fn sleep(nanos: u64, ready: impl FnOnce() -> bool) {
    interrupts::disable();
    if ready() {
        interrupts::enable();
        return;
    }
    WORKING.store(false, Ordering::Relaxed);
    arm(nanos);
    if snp::is_active() {
        snp::halt();
    } else {
        interrupts::enable_and_hlt();
    }
    WORKING.store(true, Ordering::Relaxed);
    if ENGINE.is_completed() {
        arm(PERIOD);
    }
}

/// Called from `interrupts.s` with interrupts off.
#[unsafe(no_mangle)]
extern "C" fn keep_timer() {
    if let (true, Some(engine)) = (WORKING.load(Ordering::Relaxed), ENGINE.get()) {
        engine.increment_epoch();
        arm(PERIOD);
    }
    write(END_OF_INTERRUPT, 0);
}

/// Called from `interrupts.s` with interrupts off, when a device has woken the CPU, which is all it is for.
#[unsafe(no_mangle)]
extern "C" fn keep_woken() {
    write(END_OF_INTERRUPT, 0);
}

/// Sets the timer, instead of what it was set to.
fn arm(nanos: u64) {
    let nanos = nanos.clamp(1, LONGEST);
    match RATE.load(Ordering::Relaxed) {
        0 => write(INITIAL_COUNT, nanos),
        rate => write(TSC_DEADLINE, ticks().wrapping_add((nanos * rate) >> 20).max(1)),
    }
}

fn read(register: u32) -> u64 {
    if snp::is_active() {
        return snp::read_msr(register);
    }
    // SAFETY: only the register above, which every CPU with an interrupt controller has.
    unsafe { Msr::new(register).read() }
}

fn write(register: u32, value: u64) {
    if snp::is_active() {
        return snp::write_msr(register, value);
    }
    // SAFETY: only registers of the interrupt controller, whose interrupts all have an entry (`interrupts::set_up`);
    // reading and writing memory do not depend on it.
    unsafe { Msr::new(register).write(value) };
}
