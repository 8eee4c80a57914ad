// SPDX-License-Identifier: Apache-2.0

//! Whatever ends on the host's side, nothing of a Keep is left behind.
#![cfg(feature = "process")]

mod host;

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use enarx_keep::wire::ToKeep;
use rustix::net::{Shutdown, shutdown};

use host::{Host, LAUNCH, child_of, eventually};
use rustix::process::{Pid, Signal, kill_process};

/// Waits until there is no such process any more, or only what its parent has not asked about yet.
fn gone(pid: u32) {
    eventually(|| match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat.contains(") Z ").then_some(()),
        Err(_) => Some(()),
    });
}

fn kill(pid: u32) {
    kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), Signal::KILL).unwrap();
}

#[test]
fn the_first_process_is_killed() {
    let (mut host, _) = Host::launch(LAUNCH);
    let inside = host.inside();
    host.keep.kill().unwrap();
    gone(inside);
}

#[test]
fn the_keep_proper_is_killed() {
    let (host, _) = Host::launch(LAUNCH);
    kill(host.inside());
    assert!(host.receive().is_none());
    assert_eq!(host.end().0.code(), Some(128 + 9));
}

#[test]
fn the_host_closes_its_stream() {
    let (mut host, _) = Host::launch(LAUNCH);
    let inside = host.inside();
    let (ours, _theirs) = rustix::net::socketpair(
        rustix::net::AddressFamily::UNIX,
        rustix::net::SocketType::SEQPACKET,
        rustix::net::SocketFlags::CLOEXEC,
        None,
    )
    .unwrap();
    drop(std::mem::replace(&mut host.socket, ours));
    gone(inside);
    assert_eq!(host.end().0.code(), Some(0));
}

/// The host's process dies while somebody else still holds the host stream open, so that only its death can tell.
#[test]
fn the_hosts_process_is_killed() {
    let mut host = Host::start_with(|command| {
        let keep = command.get_program().to_owned();
        // A shell is the host here: it starts the Keep as its child and waits.
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg("exec 3<&0; \"$0\" <&3 & wait").arg(keep);
        shell.env_clear().stdout(Stdio::null()).stderr(Stdio::null());
        std::mem::swap(command, &mut shell);
    });
    host.send(&ToKeep::Launch(LAUNCH.into()).encode(), &[]);
    let report = host.sandbox();
    if !report.layers.iter().any(|layer| layer.name == "host-watched" && layer.active) {
        eprintln!("SKIPPED: this machine does not offer `host-watched`");
        return;
    }
    let first = host.inside();
    let inside = child_of(first);
    host.keep.kill().unwrap();
    gone(first);
    gone(inside);
}

#[test]
fn a_keep_that_was_never_launched_ends_with_its_stream() {
    let host = Host::start();
    shutdown(&host.socket, Shutdown::Both).unwrap();
    assert_eq!(host.end().0.code(), Some(70));
}

#[test]
fn the_signal_is_reported() {
    let (host, _) = Host::launch(LAUNCH);
    let first = host.keep.id();
    kill(first);
    assert_eq!(host.end().0.signal(), Some(9));
}

#[test]
fn broken_protocol_ends_it() {
    let (host, _) = Host::launch(LAUNCH);
    host.send(&ToKeep::Launch(LAUNCH.into()).encode(), &[]);
    assert_eq!(host.end().0.code(), Some(70));
}
