// SPDX-License-Identifier: Apache-2.0

//! The Arm Confidential Compute Architecture.

use super::tsm;
use crate::kernel::at_least;
use crate::processor::Architecture;
use crate::{Finding, Machine, Role, Tee};

const TEE: &str = "cca";
/// What the kernel makes where it finds a realm manager below itself (*Linux*, `arch/arm64/kernel/rsi.c`).
const REALM: &str = "sys/bus/platform/devices/arm-cca-dev";

pub(super) fn host(machine: &Machine) -> Tee {
    if machine.processor.architecture != Architecture::Arm {
        return Tee::absent(TEE, Role::Host, Finding::impossible("cpu", "the processor is not Arm's"));
    }
    let found = "the kernel has no sign by which a host could tell realms: Linux shows no bit for them in /proc or /sys, \
                 and KVM of released kernels starts none";
    Tee::absent(TEE, Role::Host, Finding::unknown("cpu", found))
}

pub(super) fn guest(machine: &Machine) -> Tee {
    let there = machine.files.exists(REALM);
    if !there {
        let found = if machine.processor.architecture == Architecture::Arm {
            "the kernel found no realm manager below itself: this is not a realm"
        } else {
            "the processor is not Arm's"
        };
        return Tee::absent(TEE, Role::Guest, Finding::impossible("guest", found));
    }
    // Nothing else gives a realm its tokens.
    let mut report = tsm(machine);
    if report.fix.is_some() {
        report =
            Finding::missing(report.id, report.found, "load the module `arm_cca_guest` and mount configfs");
    }
    Tee::there(
        TEE,
        Role::Guest,
        vec![
            Finding::present("guest", "a realm"),
            at_least(machine.kernel.as_ref(), (6, 13), "runs in realms", there),
            report,
        ],
    )
}
