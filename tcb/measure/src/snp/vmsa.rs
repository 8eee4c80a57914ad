// SPDX-License-Identifier: Apache-2.0

//! The page in which the firmware finds a processor's state (AMD APM volume 2, table B-4, *VMSA layout*), as Linux fills
//! it in from what a hypervisor has set: `sev_es_sync_vmsa` in arch/x86/kvm/svm/sev.c.

use crate::vcpu::{Table, Vcpu};

/// Bytes of the page.
pub const VMSA_SIZE: usize = 4096;

/// Linux keeps machine checks on ...
const CR4: u64 = 0x40;
/// ... and virtualisation, which every guest's VMCB must have.
const EFER: u64 = 0x1000;
/// What processors have after a reset.
const DR6: u64 = 0xffff_0ff0;
const DR7: u64 = 0x400;
const PAT: u64 = 0x0007_0406_0007_0406;
const XCR0: u64 = 1;
/// What Linux begins every guest with.
const MXCSR: u64 = 0x1f80;
const FCW: u64 = 0x37f;

/// The state of a processor with these features.
pub fn vmsa(vcpu: &Vcpu, sev_features: u64) -> [u8; VMSA_SIZE] {
    let mut page = Page([0; VMSA_SIZE]);
    let tables = [
        (0x00, vcpu.ds),
        (0x10, vcpu.cs),
        (0x20, vcpu.ss),
        (0x30, vcpu.ds),
        (0x40, vcpu.ds),
        (0x50, vcpu.ds),
        (0x60, vcpu.gdt),
        (0x70, vcpu.ldt),
        (0x80, vcpu.idt),
        (0x90, vcpu.tr),
    ];
    for (offset, table) in tables {
        page.table(offset, table);
    }
    for (offset, value) in [
        (0x0d0, EFER),
        (0x148, CR4),
        (0x158, vcpu.cr0),
        (0x160, DR7),
        (0x168, DR6),
        (0x170, Vcpu::FLAGS),
        (0x178, vcpu.rip),
        (0x268, PAT),
        (0x310, vcpu.rdx),
        (0x318, vcpu.rbx),
        (0x330, vcpu.rsi),
        (0x3b0, sev_features),
        (0x3e8, XCR0),
        // Four bytes of one register, two each of two, two of this and six of further ones.
        (0x408, MXCSR),
        (0x410, FCW),
    ] {
        page.number(offset, value);
    }
    page.0
}

/// Bytes that are filled in at offsets of the specification.
struct Page([u8; VMSA_SIZE]);

impl Page {
    fn number(&mut self, offset: usize, value: u64) {
        self.bytes(offset, value.to_le_bytes().into_iter());
    }

    fn table(&mut self, offset: usize, table: Table) {
        let Table { selector, attributes, limit, base } = table;
        let numbers = selector.to_le_bytes().into_iter().chain(attributes.to_le_bytes());
        self.bytes(offset, numbers.chain(limit.to_le_bytes()).chain(base.to_le_bytes()));
    }

    fn bytes(&mut self, offset: usize, bytes: impl Iterator<Item = u8>) {
        let places = self.0.iter_mut().skip(offset);
        places.zip(bytes).for_each(|(place, byte)| *place = byte);
    }
}
