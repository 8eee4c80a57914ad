// SPDX-License-Identifier: Apache-2.0

//! The second process: the Keep proper.

use std::io;

use enarx_keep::End;
use enarx_keep::launch::{Backend, Launch};
use enarx_keep::wire::{ToHost, ToKeep};

use super::Fatal;
use super::host::{HostStream, Incoming, NoPacket};
use super::platform::ProcessPlatform;
use super::sandbox::{Layers, descriptors, identity, landlock, limits, parent, root, seccomp};
use super::ticker::Ticker;

/// Puts up the rest of the sandbox and lives.
pub(super) fn run(mut layers: Layers) -> Result<u8, Fatal> {
    let ticker = shut_in(&mut layers)?;

    let host = HostStream::new();
    let first = host.receive_blocking().map_err(|none| match none {
        NoPacket::Gone => Fatal::HostGone,
        NoPacket::Yet | NoPacket::Broken => Fatal::Protocol,
    })?;
    let Incoming { bytes, stream: None } = first else { return Err(Fatal::Protocol) };
    let Ok(ToKeep::Launch(text)) = ToKeep::decode(&bytes) else { return Err(Fatal::Protocol) };
    let launch = Launch::parse(&text)?;
    // This is a process, and its evidence may not say anything else.
    if launch.backend != Backend::Process {
        return Err(Fatal::Protocol);
    }

    let report = layers.into_report();
    let complete = report.missing().next().is_none();
    host.send(&ToHost::Sandbox(report).encode(), None).map_err(|_| Fatal::HostGone)?;
    if launch.require_sandbox && !complete {
        return Err(Fatal::Sandbox);
    }

    let platform = ProcessPlatform::new(host, launch, ticker);
    let broken = platform.broken();
    match enarx_keep::live(platform)? {
        End::HostGone if broken.get() => Err(Fatal::Protocol),
        End::Done | End::Unprovisioned | End::HostGone => Ok(0),
    }
}

/// All layers that can only be put up from the inside. The order matters: each needs something that a later one takes.
fn shut_in(layers: &mut Layers) -> Result<Ticker, Fatal> {
    let closed = descriptors::close_all_but_standard();
    layers.note("closed-descriptors", closed);
    layers.note("empty-root", root::empty());
    layers.note("resource-limits", limits::set(limits::DESCRIPTORS));
    layers.note("no-capabilities", identity::drop_capabilities());
    layers.note("not-dumpable", identity::forbid_dumps());
    // After the capabilities, whose change would take the signal back.
    layers.note("killed-with-first-process", parent::die_with());
    if parent::is_dead(&io::stdout()) {
        return Err(Fatal::HostGone);
    }
    layers.note("empty-environment", environment_is_empty());
    layers.note_detail("landlock", landlock::deny_all());
    // The Keep's second and last thread.
    let ticker = Ticker::start().map_err(Fatal::Start)?;
    layers.note("no-more-threads", limits::no_more_threads());
    layers.note_detail("seccomp", seccomp::restrict());
    Ok(ticker)
}

fn environment_is_empty() -> Result<(), &'static str> {
    match std::env::vars_os().next() {
        None => Ok(()),
        Some(_) => Err("there are variables"),
    }
}
