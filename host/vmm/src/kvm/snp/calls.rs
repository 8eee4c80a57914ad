// SPDX-License-Identifier: Apache-2.0

//! The calls of KVM's by which such a guest is made.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::ptr::from_mut;

use kvm_bindings::{
    KVM_CAP_EXIT_HYPERCALL, KVM_CAP_GUEST_MEMFD, KVM_CAP_VM_TYPES, KVM_X86_SNP_VM, kvm_enable_cap,
    kvm_memory_attributes, kvm_sev_cmd, kvm_sev_init, kvm_sev_snp_launch_finish, kvm_sev_snp_launch_start,
    kvm_sev_snp_launch_update, sev_cmd_id_KVM_SEV_INIT2, sev_cmd_id_KVM_SEV_SNP_LAUNCH_FINISH,
    sev_cmd_id_KVM_SEV_SNP_LAUNCH_START, sev_cmd_id_KVM_SEV_SNP_LAUNCH_UPDATE,
};
use kvm_ioctls::{Kvm, VmFd};
use vm_memory::{Bytes as _, GuestAddress, GuestMemoryBackend as _, GuestMemoryMmap};

use super::{Bytes, Calls, MAP_GPA_RANGE, Staging};

/// A machine for such guests, if this KVM makes any.
pub(in crate::kvm) fn create(kvm: &Kvm) -> io::Result<VmFd> {
    let has = |capability: u32| kvm.check_extension_raw(capability.into());
    if has(KVM_CAP_VM_TYPES) >> KVM_X86_SNP_VM & 1 == 0 || has(KVM_CAP_GUEST_MEMFD) == 0 {
        return Err(io::Error::other("this KVM makes no guests of SEV-SNP"));
    }
    let vm = kvm.create_vm_with_type(KVM_X86_SNP_VM.into())?;
    // What the guest asks about its memory comes here.
    let mut cap = kvm_enable_cap { cap: KVM_CAP_EXIT_HYPERCALL, ..Default::default() };
    cap.args[0] = 1 << MAP_GPA_RANGE;
    vm.enable_cap(&cap)?;
    Ok(vm)
}

/// KVM, and the firmware behind it.
pub(in crate::kvm) struct Kernel<'a> {
    pub(in crate::kvm) vm: &'a VmFd,
    /// `/dev/sev`
    pub(in crate::kvm) firmware: &'a File,
}

impl Kernel<'_> {
    /// Gives the firmware a command. What it says about a failure is told: the system's own error says little.
    fn command<T>(&self, id: u32, data: &mut T) -> io::Result<()> {
        let sev_fd = u32::try_from(self.firmware.as_raw_fd()).map_err(io::Error::other)?;
        let data = from_mut(data).expose_provenance() as u64;
        let mut command = kvm_sev_cmd { id, data, sev_fd, ..Default::default() };
        self.vm.encrypt_op_sev(&mut command).map_err(|error| {
            let error = io::Error::from(error);
            match (error.kind(), command.error) {
                (io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted, _) | (_, 0) => error,
                (_, code) => io::Error::other(format!("{error}; the firmware says {code:#x}")),
            }
        })
    }
}

impl Calls for Kernel<'_> {
    fn init(&mut self, mut init: kvm_sev_init) -> io::Result<()> {
        self.command(sev_cmd_id_KVM_SEV_INIT2, &mut init)
    }

    fn start(&mut self, mut start: kvm_sev_snp_launch_start) -> io::Result<()> {
        self.command(sev_cmd_id_KVM_SEV_SNP_LAUNCH_START, &mut start)
    }

    fn set_attributes(&mut self, attributes: kvm_memory_attributes) -> io::Result<()> {
        Ok(self.vm.set_memory_attributes(attributes)?)
    }

    fn update(&mut self, update: &mut kvm_sev_snp_launch_update) -> io::Result<()> {
        self.command(sev_cmd_id_KVM_SEV_SNP_LAUNCH_UPDATE, update)
    }

    fn finish(&mut self, mut finish: kvm_sev_snp_launch_finish) -> io::Result<()> {
        self.command(sev_cmd_id_KVM_SEV_SNP_LAUNCH_FINISH, &mut finish)
    }
}

/// What the guest and its host can share stands in for what the kernel takes pages from: nothing else is there yet.
impl Staging for &GuestMemoryMmap {
    fn put(&mut self, address: u64, page: &Bytes) -> io::Result<u64> {
        self.write_slice(page, GuestAddress(address)).map_err(io::Error::other)?;
        let place = self.get_host_address(GuestAddress(address)).map_err(io::Error::other)?;
        Ok(place.expose_provenance() as u64)
    }
}
