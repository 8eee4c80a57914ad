// SPDX-License-Identifier: Apache-2.0

//! The TEEs, each in its roles, and what several of them need.

mod amd;
mod arm;
mod cloud;
mod intel;
mod tpm;

use crate::{Finding, Machine, Tee};

/// All of them, hosts first.
pub(crate) fn all(machine: &Machine) -> Vec<Tee> {
    vec![
        amd::host(machine),
        intel::tdx_host(machine),
        intel::sgx(machine),
        arm::host(machine),
        cloud::nitro_host(machine),
        amd::guest(machine),
        intel::tdx_guest(machine),
        arm::guest(machine),
        cloud::nitro_guest(machine),
        tpm::guest(machine),
    ]
}

/// A device and who may use it.
fn device(machine: &Machine, id: &'static str, path: &str, without: &str) -> Finding {
    if !machine.files.exists(path) {
        return Finding::missing(id, format!("no /{path}"), without);
    }
    if machine.files.usable(path) {
        return Finding::present(id, format!("/{path}"));
    }
    let found = format!("/{path}, which this user may not open");
    Finding::missing(
        id,
        found,
        format!("add the user to the group that owns it (`ls -l /{path}`), or run as root"),
    )
}

/// The device that makes virtual machines.
fn kvm(machine: &Machine) -> Finding {
    let without = if machine.is_virtual() {
        "this is itself a virtual machine: use a whole machine, or one with nested virtualisation"
    } else {
        "switch virtualisation on in the firmware setup, and load the module `kvm_amd` or `kvm_intel`"
    };
    device(machine, "device-kvm", "dev/kvm", without)
}

/// A switch of a kernel module: `Y` or `1` is on.
fn parameter(machine: &Machine, module: &str, name: &str, fix: &str) -> Finding {
    const ID: &str = "kvm-parameter";
    match machine.files.line(&format!("sys/module/{module}/parameters/{name}")).as_deref() {
        Some("Y" | "1") => Finding::present(ID, format!("{module}.{name} is on")),
        Some(_) => Finding::missing(ID, format!("{module}.{name} is off"), fix),
        None if machine.files.exists(&format!("sys/module/{module}")) => {
            let found = format!("the module {module} does not know {name}");
            Finding::missing(ID, found, "use a kernel that was built with it")
        }
        None => {
            Finding::missing(ID, format!("the module {module} is not loaded"), format!("`modprobe {module}`"))
        }
    }
}

/// Where guests ask for evidence, whatever their TEE (*Linux*, `Documentation/ABI/testing/configfs-tsm-report`).
fn tsm(machine: &Machine) -> Finding {
    const ID: &str = "tsm-report";
    const PATH: &str = "sys/kernel/config/tsm/report";
    if machine.files.exists(PATH) {
        return Finding::present(ID, format!("/{PATH}"));
    }
    let fix = "mount configfs (`mount -t configfs none /sys/kernel/config`) and use Linux 6.7 or later with \
               CONFIG_TSM_REPORTS; the device of the TEE does the same";
    Finding { fix: Some(fix.to_owned()), ..Finding::unknown(ID, format!("no /{PATH}")) }
}

/// The processor and its microcode.
fn microcode(machine: &Machine) -> Finding {
    match &machine.processor.microcode {
        Some(version) if machine.is_virtual() => {
            Finding::unknown("microcode", format!("{version}, as the hypervisor says"))
        }
        Some(version) => Finding::present("microcode", version.clone()),
        None => Finding::unknown("microcode", "the kernel does not say its version"),
    }
}
