// SPDX-License-Identifier: Apache-2.0

//! Intel TDX and SGX.

use super::{device, kvm, microcode, parameter, tsm};
use crate::kernel::at_least;
use crate::processor::Architecture;
use crate::{Finding, Machine, Presence, Role, Tee};

const TDX: &str = "tdx";
const SGX: &str = "sgx";
const ENCLAVE: &str = "dev/sgx_enclave";
const PROVISION: &str = "dev/sgx_provision";
const TD: &str = "dev/tdx_guest";
const FIRMWARE_SGX: &str = "in the firmware setup switch SGX on, and reserve memory for it (PRMRR); TDX needs it for its quotes, too";

pub(super) fn tdx_host(machine: &Machine) -> Tee {
    let absent = |finding| Tee::absent(TDX, Role::Host, finding);
    let processor = &machine.processor;
    if processor.architecture != Architecture::Intel {
        return absent(Finding::impossible("cpu", "the processor is not Intel's"));
    }
    let Some(product @ ("sapphire-rapids" | "emerald-rapids" | "granite-rapids" | "sierra-forest")) =
        processor.product
    else {
        let found = "the processor is not one of the families that have TDX";
        return absent(Finding::impossible("cpu", found));
    };
    if machine.is_virtual() {
        let found = format!("{product} below a hypervisor, and TDX does not nest");
        return absent(Finding::impossible("cpu", found));
    }
    let enabled = if processor.has("tdx_host_platform") {
        Finding::present("cpuid", "tdx_host_platform")
    } else {
        Finding::missing(
            "cpuid",
            "the kernel shows no tdx_host_platform",
            "in the firmware setup switch on TME, TME-MT, TDX, the SEAM loader and SGX, with keys left for TDX",
        )
    };
    let switched = parameter(
        machine,
        "kvm_intel",
        "tdx",
        "load the module by `modprobe kvm_intel tdx=1`; `dmesg` says why when it stays off",
    );
    let there = switched.state == Presence::Present;
    Tee::there(
        TDX,
        Role::Host,
        vec![
            Finding::present("cpu", product),
            enabled,
            at_least(machine.kernel.as_ref(), (6, 16), "starts TDs", there),
            kvm(machine),
            switched,
            device(machine, "device-sgx-enclave", ENCLAVE, FIRMWARE_SGX),
            device(machine, "device-sgx-provision", PROVISION, FIRMWARE_SGX),
            Finding::unknown("firmware", "the version of the TDX module is in every quote, and in `dmesg`"),
            microcode(machine),
        ],
    )
}

pub(super) fn sgx(machine: &Machine) -> Tee {
    let absent = |finding| Tee::absent(SGX, Role::Host, finding);
    let processor = &machine.processor;
    if processor.architecture != Architecture::Intel {
        return absent(Finding::impossible("cpu", "the processor is not Intel's"));
    }
    if !processor.has("sgx") && processor.product.is_none() {
        let found = "the kernel shows no sgx, and the processor is not known for it";
        return absent(Finding::impossible("cpu", found));
    }
    let name = processor.product.unwrap_or("a processor with SGX");
    if !processor.has("sgx") && machine.is_virtual() {
        let found = format!("{name} below a hypervisor, which does not pass SGX on");
        return absent(Finding::impossible("cpu", found));
    }
    let flag = |id, flag: &str, fix: &str| {
        if processor.has(flag) {
            Finding::present(id, flag)
        } else {
            Finding::missing(id, format!("the kernel shows no {flag}"), fix)
        }
    };
    let launch =
        "in the firmware setup set SGX launch control to unlocked: Linux runs enclaves on such machines only";
    Tee::there(
        SGX,
        Role::Host,
        vec![
            Finding::present("cpu", name),
            flag("cpuid", "sgx", FIRMWARE_SGX),
            flag("cpuid-launch-control", "sgx_lc", launch),
            at_least(machine.kernel.as_ref(), (5, 11), "runs enclaves", machine.files.exists(ENCLAVE)),
            device(machine, "device-sgx-enclave", ENCLAVE, FIRMWARE_SGX),
            device(machine, "device-sgx-provision", PROVISION, FIRMWARE_SGX),
            microcode(machine),
        ],
    )
}

pub(super) fn tdx_guest(machine: &Machine) -> Tee {
    let there = machine.files.exists(TD);
    if !there && !machine.processor.has("tdx_guest") {
        let found = "the kernel shows no tdx_guest, and there is no /dev/tdx_guest: this is not a TD";
        return Tee::absent(TDX, Role::Guest, Finding::impossible("guest", found));
    }
    let without = "load the module `tdx_guest`";
    Tee::there(
        TDX,
        Role::Guest,
        vec![
            Finding::present("guest", machine.processor.product.unwrap_or("a TD")),
            at_least(machine.kernel.as_ref(), (6, 2), "gives a TD its reports", there),
            device(machine, "device-tdx-guest", TD, without),
            tsm(machine),
        ],
    )
}
