// SPDX-License-Identifier: Apache-2.0

//! Landlock for QEMU, which has to read its own files and the image: nothing can be written, nothing connected to.

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, PathBeneath, PathFd,
    Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetError, Scope,
};

/// The newest version with everything that is asked for here. An older kernel enforces what it knows.
const NEWEST: ABI = ABI::V6;

/// From here on this process and those that it starts can read files and execute programs, and no more.
pub(super) fn read_only() -> Result<(), String> {
    let root = PathFd::new("/").map_err(|error| error.to_string())?;
    restrict(root).map_err(|error| error.to_string())
}

fn restrict(root: PathFd) -> Result<(), RulesetError> {
    let readable: BitFlags<AccessFs> = AccessFs::from_read(NEWEST);
    let kvm = PathFd::new("/dev/kvm").ok();
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        // Signals stay: with one this process ends the others.
        .scope(Scope::AbstractUnixSocket)?
        .create()?
        .add_rule(PathBeneath::new(root, readable))?;
    if let Some(kvm) = kvm {
        let access = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev;
        ruleset = ruleset.add_rule(PathBeneath::new(kvm, access))?;
    }
    ruleset.restrict_self()?;
    Ok(())
}
