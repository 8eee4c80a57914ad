// SPDX-License-Identifier: Apache-2.0

//! The Keep's own view of users, mounts, processes, network, System V objects, host name and control groups.

use std::{fs, io};

use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Gid, Uid};

use super::Layers;
use super::identity::NOBODY;

/// Leaves the host's namespaces, one after the other. The process must have one thread only. The process namespace
/// begins with the next child.
pub fn leave_host(layers: &mut Layers) {
    layers.note("user-namespace", leave_users());
    for (name, flag) in [
        ("mount-namespace", CloneFlags::CLONE_NEWNS),
        ("pid-namespace", CloneFlags::CLONE_NEWPID),
        ("network-namespace", CloneFlags::CLONE_NEWNET),
        ("ipc-namespace", CloneFlags::CLONE_NEWIPC),
        ("uts-namespace", CloneFlags::CLONE_NEWUTS),
        ("cgroup-namespace", CloneFlags::CLONE_NEWCGROUP),
    ] {
        layers.note(name, unshare(flag));
    }
}

/// The namespace that makes the others possible without privileges. In it there is one user, who is nobody.
fn leave_users() -> io::Result<()> {
    let (user, group) = (Uid::effective(), Gid::effective());
    unshare(CloneFlags::CLONE_NEWUSER)?;
    // Without this the kernel would let no unprivileged process map a group.
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{NOBODY} {user} 1"))?;
    fs::write("/proc/self/gid_map", format!("{NOBODY} {group} 1"))
}
