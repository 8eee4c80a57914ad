// SPDX-License-Identifier: Apache-2.0

//! The one processor: what it offers, and the state that it begins in.

use enarx_measure::{Table, Vcpu};
use kvm_bindings::{
    CpuId, KVM_MAX_CPUID_ENTRIES, KVM_MP_STATE_RUNNABLE, kvm_cpuid_entry2, kvm_dtable, kvm_mp_state,
    kvm_regs, kvm_segment,
};
use kvm_ioctls::{Cap, Kvm, VcpuFd};

use crate::fatal::Fatal;

/// Leaf 1, `ecx`.
const X2APIC: u32 = 1 << 21;
const TSC_DEADLINE: u32 = 1 << 24;
const HYPERVISOR: u32 = 1 << 31;

/// Sets the processor up, and returns what it offers.
pub(super) fn set_up(kvm: &Kvm, cpu: &VcpuFd, start: &Vcpu) -> Result<CpuId, Fatal> {
    let failed = "set up the processor";
    let mut cpuid = kvm.get_supported_cpuid(KVM_MAX_CPUID_ENTRIES).map_err(Fatal::start(failed))?;
    let deadline = kvm.check_extension(Cap::TscDeadlineTimer);
    for leaf in cpuid.as_mut_slice() {
        describe(leaf, deadline);
    }
    cpu.set_cpuid2(&cpuid).map_err(Fatal::start(failed))?;

    let mut special = cpu.get_sregs().map_err(Fatal::start(failed))?;
    let data = segment(&start.ds);
    (special.ds, special.es, special.fs, special.gs) = (data, data, data, data);
    (special.cs, special.ss) = (segment(&start.cs), segment(&start.ss));
    (special.tr, special.ldt) = (segment(&start.tr), segment(&start.ldt));
    (special.gdt, special.idt) = (table(&start.gdt), table(&start.idt));
    (special.cr0, special.cr3, special.cr4, special.efer) = (start.cr0, 0, 0, 0);
    cpu.set_sregs(&special).map_err(Fatal::start(failed))?;

    let Vcpu { rip, rbx, rdx, rsi, .. } = *start;
    let registers = kvm_regs { rip, rbx, rdx, rsi, rflags: Vcpu::FLAGS, ..Default::default() };
    cpu.set_regs(&registers).map_err(Fatal::start(failed))?;
    // It is the one that starts the others, and there are none to wait for. Some KVM asks to be told.
    let runnable = kvm_mp_state { mp_state: KVM_MP_STATE_RUNNABLE };
    cpu.set_mp_state(runnable).map_err(Fatal::start(failed))?;
    Ok(cpuid)
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

/// The attributes as KVM has them, each on its own.
fn segment(table: &Table) -> kvm_segment {
    let Table { selector, attributes, limit, base } = *table;
    let bits = |shift: u32, mask: u16| (attributes >> shift & mask).to_le_bytes()[0];
    kvm_segment {
        base,
        limit,
        selector,
        type_: bits(0, 0xf),
        s: bits(4, 1),
        dpl: bits(5, 3),
        present: bits(7, 1),
        avl: bits(8, 1),
        l: bits(9, 1),
        db: bits(10, 1),
        g: bits(11, 1),
        ..Default::default()
    }
}

fn table(table: &Table) -> kvm_dtable {
    // A table of up to 8192 entries.
    kvm_dtable {
        base: table.base,
        limit: u16::try_from(table.limit).unwrap_or(u16::MAX),
        ..Default::default()
    }
}
