// SPDX-License-Identifier: Apache-2.0

//! What the CPU must have, what it is told to enforce, and what compiled code may use of it
//! (AMD64 Architecture Programmer's Manual, volume 3, appendix E; Intel SDM, volume 2, CPUID).

use core::arch::x86_64::{__cpuid_count, CpuidResult};

use enarx_runtime::engine::{CpuFeatures, EngineSpec, Target};
use enarx_shim::machine::Ending;
use enarx_shim::snp::cpuid::Answer;
use spin::Once;
use x86_64::registers::control::{Cr4, Cr4Flags};
use x86_64::registers::xcontrol::{XCr0, XCr0Flags};

use crate::snp;

static FEATURES: Once<CpuFeatures> = Once::new();

/// What was found.
pub(crate) struct Processor {
    /// What code may be compiled for.
    pub(crate) engine: EngineSpec,
    /// Whether the timer of the interrupt controller can be set to a time rather than for a duration.
    pub(crate) has_deadline_timer: bool,
}

/// Registers in the order of the instruction.
#[derive(Clone, Copy)]
enum Register {
    Eax,
    Ebx,
    Ecx,
}

/// One bit of what CPUID says.
struct Bit(u32, u32, Register, u32);

const XSAVE: Bit = Bit(1, 0, Register::Ecx, 26);
const RDRAND: Bit = Bit(1, 0, Register::Ecx, 30);
const RDSEED: Bit = Bit(7, 0, Register::Ebx, 18);
const X2APIC: Bit = Bit(1, 0, Register::Ecx, 21);
const DEADLINE: Bit = Bit(1, 0, Register::Ecx, 24);
const SMEP: Bit = Bit(7, 0, Register::Ebx, 7);
const SMAP: Bit = Bit(7, 0, Register::Ebx, 20);
const UMIP: Bit = Bit(7, 0, Register::Ecx, 2);
const AVX: Bit = Bit(1, 0, Register::Ecx, 28);
const AVX512: Bit = Bit(7, 0, Register::Ebx, 16);

/// Where each feature that compiled code may use is announced, and which registers it needs.
const CODE: &[(&str, Bit, Needs)] = &[
    ("sse3", Bit(1, 0, Register::Ecx, 0), Needs::Nothing),
    ("ssse3", Bit(1, 0, Register::Ecx, 9), Needs::Nothing),
    ("fma", Bit(1, 0, Register::Ecx, 12), Needs::Ymm),
    ("cmpxchg16b", Bit(1, 0, Register::Ecx, 13), Needs::Nothing),
    ("sse4.1", Bit(1, 0, Register::Ecx, 19), Needs::Nothing),
    ("sse4.2", Bit(1, 0, Register::Ecx, 20), Needs::Nothing),
    ("popcnt", Bit(1, 0, Register::Ecx, 23), Needs::Nothing),
    ("avx", AVX, Needs::Ymm),
    ("bmi1", Bit(7, 0, Register::Ebx, 3), Needs::Nothing),
    ("avx2", Bit(7, 0, Register::Ebx, 5), Needs::Ymm),
    ("bmi2", Bit(7, 0, Register::Ebx, 8), Needs::Nothing),
    ("avxvnni", Bit(7, 1, Register::Eax, 4), Needs::Ymm),
    ("avx512f", AVX512, Needs::Zmm),
    ("avx512dq", Bit(7, 0, Register::Ebx, 17), Needs::Zmm),
    ("avx512vl", Bit(7, 0, Register::Ebx, 31), Needs::Zmm),
    ("avx512vbmi", Bit(7, 0, Register::Ecx, 1), Needs::Zmm),
    ("avx512vnni", Bit(7, 0, Register::Ecx, 11), Needs::Zmm),
    ("avx512bitalg", Bit(7, 0, Register::Ecx, 12), Needs::Zmm),
    ("lzcnt", Bit(0x8000_0001, 0, Register::Ecx, 5), Needs::Nothing),
];

/// Registers beyond those of the baseline.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    Ymm,
    Zmm,
}

/// Checks the CPU and turns on what protects this program from itself.
pub(crate) fn set_up() -> Result<Processor, Ending> {
    if !has(&RDRAND) && !has(&RDSEED) || !has(&X2APIC) {
        return Err(Ending::Processor);
    }
    let mut flags = Cr4::read();
    flags |= Cr4Flags::PAGE_GLOBAL;
    for (bit, flag) in [
        (SMEP, Cr4Flags::SUPERVISOR_MODE_EXECUTION_PROTECTION),
        (SMAP, Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION),
        (UMIP, Cr4Flags::USER_MODE_INSTRUCTION_PREVENTION),
        (XSAVE, Cr4Flags::OSXSAVE),
    ] {
        flags.set(flag, has(&bit));
    }
    // SAFETY: each flag is announced by the CPU, and none changes what code or memory of this program mean: there are no
    // user pages and no global ones.
    unsafe { Cr4::write(flags) };
    let registers = widen();
    let found =
        |name: &str| CODE.iter().any(|(known, bit, needs)| *known == name && usable(bit, *needs, registers));
    let features = *FEATURES.call_once(|| CpuFeatures::detect(found));
    let engine = EngineSpec::new(Target::of_this_build(), features).unwrap_or_else(EngineSpec::pulley);
    Ok(Processor { engine, has_deadline_timer: has(&DEADLINE) })
}

/// Whether compiled code may use a feature, for wasmtime; `None` for a name that is none.
pub(crate) fn has_feature(name: &str) -> Option<bool> {
    let known = CODE.iter().any(|(known, ..)| *known == name);
    known.then(|| FEATURES.get().is_some_and(|features| features.contains(name)))
}

/// Whether RDSEED is there, the better source.
pub(crate) fn has_rdseed() -> bool {
    has(&RDSEED)
}

/// Lets the CPU use its widest registers, and says which they are.
fn widen() -> Needs {
    if !has(&XSAVE) || !has(&AVX) {
        return Needs::Nothing;
    }
    let mut flags = XCr0Flags::X87 | XCr0Flags::SSE | XCr0Flags::AVX;
    let zmm = XCr0Flags::OPMASK | XCr0Flags::ZMM_HI256 | XCr0Flags::HI16_ZMM;
    if has(&AVX512) {
        flags |= zmm;
    }
    // SAFETY: the CPU announces the registers, and nothing relies on their being off.
    unsafe { XCr0::write(flags) };
    if flags.contains(zmm) { Needs::Zmm } else { Needs::Ymm }
}

fn usable(bit: &Bit, needs: Needs, registers: Needs) -> bool {
    let held = match needs {
        Needs::Nothing => true,
        Needs::Ymm => registers != Needs::Nothing,
        Needs::Zmm => registers == Needs::Zmm,
    };
    held && has(bit)
}

fn has(bit: &Bit) -> bool {
    let Bit(leaf, subleaf, register, number) = *bit;
    let highest = ask(leaf & 0x8000_0000, 0).eax;
    if leaf > highest || leaf == 7 && subleaf > ask(7, 0).eax {
        return false;
    }
    let found = ask(leaf, subleaf);
    let word = match register {
        Register::Eax => found.eax,
        Register::Ebx => found.ebx,
        Register::Ecx => found.ecx,
    };
    word >> number & 1 == 1
}

/// As guest of SEV-SNP the instruction would say what the hypervisor likes.
fn ask(leaf: u32, subleaf: u32) -> Answer {
    if snp::is_active() {
        return snp::cpuid(leaf, subleaf);
    }
    let CpuidResult { eax, ebx, ecx, edx } = __cpuid_count(leaf, subleaf);
    Answer { eax, ebx, ecx, edx }
}
