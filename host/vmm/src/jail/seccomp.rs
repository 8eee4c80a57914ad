// SPDX-License-Identifier: Apache-2.0

//! The system calls that are left: those of a process Keep, and what a machine needs beside them.

use std::borrow::Cow;

use enarx_shim::process::sandbox::seccomp::{Rules, restrict_to};
use nix::libc;
use seccompiler::SeccompCmpArgLen::Dword;
use seccompiler::SeccompCmpOp::{Eq, MaskedEq};
use seccompiler::{SeccompCondition, SeccompRule};

/// `KVM_RUN`: the guest goes on.
const KVM_RUN: u64 = 0xae80;
/// `KVM_SIGNAL_MSI`: the guest hears of its device.
const KVM_SIGNAL_MSI: u64 = 0x4020_aea5;
/// `KVM_SET_MEMORY_ATTRIBUTES`: memory is the guest's own, or shared.
const KVM_SET_MEMORY_ATTRIBUTES: u64 = 0x4020_aed2;
/// `FIONBIO`: a stream never blocks.
const FIONBIO: u64 = 0x5421;

/// For a machine on KVM.
pub(super) fn restrict_kvm() -> Result<Cow<'static, str>, String> {
    let ioctls = [KVM_RUN, KVM_SIGNAL_MSI, FIONBIO];
    rules(&ioctls).map_err(|error| error.to_string()).and_then(restrict_to)
}

/// For a guest of a TEE on KVM, which says what of its memory it shares.
pub(super) fn restrict_protected() -> Result<Cow<'static, str>, String> {
    let ioctls = [KVM_RUN, KVM_SIGNAL_MSI, KVM_SET_MEMORY_ATTRIBUTES, FIONBIO];
    rules(&ioctls).map_err(|error| error.to_string()).and_then(restrict_to)
}

/// For the device alone, whose guest's memory QEMU sends: it may be mapped, but not to be executed.
pub(super) fn restrict_device() -> Result<Cow<'static, str>, String> {
    let further = || {
        let mut rules = rules(&[FIONBIO])?;
        let executable = u64::from(libc::PROT_EXEC.cast_unsigned());
        let not_executable = SeccompCondition::new(2, Dword, MaskedEq(executable), 0)?;
        rules.insert(libc::SYS_mmap, vec![SeccompRule::new(vec![not_executable])?]);
        for call in [libc::SYS_fstat, libc::SYS_statx, libc::SYS_lseek] {
            rules.insert(call, Vec::new());
        }
        Ok::<Rules, seccompiler::Error>(rules)
    };
    further().map_err(|error| error.to_string()).and_then(restrict_to)
}

fn rules(ioctls: &[u64]) -> Result<Rules, seccompiler::Error> {
    let mut rules = Rules::new();
    for call in [libc::SYS_epoll_wait, libc::SYS_epoll_pwait, libc::SYS_epoll_ctl] {
        rules.insert(call, Vec::new());
    }
    let one = |request: &u64| SeccompRule::new(vec![SeccompCondition::new(1, Dword, Eq, *request)?]);
    rules.insert(libc::SYS_ioctl, ioctls.iter().map(one).collect::<Result<_, _>>()?);
    Ok(rules)
}
