// SPDX-License-Identifier: Apache-2.0

//! The first process: opens KVM and the image, leaves the host's namespaces, starts the others, and waits for whoever ends
//! first.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};

use enarx_keep::launch::{Backend, Launch};
use enarx_keep::wire::{MAX_PACKET, ToKeep};
use enarx_shim::process::outside::{await_launch, ignore_the_terminal};
use enarx_shim::process::sandbox::{Layers, descriptors, identity, namespaces, parent};
use nix::sched::{CloneFlags, unshare};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, SocketType, recv, sockopt::socket_type};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};

use super::inside::{read_image, with_speed};
use super::{CONSOLE, INSIDE, Options, SILENT, handover};
use crate::fatal::Fatal;
use crate::qemu::{Qemu, Running};
use crate::tsc;

/// How long the device may take to end after its machine.
const LINGER: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

const WAIT: &str = "wait for the machine";

/// Starts the machine and returns its exit code.
pub(super) fn run(options: &Options) -> Result<u8, Fatal> {
    if socket_type(io::stdin()) != Ok(SocketType::SEQPACKET) {
        return Err(Fatal::Usage);
    }
    descriptors::close_all_but_standard().map_err(Fatal::start("close descriptors"))?;
    let host = parent::open();
    if !await_launch(host.as_ref().ok()).map_err(Fatal::start("wait for the host"))? {
        return Err(Fatal::HostGone);
    }
    ignore_the_terminal();
    let launch = peek_launch()?;
    let expected = if options.qemu.is_some() { Backend::Qemu } else { Backend::Vm };
    if launch.backend != expected {
        return Err(Fatal::Backend);
    }
    let image = File::open(&options.image).map_err(Fatal::start("open the image"))?;

    match &options.qemu {
        None => {
            let kvm = OpenOptions::new().read(true).write(true).open("/dev/kvm");
            let kvm = kvm.map_err(Fatal::start("open /dev/kvm"))?;
            let mut handed = vec![kvm.into(), image.into()];
            if options.snp {
                let firmware = OpenOptions::new().read(true).write(true).open("/dev/sev");
                handed.push(firmware.map_err(Fatal::start("open /dev/sev"))?.into());
            }
            let layers = leave(host.as_ref());
            let (child, _life_line) = start(&layers, options.console, &handed)?;
            settle();
            wait(child, host.as_ref().ok())
        }
        Some(qemu) => {
            // QEMU reads the file again; here it is checked that this is of use.
            read_image(image, &launch)?;
            let text = with_speed(&launch, tsc::measure());
            let (device, its_device) = UnixStream::pair().map_err(Fatal::start("make a socket"))?;
            let layers = leave(host.as_ref());
            let (child, life_line) = start(&layers, options.console, &[device.into()])?;
            settle();
            let running = start_qemu(qemu, options, &launch, &text, its_device);
            match running {
                Ok(running) => wait_with_qemu(child, running, &life_line, host.as_ref().ok()),
                Err(fatal) => {
                    end(child)?;
                    Err(fatal)
                }
            }
        }
    }
}

/// Reads the launch configuration, and leaves it for the second process.
fn peek_launch() -> Result<Launch, Fatal> {
    let mut bytes = vec![0; MAX_PACKET];
    let (length, _) = recv(io::stdin(), bytes.as_mut_slice(), RecvFlags::PEEK)
        .map_err(Fatal::start("read the host stream"))?;
    match ToKeep::decode(bytes.get(..length).unwrap_or_default()) {
        Ok(ToKeep::Launch(text)) => Ok(Launch::parse(&text)?),
        _ if length == 0 => Err(Fatal::HostGone),
        _ => Err(Fatal::Protocol),
    }
}

/// Leaves the host's namespaces and gives up what rights there are.
fn leave(host: Result<&OwnedFd, &io::Error>) -> Layers {
    let mut layers = Layers::default();
    layers.note("host-watched", host.map(drop));
    layers.note_detail("unprivileged-user", identity::become_unprivileged());
    namespaces::leave_host(&mut layers);
    layers.note("no-new-privileges", identity::forbid_new_privileges());
    // Where this fails the second process cannot empty its root, and says so.
    let _ = identity::pass_on_mounting();
    layers
}

