// SPDX-License-Identifier: Apache-2.0

//! The second process: the machine proper, or the device of QEMU's machine.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use enarx_keep::launch::{Backend, Launch};
use enarx_keep::wire::{ToHost, ToKeep};
use enarx_measure::{Image, MAX_IMAGE};
use enarx_shim::process::host::{HostStream, Incoming, NoPacket};
use enarx_shim::process::sandbox::{Layers, descriptors, identity, landlock, limits, parent, root};
use rustix::net::Shutdown;

use super::{handover, seccomp};
use crate::fatal::Fatal;
use crate::guest::SharedGuest;
use crate::kvm::{Machine, Prepared};
use crate::qemu::vhost::Vhost;
use crate::serve::{Server, TRANSPORT};

/// Descriptors: the standard three, KVM's three, QEMU's socket and events, and those of connections.
const DESCRIPTORS: u64 = 64;

/// How often it is looked whether the first process still lives, whose death kills this one anyway.
const PATIENCE: Duration = Duration::from_secs(1);

/// Puts up the rest of the sandbox and serves the guest to its end.
pub(super) fn run(mut layers: Layers, console: bool) -> Result<u8, Fatal> {
    layers.note("closed-descriptors", descriptors::close_all_but_standard());
    // Comes when the first process needs nothing any more that is taken away below.
    let handed = handover::receive(io::stdout()).map_err(Fatal::start("take over descriptors"))?;
    let mut handed = handed.into_iter();
    shut_in(&mut layers)?;
    let stream = HostStream::new();
    let launch = hear_launch(&stream)?;
    let guest = SharedGuest::new()?;
    // Everything that takes more than the calls that are left has to be there before.
    let server = Server::new(HostStream::new(), guest.clone())?;
    match (launch.backend, handed.next(), handed.next()) {
        (Backend::Vm, Some(kvm), Some(image)) => {
            let firmware = handed.next();
            let restrict =
                if firmware.is_some() { seccomp::restrict_protected } else { seccomp::restrict_kvm };
            let Prepared { kick, go } = build([kvm, image], firmware, &launch, &guest, console)?;
            server.listen_to_event(kick.as_raw_fd())?;
            layers.note("no-more-threads", limits::no_more_threads());
            layers.note_detail("seccomp", restrict());
            report(&stream, layers, &launch)?;
            go.send(()).map_err(|error| Fatal::start("start the processor")(io::Error::other(error)))?;
            server.run(None)
        }
        (Backend::Qemu, Some(socket), None) => {
            let mut vhost = Vhost::new(UnixStream::from(socket), guest);
            server.listen(vhost.descriptor(), TRANSPORT)?;
            layers.note("no-more-threads", limits::no_more_threads());
            layers.note_detail("seccomp", seccomp::restrict_device());
            layers.note("qemu-confined", QEMU_IS_NOT);
            report(&stream, layers, &launch)?;
            let end = server.run(Some(&mut vhost))?;
            // QEMU is on its way out, and how it ends counts: it must not be killed with this process.
            let _ = rustix::net::shutdown(io::stdout(), Shutdown::Write);
            drop(vhost);
            wait_for_the_first_process();
            Ok(end)
        }
        _ => Err(Fatal::Backend),
    }
}

/// The first process kills this one when it has seen QEMU's end.
fn wait_for_the_first_process() {
    while !parent::is_dead(&io::stdout()) {
        thread::park_timeout(PATIENCE);
    }
}

/// What holds around QEMU is less than what holds around this process, and no host shall think otherwise.
const QEMU_IS_NOT: Result<(), &str> = Err(
    "QEMU runs in the namespaces and without privileges, but it sees the host's files, read-only, and has a seccomp \
     filter of its own only",
);

/// All layers that can only be put up from the inside, but for the last two.
fn shut_in(layers: &mut Layers) -> Result<(), Fatal> {
    layers.note("empty-root", root::empty());
    layers.note("resource-limits", limits::set(DESCRIPTORS));
    layers.note("no-capabilities", identity::drop_capabilities());
    layers.note("not-dumpable", identity::forbid_dumps());
    // After the capabilities, whose change would take the signal back.
    layers.note("killed-with-first-process", parent::die_with());
    if parent::is_dead(&io::stdout()) {
        return Err(Fatal::HostGone);
    }
    let empty = std::env::vars_os().next().is_none();
    layers.note("empty-environment", if empty { Ok(()) } else { Err("there are variables") });
    layers.note_detail("landlock", landlock::deny_all());
    Ok(())
}

fn hear_launch(stream: &HostStream) -> Result<Launch, Fatal> {
    let first = stream.receive_blocking().map_err(|none| match none {
        NoPacket::Gone => Fatal::HostGone,
        NoPacket::Yet | NoPacket::Broken => Fatal::Protocol,
    })?;
    let Incoming { bytes, stream: None } = first else { return Err(Fatal::Protocol) };
    let Ok(ToKeep::Launch(text)) = ToKeep::decode(&bytes) else { return Err(Fatal::Protocol) };
    Ok(Launch::parse(&text)?)
}

/// Tells the host how the sandbox stands, and ends if that is not enough.
fn report(stream: &HostStream, layers: Layers, launch: &Launch) -> Result<(), Fatal> {
    let report = layers.into_report();
    let complete = report.missing().next().is_none();
    stream.send(&ToHost::Sandbox(report).encode(), None).map_err(|_| Fatal::HostGone)?;
    if launch.require_sandbox && !complete {
        return Err(Fatal::Sandbox);
    }
    Ok(())
}

/// Makes a machine with the image in it: with the firmware of SEV-SNP as guest of it, else a plain one.
fn build(
    [kvm, image]: [OwnedFd; 2],
    firmware: Option<OwnedFd>,
    launch: &Launch,
    guest: &SharedGuest,
    console: bool,
) -> Result<Prepared, Fatal> {
    let image = read_image(File::from(image), launch)?;
    let machine = Machine::new(File::from(kvm), firmware.map(File::from), launch.memory_mib)?;
    let text = with_speed(launch, machine.tsc_khz(launch.tsc_khz)?);
    machine.load(&image, &text)?;
    machine.prepare(guest, console)
}

/// The launch configuration as the Keep is told it.
pub(super) fn with_speed(launch: &Launch, khz: u32) -> String {
    match launch.tsc_khz {
        Some(_) => launch.text.clone(),
        None => format!("{} tsc-khz={khz}", launch.text),
    }
}

/// Reads and checks an image, which has to fit into the memory that there will be.
pub(super) fn read_image(file: File, launch: &Launch) -> Result<Image, Fatal> {
    let mut bytes = Vec::new();
    // One byte too many is enough to see that it is too large.
    let limit = u64::try_from(MAX_IMAGE).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut bytes).map_err(Fatal::start("read the image"))?;
    let image = Image::parse(bytes)?;
    image.check_fits(u64::from(launch.memory_mib) << 20)?;
    Ok(image)
}
