// SPDX-License-Identifier: Apache-2.0

//! A guest of AMD SEV-SNP, by the interface of Linux 6.11 and later (Documentation/virt/kvm/x86/amd-memory-encryption.rst).
//!
//! **Never run on hardware**: there was none. What is asked of KVM in which order stands here apart from KVM, and the
//! tests hold it against one that is not there and accepts nothing but what is documented.

mod calls;
mod convert;
mod cpuid;

use std::io::{self, ErrorKind};

use enarx_measure::snp::{PageType, SEV_FEATURES};
use enarx_measure::{Launch, PAGE, PAGE_BYTES, PageKind, boot};
use kvm_bindings::{
    KVM_MEMORY_ATTRIBUTE_PRIVATE, kvm_memory_attributes, kvm_sev_init, kvm_sev_snp_launch_finish,
    kvm_sev_snp_launch_start, kvm_sev_snp_launch_update,
};

pub(super) use calls::{Kernel, create};
pub(super) use convert::{Conversion, MAP_GPA_RANGE, of_fault, of_hypercall};
pub(super) use cpuid::page as cpuid_page;

/// One page.
pub(super) type Bytes = [u8; PAGE_BYTES];

/// The policy of the guest: any firmware, several threads of a core, neither debugging nor migration; bit 17 is always set
/// (AMD publication 56860, table 10).
pub(super) const POLICY: u64 = 0x3_0000;
/// Version 2 of what guest and hypervisor tell each other, the one that SEV-SNP needs.
const GHCB_VERSION: u16 = 2;
/// How often a page is tried to be launched while the kernel is busy.
const PATIENCE: u32 = 1000;

/// What is asked of KVM for such a guest, each a call of the system's.
pub(super) trait Calls {
    /// `KVM_SEV_INIT2`, before there is a processor.
    fn init(&mut self, init: kvm_sev_init) -> io::Result<()>;
    /// `KVM_SEV_SNP_LAUNCH_START`.
    fn start(&mut self, start: kvm_sev_snp_launch_start) -> io::Result<()>;
    /// `KVM_SET_MEMORY_ATTRIBUTES`.
    fn set_attributes(&mut self, attributes: kvm_memory_attributes) -> io::Result<()>;
    /// `KVM_SEV_SNP_LAUNCH_UPDATE`, which moves on in `update` by what it has done.
    fn update(&mut self, update: &mut kvm_sev_snp_launch_update) -> io::Result<()>;
    /// `KVM_SEV_SNP_LAUNCH_FINISH`, when processor and memory are complete.
    fn finish(&mut self, finish: kvm_sev_snp_launch_finish) -> io::Result<()>;
}

/// Where pages stand for the kernel to take them from.
pub(super) trait Staging {
    /// Puts a page there, and says where in this process it is.
    fn put(&mut self, address: u64, page: &Bytes) -> io::Result<u64>;
}

/// Makes a machine one for such guests; before it gets a processor.
pub(super) fn init(calls: &mut impl Calls) -> io::Result<()> {
    // Linux adds the feature that SEV-SNP itself is.
    let vmsa_features = SEV_FEATURES & !1;
    calls.init(kvm_sev_init { vmsa_features, ghcb_version: GHCB_VERSION, ..Default::default() })
}

/// What a launch consists of beside the image.
pub(super) struct Contents<'a> {
    /// Bytes of memory.
    pub(super) memory: u64,
    /// What the host tells the guest.
    pub(super) boot_data: &'a [u8],
    /// The CPUID values that the firmware checks.
    pub(super) cpuid: Bytes,
    /// What the report says about the host's choices.
    pub(super) host_data: [u8; 32],
}

/// Launches the guest, whose processor is set up.
pub(super) fn launch(
    calls: &mut impl Calls,
    staging: &mut impl Staging,
    launch: &Launch<'_>,
    contents: &Contents<'_>,
) -> io::Result<()> {
    calls.start(kvm_sev_snp_launch_start { policy: POLICY, ..Default::default() })?;
    // All memory is the guest's own until it shares some.
    for piece in boot::memory(contents.memory) {
        let (address, size) = (piece.start, piece.size);
        let attributes = u64::from(KVM_MEMORY_ATTRIBUTE_PRIVATE);
        calls.set_attributes(kvm_memory_attributes { address, size, attributes, flags: 0 })?;
    }
    let mut boot_data = contents.boot_data.chunks(PAGE_BYTES);
    for page in launch.pages() {
        let mut bytes = page.contents();
        match page.kind {
            PageKind::Measured | PageKind::Secrets => {}
            PageKind::Cpuid => bytes = contents.cpuid,
            PageKind::Host => {
                let next = boot_data.next().unwrap_or_default();
                bytes.iter_mut().zip(next).for_each(|(to, from)| *to = *from);
            }
        }
        let uaddr = staging.put(page.address, &bytes)?;
        update(calls, page.address, uaddr, page.kind.into())?;
    }
    if boot_data.next().is_some() {
        return Err(io::Error::new(
            ErrorKind::InvalidInput,
            "the boot data do not fit into the host's pages",
        ));
    }
    calls.finish(kvm_sev_snp_launch_finish { host_data: contents.host_data, ..Default::default() })
}

/// Launches one page.
fn update(calls: &mut impl Calls, address: u64, uaddr: u64, kind: PageType) -> io::Result<()> {
    let mut update = kvm_sev_snp_launch_update {
        gfn_start: address / PAGE,
        uaddr,
        len: PAGE,
        type_: kind as u8,
        ..Default::default()
    };
    // The firmware corrects CPUID values that it does not accept, and accepts the corrected ones.
    let mut corrections = u32::from(kind == PageType::Cpuid);
    for _ in 0..PATIENCE {
        match calls.update(&mut update) {
            Ok(()) if update.len == 0 => return Ok(()),
            // Not all of it, or not now.
            Ok(()) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) if corrections > 0 => corrections -= 1,
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(ErrorKind::TimedOut, "the kernel stayed busy"))
}

#[cfg(test)]
mod tests;
