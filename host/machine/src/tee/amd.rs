// SPDX-License-Identifier: Apache-2.0

//! AMD SEV-SNP.

use super::{device, kvm, microcode, parameter, tsm};
use crate::kernel::at_least;
use crate::processor::Architecture;
use crate::{Finding, Machine, Role, Tee};

const TEE: &str = "sev-snp";
const DEVICE: &str = "dev/sev";
const GUEST_DEVICE: &str = "dev/sev-guest";
/// The firmware's functions of the secure processor (*Linux*, `Documentation/ABI/testing/sysfs-driver-ccp`).
const SECURE_PROCESSOR: &str = "sys/bus/pci/drivers/ccp";

pub(super) fn host(machine: &Machine) -> Tee {
    let absent = |finding| Tee::absent(TEE, Role::Host, finding);
    let (processor, files) = (&machine.processor, &machine.files);
    if processor.architecture != Architecture::Amd {
        return absent(Finding::impossible("cpu", "the processor is not AMD's"));
    }
    let Some(product) = processor.product else {
        let found = "the processor is older than EPYC 7003, or not an EPYC: it has no SEV-SNP";
        return absent(Finding::impossible("cpu", found));
    };
    if machine.is_virtual() && !processor.has("sev_snp") && !files.exists(DEVICE) {
        let found = format!("{product} below a hypervisor, which does not pass SEV-SNP on");
        return absent(Finding::impossible("cpu", found));
    }
    let enabled = if processor.has("sev_snp") {
        Finding::present("cpuid", "sev_snp")
    } else {
        // The kernel clears the bit where the firmware left the table of pages out, or another switch is off.
        Finding::missing(
            "cpuid",
            "the kernel shows no sev_snp",
            "in the firmware setup switch on SMEE, SEV-ES with an ASID limit above 1, SNP memory coverage (the RMP \
             table) and the IOMMU; keep `amd_iommu=off` and `iommu=pt` off the kernel's command line",
        )
    };
    let switched = parameter(
        machine,
        "kvm_amd",
        "sev_snp",
        "switch SNP on in the firmware setup, then load the module by `modprobe kvm_amd sev_snp=1`",
    );
    let there = switched.state == crate::Presence::Present;
    let without = "load the module `ccp`, and switch the secure processor on in the firmware setup";
    Tee::there(
        TEE,
        Role::Host,
        vec![
            Finding::present("cpu", product),
            enabled,
            at_least(machine.kernel.as_ref(), (6, 11), "starts SEV-SNP guests", there),
            kvm(machine),
            switched,
            device(machine, "device-sev", DEVICE, without),
            firmware(machine),
            microcode(machine),
        ],
    )
}

/// The versions that the secure processor tells without being asked by a privileged program.
fn firmware(machine: &Machine) -> Finding {
    let files = &machine.files;
    let versions = files.names(SECURE_PROCESSOR).into_iter().find_map(|name| {
        let read = |file: &str| files.line(&format!("{SECURE_PROCESSOR}/{name}/{file}"));
        match (read("bootloader_version"), read("tee_version")) {
            (None, None) => None,
            (bootloader, tee) => {
                let told = |version: Option<String>| version.unwrap_or_else(|| "unknown".to_owned());
                Some(format!("boot loader {}, TEE {}", told(bootloader), told(tee)))
            }
        }
    });
    match versions {
        Some(versions) => Finding::present("firmware", versions),
        None => Finding::unknown(
            "firmware",
            "its version and TCB are not in /sys: `snphost show tcb` asks the firmware, and so does every report",
        ),
    }
}

pub(super) fn guest(machine: &Machine) -> Tee {
    let files = &machine.files;
    let level = files.line("sys/devices/system/cpu/sev/vmpl");
    if !files.exists(GUEST_DEVICE) && level.is_none() {
        let found = "no /dev/sev-guest and no privilege level in /sys: this is not a guest of SEV-SNP";
        return Tee::absent(TEE, Role::Guest, Finding::impossible("guest", found));
    }
    let level = match level {
        Some(level) => Finding::present("vmpl", level),
        None => Finding::unknown("vmpl", "the kernel does not say it before Linux 6.11"),
    };
    let without = "load the module `sev-guest`";
    Tee::there(
        TEE,
        Role::Guest,
        vec![
            Finding::present("guest", machine.processor.product.unwrap_or("a guest of SEV-SNP")),
            level,
            at_least(machine.kernel.as_ref(), (5, 19), "runs in SEV-SNP", files.exists(GUEST_DEVICE)),
            device(machine, "device-sev-guest", GUEST_DEVICE, without),
            tsm(machine),
        ],
    )
}