/// Starts the second process and hands it `descriptors`. Its standard output is a socket, whose other end tells it
/// whether this process lives.
fn start(layers: &Layers, console: bool, handed: &[OwnedFd]) -> Result<(Child, UnixStream), Fatal> {
    let failed = "start the machine's process";
    let (life_line, theirs) = UnixStream::pair().map_err(Fatal::start(failed))?;
    let child = Command::new("/proc/self/exe")
        .arg0("enarx-vmm")
        .arg(INSIDE)
        .arg(if console { CONSOLE } else { SILENT })
        .args(layers.to_arguments())
        .env_clear()
        .stdin(Stdio::inherit())
        .stdout(OwnedFd::from(theirs))
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(Fatal::start(failed))?;
    // QEMU needs the host's files, and the second process is about to take them away from everybody in its namespace.
    unshare(CloneFlags::CLONE_NEWNS).map_err(Fatal::start(failed))?;
    let handed: Vec<_> = handed.iter().map(|descriptor| descriptor.as_fd()).collect();
    handover::send(&life_line, &handed).map_err(Fatal::start(failed))?;
    // The host must see its stream end when the second process ends, so no copy of it may stay here.
    nix::unistd::dup2_stdin(&life_line).map_err(Fatal::start(failed))?;
    Ok((child, life_line))
}

/// What is left to do needs no rights, and nothing here is worth looking at.
fn settle() {
    let _ = identity::drop_capabilities();
    let _ = identity::forbid_dumps();
}

fn start_qemu(
    qemu: &Qemu,
    options: &Options,
    launch: &Launch,
    text: &str,
    device: UnixStream,
) -> Result<Running, Fatal> {
    // From here on neither this process nor QEMU can change a file.
    if let Err(error) = super::files::read_only() {
        return Err(Fatal::start("confine qemu")(io::Error::other(error)));
    }
    qemu.start(&options.image, launch.memory_mib, text, device, options.console)
}

/// Waits for the second process or for the host's death; the end is what the machine's was.
fn wait(mut child: Child, host: Option<&OwnedFd>) -> Result<u8, Fatal> {
    let handle = handle(&child).map_err(Fatal::start(WAIT))?;
    let mut watched = vec![PollFd::new(&handle, PollFlags::IN)];
    watched.extend(host.map(|host| PollFd::new(host, PollFlags::IN)));
    while poll(&mut watched, None) == Err(rustix::io::Errno::INTR) {}
    if watched.first().is_some_and(|child| child.revents().is_empty()) {
        return end(child);
    }
    child.wait().map(code).map_err(Fatal::start(WAIT))
}

/// The same with QEMU, whose console goes to standard error.
fn wait_with_qemu(
    child: Child,
    mut qemu: Running,
    life_line: &UnixStream,
    host: Option<&OwnedFd>,
) -> Result<u8, Fatal> {
    let device = handle(&child).map_err(Fatal::start(WAIT))?;
    let machine = handle(&qemu.child).map_err(Fatal::start(WAIT))?;
    loop {
        let mut watched = vec![
            PollFd::new(&qemu.console, PollFlags::IN),
            PollFd::new(&machine, PollFlags::IN),
            PollFd::new(&device, PollFlags::IN),
        ];
        watched.extend(host.map(|host| PollFd::new(host, PollFlags::IN)));
        while poll(&mut watched, None) == Err(rustix::io::Errno::INTR) {}
        let ready: Vec<bool> = watched.iter().map(|it| !it.revents().is_empty()).collect();
        match ready.as_slice() {
            [true, machine, ..] if print(&mut qemu.console) || !machine => {}
            [_, true, ..] => break,
            [_, _, true, ..] | [_, _, _, true] => {
                // First QEMU, which is this process's to bury: the end of the second process waits until everybody in
                // its namespace is buried.
                let _ = qemu.child.kill();
                let _ = qemu.child.wait();
                return end(child);
            }
            _ => {}
        }
    }
    let status = qemu.child.wait().map_err(Fatal::start(WAIT))?;
    // Killed with everything in its namespace, because the second process ended.
    if status.signal() == Some(Signal::KILL.as_raw()) {
        return end(child);
    }
    let meaning = qemu.meaning(status);
    // What the Keep sent last is still on its way to the host; the device's process says when it is not.
    let said = PollFlags::IN | PollFlags::RDHUP;
    let _ = poll(&mut [PollFd::new(life_line, said)], Some(&LINGER));
    end(child)?;
    meaning
}

/// Prints what has come from the console; `false` if nothing has.
fn print(console: &mut UnixStream) -> bool {
    let mut bytes = [0; 4096];
    let count = console.read(&mut bytes).unwrap_or_default();
    let _ = io::stderr().write_all(bytes.get(..count).unwrap_or_default());
    count > 0
}

/// Ends the second process, and with it everything in its namespace.
fn end(mut child: Child) -> Result<u8, Fatal> {
    let _ = child.kill();
    child.wait().map(code).map_err(Fatal::start(WAIT))
}

fn handle(child: &Child) -> io::Result<OwnedFd> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| io::Error::other("a process without a number"))?;
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

fn code(status: ExitStatus) -> u8 {
    let signal = status.signal().map(|signal| signal.saturating_add(128));
    status.code().or(signal).and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}
