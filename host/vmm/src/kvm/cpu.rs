// SPDX-License-Identifier: Apache-2.0

//! The one processor, as PVH has it at the first instruction: 32-bit protected mode, flat segments, no paging, the address
//! of the boot data in `ebx` (xen/docs/misc/pvh.pandoc, "Processor state at start").

use kvm_bindings::{
    KVM_MAX_CPUID_ENTRIES, KVM_MP_STATE_RUNNABLE, kvm_cpuid_entry2, kvm_mp_state, kvm_regs, kvm_segment,
};
use kvm_ioctls::{Cap, Kvm, VcpuFd};

use crate::fatal::Fatal;
use crate::image::boot::BOOT_DATA;

/// Protected mode.
const CR0_PE: u64 = 1;
/// The bit of the flags that is always set.
const FLAGS: u64 = 2;

const CODE: u8 = 0xb;
const DATA: u8 = 0x3;
const BUSY_TASK: u8 = 0xb;

/// Leaf 1, `ecx`.
const X2APIC: u32 = 1 << 21;
const TSC_DEADLINE: u32 = 1 << 24;
const HYPERVISOR: u32 = 1 << 31;

pub(super) fn set_up(kvm: &Kvm, cpu: &VcpuFd, entry: u32) -> Result<(), Fatal> {
    let failed = "set up the processor";
    let mut cpuid = kvm.get_supported_cpuid(KVM_MAX_CPUID_ENTRIES).map_err(Fatal::start(failed))?;
    let deadline = kvm.check_extension(Cap::TscDeadlineTimer);
    for leaf in cpuid.as_mut_slice() {
        describe(leaf, deadline);
    }
    cpu.set_cpuid2(&cpuid).map_err(Fatal::start(failed))?;

    let mut special = cpu.get_sregs().map_err(Fatal::start(failed))?;
    special.cs = segment(1, CODE);
    let data = segment(2, DATA);
    (special.ds, special.es, special.fs, special.gs, special.ss) = (data, data, data, data, data);
    special.tr = kvm_segment { limit: 0x67, s: 0, db: 0, g: 0, ..segment(3, BUSY_TASK) };
    // The guest loads tables of its own before it uses any.
    (special.gdt.limit, special.idt.limit) = (0, 0);
    (special.cr0, special.cr3, special.cr4, special.efer) = (CR0_PE, 0, 0, 0);
    cpu.set_sregs(&special).map_err(Fatal::start(failed))?;

    let registers = kvm_regs { rip: u64::from(entry), rbx: BOOT_DATA, rflags: FLAGS, ..Default::default() };
    cpu.set_regs(&registers).map_err(Fatal::start(failed))?;
    // It is the one that starts the others, and there are none to wait for. Some KVM asks to be told.
    let runnable = kvm_mp_state { mp_state: KVM_MP_STATE_RUNNABLE };
    cpu.set_mp_state(runnable).map_err(Fatal::start(failed))
}

/// What KVM offers, with this machine's one processor and its interrupt controller.
fn describe(leaf: &mut kvm_cpuid_entry2, deadline: bool) {
    match leaf.function {
        0x1 => {
            leaf.ecx |= X2APIC | HYPERVISOR;
            if deadline {
                leaf.ecx |= TSC_DEADLINE;
            }
            // APIC id 0, one logical processor.
            leaf.ebx = leaf.ebx & 0xffff | 1 << 16;
        }
        // The x2APIC's id.
        0xb | 0x1f => leaf.edx = 0,
        _ => {}
    }
}

fn segment(index: u16, kind: u8) -> kvm_segment {
    kvm_segment {
        base: 0,
        limit: u32::MAX,
        selector: index * 8,
        type_: kind,
        present: 1,
        dpl: 0,
        db: 1,
        s: 1,
        l: 0,
        g: 1,
        ..Default::default()
    }
}
