// SPDX-License-Identifier: Apache-2.0

//! Which kind of Keep `enarx run` and `enarx host serve` make: the one that was asked for, or none.

use std::fs::OpenOptions;

use enarx_hostd::{Backend, HostError, Machine, Wanted, keep_program, locate};
use serde_json::json;

use crate::args::{BackendChoice, PlatformArgs};
use crate::failure::{Failure, Outcome};
use crate::host::failed;
use crate::progress::Progress;

const KVM: &str = "/dev/kvm";

/// What every back end protects, and none of them does.
const LIMITS: &str = "protects the host from the workload, not the workload from the host";

/// Finds what the chosen kind of Keep is made of. Only `auto` chooses, and it says what.
pub(crate) fn choose(args: &PlatformArgs, progress: &mut Progress) -> Outcome<Backend> {
    if args.require_tee {
        return Err(Failure::unreachable(
            "`--require-tee`: this version makes no Keep in a TEE of this machine",
        )
        .hint("`enarx platform` says what this machine has; without `--require-tee` Keeps are simulated"));
    }
    let (choice, why) = match args.backend {
        BackendChoice::Auto => strongest(args),
        choice => (choice, None),
    };
    let backend = match choice {
        BackendChoice::Vm => machine(args, false),
        BackendChoice::Qemu => machine(args, true),
        BackendChoice::Process | BackendChoice::Auto => {
            keep_program(args.keep_program.as_deref()).map(|program| Backend::Process { program })
        }
    };
    let backend = backend.map_err(|error| failed(&error))?;
    if let Some(why) = why {
        progress.step(
            "backend",
            &format!("{backend}, because {why}; it {LIMITS}"),
            json!({ "backend": backend.name(), "because": why, "protects_from_host": false }),
        );
    }
    Ok(backend)
}

/// The strongest kind for which everything is there, and why it is that one.
fn strongest(args: &PlatformArgs) -> (BackendChoice, Option<String>) {
    let usable = OpenOptions::new().read(true).write(true).open(KVM);
    match (usable, machine(args, false)) {
        (Ok(_), Ok(_)) => (BackendChoice::Vm, Some(format!("{KVM} can be used"))),
        (Err(error), _) => (BackendChoice::Process, Some(format!("{KVM} cannot be used: {error}"))),
        (_, Err(error)) => (BackendChoice::Process, Some(error.to_string())),
    }
}

fn machine(args: &PlatformArgs, with_qemu: bool) -> Result<Backend, HostError> {
    Ok(Backend::Machine(Machine {
        hypervisor: locate(Wanted::Hypervisor, None)?,
        image: locate(Wanted::Image, args.image.as_deref())?,
        memory_mib: args.memory,
        qemu: if with_qemu { Some(locate(Wanted::Qemu, None)?) } else { None },
    }))
}
