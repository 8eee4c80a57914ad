// SPDX-License-Identifier: Apache-2.0

//! AWS Nitro Enclaves, which a cloud has and no processor.

use super::device;
use crate::kernel::at_least;
use crate::{Finding, Machine, Role, Tee};

const TEE: &str = "nitro";
const MAKER: &str = "Amazon EC2";
const DEVICE: &str = "dev/nitro_enclaves";
const MODULE: &str = "dev/nsm";

pub(super) fn nitro_host(machine: &Machine) -> Tee {
    let there = machine.files.exists(DEVICE);
    if !there && machine.maker.as_deref() != Some(MAKER) {
        let found = "this is not an instance of Amazon EC2";
        return Tee::absent(TEE, Role::Host, Finding::impossible("instance", found));
    }
    let without = "start the instance with enclaves enabled, and load the module `nitro_enclaves`";
    Tee::there(
        TEE,
        Role::Host,
        vec![
            Finding::present("instance", machine.maker.as_deref().unwrap_or("an instance with enclaves")),
            at_least(machine.kernel.as_ref(), (5, 10), "starts enclaves", there),
            device(machine, "device-nitro-enclaves", DEVICE, without),
        ],
    )
}

pub(super) fn nitro_guest(machine: &Machine) -> Tee {
    if !machine.files.exists(MODULE) {
        let found = "no /dev/nsm: this is not an enclave";
        return Tee::absent(TEE, Role::Guest, Finding::impossible("guest", found));
    }
    let without = "load the module `nsm`";
    Tee::there(
        TEE,
        Role::Guest,
        vec![Finding::present("guest", "an enclave"), device(machine, "device-nsm", MODULE, without)],
    )
}
