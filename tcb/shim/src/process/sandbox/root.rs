// SPDX-License-Identifier: Apache-2.0

//! The file system that the Keep sees: one empty directory that cannot be written to.

use std::io;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, pivot_root};

/// Where the empty directory is put up before it becomes the root. Any directory would do; this one is there
/// wherever this program could start, and is not needed any more.
const PLACE: &str = "/proc";

/// Replaces the root of this mount namespace, and unmounts everything that was in it.
pub fn empty() -> io::Result<()> {
    let nothing: Option<&str> = None;
    // What is unmounted here stays mounted for the host.
    mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing)?;
    let flags = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("keep"), PLACE, Some("tmpfs"), flags, Some("size=4k,nr_inodes=1,mode=0555"))?;
    chdir(PLACE)?;
    // The new root and the place for the old one are the same directory: the old one lies on top afterwards.
    pivot_root(".", ".")?;
    umount2(".", MntFlags::MNT_DETACH)?;
    Ok(chdir("/")?)
}
