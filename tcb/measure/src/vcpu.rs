// SPDX-License-Identifier: Apache-2.0

//! The one processor at its first instruction, as PVH has it: 32-bit protected mode, flat segments, no paging, the address
//! of the boot data in `ebx` (xen/docs/misc/pvh.pandoc, "Processor state at start").

use crate::Guest;

/// Protected mode, and the bit that every processor has set.
const CR0: u64 = 0x11;
/// Code, readable, accessed, present; 32 bits, counted in pages.
const CODE: u16 = 0xc9b;
/// Data, writable, accessed, present; likewise.
const DATA: u16 = 0xc93;
/// A task, busy, present.
const BUSY_TASK: u16 = 0x8b;
/// A local descriptor table, present: what processors have after a reset.
const LOCAL_TABLE: u16 = 0x82;

/// A segment register, with what it was loaded from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// The number by which a program names it.
    pub selector: u16,
    /// Type and flags, packed as in a VMCB: type in bits 0 to 3, S, DPL, P, AVL, L, D/B, G (AMD APM volume 2, 15.5.1).
    pub attributes: u16,
    /// Its last byte.
    pub limit: u32,
    /// Its first byte.
    pub base: u64,
}

/// State of a processor. What is not named here is as after a reset, and general registers are zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vcpu {
    /// Code.
    pub cs: Table,
    /// Data, and what else is addressed as data: `ds`, `es`, `fs`, `gs`.
    pub ds: Table,
    /// The stack.
    pub ss: Table,
    /// The global descriptor table.
    pub gdt: Table,
    /// The local one.
    pub ldt: Table,
    /// The table of interrupts.
    pub idt: Table,
    /// The task.
    pub tr: Table,
    /// Control register 0. The others and `efer` are zero.
    pub cr0: u64,
    /// The first instruction.
    pub rip: u64,
    /// Of a guest the address of its boot data.
    pub rbx: u64,
    /// Of other hypervisors' guests which processor it is.
    pub rdx: u64,
    /// Of a guest what it stands on ([`Guest::magic`]).
    pub rsi: u64,
}

impl Vcpu {
    /// A processor at `entry` with boot data at `start_info`.
    pub fn start(entry: u32, start_info: u32, guest: Guest) -> Self {
        let flat =
            |index: u16, attributes| Table { selector: index * 8, attributes, limit: u32::MAX, base: 0 };
        let data = flat(2, DATA);
        Self {
            cs: flat(1, CODE),
            ds: data,
            ss: data,
            // The guest loads tables of its own before it uses any.
            gdt: Table::default(),
            idt: Table::default(),
            ldt: Table { attributes: LOCAL_TABLE, limit: 0xffff, ..Table::default() },
            tr: Table { limit: 0x67, ..flat(3, BUSY_TASK) },
            cr0: CR0,
            rip: u64::from(entry),
            rbx: u64::from(start_info),
            rdx: 0,
            rsi: u64::from(guest.magic()),
        }
    }

    /// The bit of the flags that is always set.
    pub const FLAGS: u64 = 2;
}
