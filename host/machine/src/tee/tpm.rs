// SPDX-License-Identifier: Apache-2.0

//! A TPM 2.0, also that of a confidential machine of Azure's.

use super::device;
use crate::{Finding, Machine, Role, Tee};

const TEE: &str = "tpm";
const DEVICE: &str = "dev/tpmrm0";
const CLASS: &str = "sys/class/tpm/tpm0";
/// The asset tag of every machine of Azure's (Azure, "Metadata Service").
const AZURE: &str = "7783-7084-3265-9085-8269-3286-77";

pub(super) fn guest(machine: &Machine) -> Tee {
    let files = &machine.files;
    if !files.exists(CLASS) && !files.exists(DEVICE) {
        let fix = "switch the TPM on in the firmware setup, or give the virtual machine one";
        let mut finding = Finding::missing("tpm", "the kernel found no TPM", fix);
        finding.found.push_str("; without one nothing says what was booted");
        return Tee::absent(TEE, Role::Guest, finding);
    }
    let version = match files.line(&format!("{CLASS}/tpm_version_major")).as_deref() {
        Some("2") => {
            Finding::present("tpm", "a TPM 2.0, which hides nothing from whoever operates the machine")
        }
        Some(version) => Finding::missing(
            "tpm",
            format!("a TPM {version}"),
            "switch the TPM to version 2.0 in the firmware setup",
        ),
        None => Finding::unknown("tpm", "the kernel does not say its version"),
    };
    let without = "use a kernel with the resource manager of TPM 2.0 (Linux 4.12 or later)";
    let mut findings = vec![version, device(machine, "device-tpmrm", DEVICE, without)];
    if files.line("sys/class/dmi/id/chassis_asset_tag").as_deref() == Some(AZURE) {
        let found = "a machine of Azure: if it is a confidential one, its TPM has the report of the hardware in \
                     index 0x01400001 (`tpm2_nvread 0x01400001`)";
        findings.push(Finding::unknown("azure", found));
    }
    Tee::there(TEE, Role::Guest, findings)
}
