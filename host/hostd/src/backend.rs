// SPDX-License-Identifier: Apache-2.0

//! What Keeps are made of: a process, or the unikernel in a virtual machine.

use std::fmt;
use std::path::{Path, PathBuf};

/// What the Keeps of a host are made of. A host never takes another than it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backend {
    /// A sandboxed process of this machine; the program is [`keep_program`](crate::keep_program).
    Process {
        /// The program.
        program: PathBuf,
    },
    /// The unikernel in a virtual machine.
    Machine(Machine),
}

/// A virtual machine for a Keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// The program that is the hypervisor, `enarx-vmm`.
    pub hypervisor: PathBuf,
    /// The unikernel.
    pub image: PathBuf,
    /// Its memory in MiB.
    pub memory_mib: u32,
    /// QEMU, which then takes the place of our own hypervisor.
    pub qemu: Option<PathBuf>,
    /// As guest of this machine's SEV-SNP, which our own hypervisor launches. Never run on hardware.
    pub snp: bool,
}

impl Backend {
    /// The file whose measurement is the Keep's.
    pub fn measured(&self) -> &Path {
        match self {
            Self::Process { program } => program,
            Self::Machine(machine) => &machine.image,
        }
    }

    /// The program that the host executes for each Keep.
    pub fn executed(&self) -> &Path {
        match self {
            Self::Process { program } => program,
            Self::Machine(machine) => &machine.hypervisor,
        }
    }

    /// Its name on the command line and to tenants.
    pub fn name(&self) -> &'static str {
        if self.in_tee() { "snp" } else { self.kind() }
    }

    /// Whether its Keeps stand in a TEE of this machine, and their evidence is that TEE's.
    pub fn in_tee(&self) -> bool {
        matches!(self, Self::Machine(Machine { snp: true, .. }))
    }

    /// Its name in launch configurations: what a machine stands on, a Keep sees for itself.
    fn kind(&self) -> &'static str {
        match self {
            Self::Process { .. } => "process",
            Self::Machine(Machine { qemu: None, .. }) => "vm",
            Self::Machine(Machine { qemu: Some(_), .. }) => "qemu",
        }
    }

    /// The launch configuration: stated to the Keep, bound into its evidence as host data.
    pub(crate) fn launch(&self, require_sandbox: bool) -> String {
        let memory = match self {
            Self::Process { .. } => String::new(),
            Self::Machine(machine) => format!(" memory-mib={}", machine.memory_mib),
        };
        let sandbox = if require_sandbox { " require-sandbox=all" } else { "" };
        format!("enarx-launch-1 backend={}{memory}{sandbox}", self.kind())
    }

    /// What the program is told on its command line. The image is its descriptor 1.
    pub(crate) fn arguments(&self) -> Vec<PathBuf> {
        let Self::Machine(machine) = self else { return Vec::new() };
        let mut arguments = vec!["--image".into(), "/proc/self/fd/1".into()];
        if machine.snp {
            arguments.push("--snp".into());
        }
        if let Some(qemu) = &machine.qemu {
            arguments.extend(["--qemu".into(), qemu.clone()]);
        }
        arguments
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use enarx_keep::launch::Launch;

    use super::*;

    #[test]
    fn what_is_stated_to_a_keep_is_what_a_keep_understands() {
        let machine = |qemu: Option<PathBuf>, snp| {
            let (hypervisor, image) = ("v".into(), "i".into());
            Backend::Machine(Machine { hypervisor, image, memory_mib: 512, qemu, snp })
        };
        let process = Backend::Process { program: "p".into() };
        let all = [process, machine(None, false), machine(Some("qemu".into()), false), machine(None, true)];
        for backend in all {
            for require_sandbox in [false, true] {
                let launch = Launch::parse(&backend.launch(require_sandbox)).unwrap();
                assert_eq!(launch.require_sandbox, require_sandbox, "{backend}");
            }
        }
        for snp in [false, true] {
            assert_eq!(machine(None, snp).launch(false), "enarx-launch-1 backend=vm memory-mib=512");
            assert_eq!((machine(None, snp).in_tee(), machine(None, snp).name() == "snp"), (snp, snp));
        }
        let paths = |words: &[&str]| words.iter().map(PathBuf::from).collect::<Vec<_>>();
        let with_qemu = machine(Some("/q".into()), false).arguments();
        assert_eq!(with_qemu, paths(&["--image", "/proc/self/fd/1", "--qemu", "/q"]));
        assert_eq!(machine(None, true).arguments(), paths(&["--image", "/proc/self/fd/1", "--snp"]));
    }
}
