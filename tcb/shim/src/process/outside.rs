// SPDX-License-Identifier: Apache-2.0

//! The first process: leaves the host's namespaces, starts the second, and waits for whoever ends first.

use std::io::{self, PipeWriter};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{SigSet, Signal};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{SocketType, sockopt::socket_type};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::sandbox::{Layers, descriptors, identity, namespaces, parent};
use super::{Fatal, INSIDE};

/// Starts the Keep proper and returns its exit code.
pub(super) fn run() -> Result<u8, Fatal> {
    if socket_type(io::stdin()) != Ok(SocketType::SEQPACKET) {
        return Err(Fatal::Usage);
    }
    descriptors::close_all_but_standard().map_err(Fatal::Start)?;
    let host = parent::open();
    if !await_launch(host.as_ref().ok()).map_err(Fatal::Start)? {
        return Err(Fatal::HostGone);
    }
    ignore_the_terminal();

    let mut layers = Layers::default();
    layers.note("host-watched", host.as_ref().map(|_| ()));
    layers.note_detail("unprivileged-user", identity::become_unprivileged());
    namespaces::leave_host(&mut layers);
    layers.note("no-new-privileges", identity::forbid_new_privileges());
    // Where this fails the second process cannot empty its root, and says so.
    let _ = identity::pass_on_mounting();

    let (child, life_line) = start(&layers).map_err(Fatal::Start)?;
    // The host must see its stream end when the second process ends, so no copy of it may stay here.
    nix::unistd::dup2_stdin(&life_line).map_err(|error| Fatal::Start(error.into()))?;
    // What is left to do needs no rights, and nothing here is worth looking at.
    let _ = identity::drop_capabilities();
    let _ = identity::forbid_dumps();
    wait(child, host.ok())
}

/// Waits until the host has sent something, without taking it: before that it sets limits on this process, which it
/// no longer could once this process has left its namespaces. `false`: the host is dead.
pub fn await_launch(host: Option<&OwnedFd>) -> io::Result<bool> {
    let stdin = io::stdin();
    let mut watched = vec![PollFd::new(&stdin, PollFlags::IN)];
    watched.extend(host.map(|host| PollFd::new(host, PollFlags::IN)));
    while let Err(error) = poll(&mut watched, None) {
        if error != rustix::io::Errno::INTR {
            return Err(error.into());
        }
    }
    Ok(watched.first().is_some_and(|stdin| !stdin.revents().is_empty()))
}

/// Signals that a terminal sends to everybody in front of it are for the host to act on.
pub fn ignore_the_terminal() {
    let signals = [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTSTP, Signal::SIGHUP];
    let _ = SigSet::from_iter(signals).thread_block();
}

/// Starts the second process. Its standard output is the end of a pipe that tells it whether this process lives.
fn start(layers: &Layers) -> io::Result<(Child, PipeWriter)> {
    let (death, life_line) = io::pipe()?;
    let child = Command::new("/proc/self/exe")
        .arg0("enarx-keep")
        .arg(INSIDE)
        .args(layers.to_arguments())
        .env_clear()
        .stdin(Stdio::inherit())
        .stdout(death)
        .stderr(Stdio::inherit())
        .spawn()?;
    Ok((child, life_line))
}

/// Waits for the second process, or for the host's death; this process's own end is the second's.
fn wait(mut child: Child, host: Option<OwnedFd>) -> Result<u8, Fatal> {
    let keep = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let keep = keep.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    if let (Some(host), Some(keep)) = (&host, &keep) {
        let mut watched = [PollFd::new(keep, PollFlags::IN), PollFd::new(host, PollFlags::IN)];
        while poll(&mut watched, None) == Err(rustix::io::Errno::INTR) {}
        if watched.first().is_some_and(|keep| keep.revents().is_empty()) {
            child.kill().map_err(Fatal::Start)?;
        }
    }
    let status = child.wait().map_err(Fatal::Start)?;
    let signal = status.signal().map(|signal| signal.saturating_add(128));
    Ok(status.code().or(signal).and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
