// SPDX-License-Identifier: Apache-2.0

//! A Keep dies with its host.
//!
//! The first process watches the host's process, by its descriptor: the signal that Linux sends at a parent's death comes when
//! the *thread* that started a child ends, and a host is free to end threads. The first process has one thread
//! only, so there the signal is right: it kills the second process, the first of its process namespace, and with
//! that everything in it.

use std::io::{self, Stdout};
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{PidfdFlags, Signal, getppid, pidfd_open, set_parent_process_death_signal};

/// A descriptor of the process that started this one.
pub fn open() -> io::Result<OwnedFd> {
    let parent = getppid().ok_or_else(|| io::Error::other("the host is in another process namespace"))?;
    Ok(pidfd_open(parent, PidfdFlags::empty())?)
}

/// Dies with the first process from now on.
pub fn die_with() -> io::Result<()> {
    Ok(set_parent_process_death_signal(Some(Signal::KILL))?)
}

/// Whether the first process is already dead, so that its death gave no signal. `life_line` is a pipe that it holds the
/// other end of.
pub fn is_dead(life_line: &Stdout) -> bool {
    let mut watched = [PollFd::new(life_line, PollFlags::empty())];
    match poll(&mut watched, Some(&Timespec::default())) {
        Ok(_) => watched.iter().any(|watched| !watched.revents().is_empty()),
        Err(_) => true,
    }
}
