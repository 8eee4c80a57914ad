// SPDX-License-Identifier: Apache-2.0

//! Which kind of Keep `enarx run` and `enarx host serve` make: the one that was asked for, or none.

use std::fs::OpenOptions;
use std::path::Path;

use enarx_hostd::{Backend, HostError, Machine, Wanted, keep_program, locate};
use enarx_machine::{Presence, Report, Role, State};
use serde_json::json;

use crate::args::{BackendChoice, PlatformArgs};
use crate::failure::{Failure, Outcome};
use crate::host::failed;
use crate::progress::Progress;

const KVM: &str = "/dev/kvm";

/// What back ends without a TEE protect, and do not.
const LIMITS: &str = "protects the host from the workload, not the workload from the host";
/// What a TEE protects beside that, and how far that was tried.
const PROTECTS: &str =
    "protects the workload from the host, which its evidence has to show; it was NEVER RUN ON HARDWARE";

/// Finds what the chosen kind of Keep is made of. Only `auto` chooses, and it says what.
pub(crate) fn choose(args: &PlatformArgs, progress: &mut Progress) -> Outcome<Backend> {
    let (choice, why) = match args.backend {
        BackendChoice::Auto => strongest(args),
        choice => (choice, None),
    };
    if args.require_tee && choice != BackendChoice::Snp {
        return Err(no_tee(args.backend));
    }
    let backend = match choice {
        BackendChoice::Snp => {
            snp().map_err(|why| {
                Failure::unreachable(format!("this machine makes no guests of SEV-SNP: {why}"))
                    .hint("`enarx platform` says what this machine has and what is missing")
            })?;
            machine(args, BackendChoice::Snp)
        }
        BackendChoice::Vm | BackendChoice::Qemu => machine(args, choice),
        BackendChoice::Process | BackendChoice::Auto => {
            keep_program(args.keep_program.as_deref()).map(|program| Backend::Process { program })
        }
    };
    let backend = backend.map_err(|error| failed(&error))?;
    let (protects, what) = (backend.in_tee(), if backend.in_tee() { PROTECTS } else { LIMITS });
    if let Some(why) = why {
        progress.step(
            "backend",
            &format!("{backend}, because {why}; it {what}"),
            json!({ "backend": backend.name(), "because": why, "protects_from_host": protects }),
        );
    } else if protects {
        let fields = json!({ "backend": backend.name(), "protects_from_host": true });
        progress.step("backend", &format!("{backend}; it {what}"), fields);
    }
    Ok(backend)
}

/// Why `--require-tee` refuses.
fn no_tee(asked: BackendChoice) -> Failure {
    let message = match (asked, snp()) {
        (BackendChoice::Auto, Err(why)) => {
            format!("`--require-tee`: no TEE of this machine can have Keeps: SEV-SNP: {why}")
        }
        (BackendChoice::Auto, Ok(())) => {
            "`--require-tee`: what Keeps in this machine's TEE are made of is not installed".to_owned()
        }
        _ => "`--require-tee`: this back end makes no Keep in a TEE".to_owned(),
    };
    Failure::unreachable(message)
        .hint("`enarx platform` says what this machine has; `--backend snp` makes Keeps in SEV-SNP")
}

/// The strongest kind for which everything is there, and why it is that one.
fn strongest(args: &PlatformArgs) -> (BackendChoice, Option<String>) {
    if snp().is_ok() && machine(args, BackendChoice::Snp).is_ok() {
        return (BackendChoice::Snp, Some("this machine has SEV-SNP and all that it needs".to_owned()));
    }
    let usable = OpenOptions::new().read(true).write(true).open(KVM);
    match (usable, machine(args, BackendChoice::Vm)) {
        (Ok(_), Ok(_)) => (BackendChoice::Vm, Some(format!("{KVM} can be used"))),
        (Err(error), _) => (BackendChoice::Process, Some(format!("{KVM} cannot be used: {error}"))),
        (_, Err(error)) => (BackendChoice::Process, Some(error.to_string())),
    }
}

/// Whether this machine makes guests of SEV-SNP, by what its kernel says; why not.
fn snp() -> Result<(), String> {
    let report = Report::of(Path::new("/"));
    let host = report.tees.into_iter().find(|tee| tee.tee == "sev-snp" && tee.role == Role::Host);
    let host = host.ok_or("it was not looked for")?;
    if host.state == State::Ready {
        return Ok(());
    }
    let missing = host.findings.into_iter().find(|finding| finding.state == Presence::Missing);
    Err(missing.map_or_else(|| "something is missing".to_owned(), |finding| finding.found))
}

fn machine(args: &PlatformArgs, choice: BackendChoice) -> Result<Backend, HostError> {
    Ok(Backend::Machine(Machine {
        hypervisor: locate(Wanted::Hypervisor, None)?,
        image: locate(Wanted::Image, args.image.as_deref())?,
        memory_mib: args.memory,
        qemu: if choice == BackendChoice::Qemu { Some(locate(Wanted::Qemu, None)?) } else { None },
        snp: choice == BackendChoice::Snp,
    }))
}
