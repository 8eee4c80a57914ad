// SPDX-License-Identifier: Apache-2.0

//! Who the process is on the host, and what it may do there.

use std::borrow::Cow;
use std::os::unix::fs::PermissionsExt;
use std::{fs, io};

use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set,
    configure_capability_in_ambient_set, set_capabilities, set_no_new_privs,
};

/// The user and group that own nothing, by convention.
pub(super) const NOBODY: u32 = 65534;

/// Stops being root. A host that is not root itself already gave the Keep its own, limited user.
pub fn become_unprivileged() -> Result<Cow<'static, str>, String> {
    if !Uid::effective().is_root() {
        return Ok(Cow::Owned(format!("user {}", Uid::effective())));
    }
    // The program is executed once more as that user.
    let mode = fs::metadata("/proc/self/exe").map_err(|error| error.to_string())?.permissions().mode();
    if mode & 0o001 == 0 {
        return Err(String::from("still root: `enarx-keep` is not executable for other users"));
    }
    let become_nobody = || -> nix::Result<()> {
        let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
        setgroups(&[])?;
        setresgid(group, group, group)?;
        setresuid(user, user, user)
    };
    become_nobody().map_err(|error| format!("still root: {error}"))?;
    // Giving up root made the process unreadable for itself too, and its maps are still to be written.
    set_dumpable_behavior(DumpableBehavior::Dumpable).map_err(|error| error.to_string())?;
    Ok(Cow::Owned(format!("user {NOBODY}")))
}

/// Nothing that is executed from here on gains privileges.
pub fn forbid_new_privileges() -> io::Result<()> {
    Ok(set_no_new_privs(true)?)
}

/// Lets the second process empty its root, the one thing it still needs a capability of its namespace for.
pub fn pass_on_mounting() -> io::Result<()> {
    let mut sets = capabilities(None)?;
    sets.inheritable = CapabilitySet::SYS_ADMIN;
    set_capabilities(None, sets)?;
    Ok(configure_capability_in_ambient_set(CapabilitySet::SYS_ADMIN, true)?)
}

/// Gives up every capability, in every set that a process can give up.
pub fn drop_capabilities() -> io::Result<()> {
    clear_ambient_capability_set()?;
    let none = CapabilitySet::empty();
    Ok(set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?)
}

/// No core dump, no debugger, no `/proc/<pid>/mem` for anybody but the host's root.
pub fn forbid_dumps() -> io::Result<()> {
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}
