// SPDX-License-Identifier: Apache-2.0

//! QEMU as the launcher of the same image, for machines without KVM: what it is started with, and what its end means.

pub(crate) mod vhost;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, PipeReader, Read as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};

use rustix::io::{FdFlags, fcntl_setfd};

use crate::fatal::Fatal;

/// Longest part of what QEMU says that is looked at.
const MAX_WORDS: u64 = 4096;

/// The device, in the first slot, where the guest looks for it.
const DEVICE: &str = "vhost-user-vsock-device,chardev=device,bus=virtio-mmio-bus.0";

/// Which QEMU, and how it executes the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Qemu {
    /// The program.
    pub(crate) program: PathBuf,
    /// By KVM or by translation.
    pub(crate) accelerator: Accelerator,
}

/// How QEMU executes a guest's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accelerator {
    /// It translates it, on any machine.
    Tcg,
    /// KVM executes it.
    Kvm,
}

impl Accelerator {
    /// The one that is called `name`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "tcg" => Some(Self::Tcg),
            "kvm" => Some(Self::Kvm),
            _ => None,
        }
    }
}

/// A QEMU that runs.
pub(crate) struct Running {
    pub(crate) child: Child,
    words: PipeReader,
    /// What comes from its console.
    pub(crate) console: UnixStream,
}

impl Qemu {
    /// Starts QEMU. Its standard input is the socket that the device is reached by; its standard output is its console.
    pub(crate) fn start(
        &self,
        image: &Path,
        memory_mib: u32,
        launch: &str,
        device: UnixStream,
        with_console: bool,
    ) -> Result<Running, Fatal> {
        let failed = "start qemu";
        let (console, its_console) = UnixStream::pair().map_err(Fatal::start(failed))?;
        let (words, its_words) = io::pipe().map_err(Fatal::start(failed))?;
        // QEMU opens the image by a descriptor of its own: what a host gives may have no name that means the same there.
        let image = File::open(image).map_err(Fatal::start("open the image"))?;
        fcntl_setfd(&image, FdFlags::empty()).map_err(Fatal::start(failed))?;
        let kernel = PathBuf::from(format!("/proc/self/fd/{}", image.as_raw_fd()));
        let mut command = Command::new(&self.program);
        command
            .args(self.arguments(&kernel, memory_mib, launch, with_console))
            .env_clear()
            .current_dir("/")
            .stdin(OwnedFd::from(device))
            .stdout(OwnedFd::from(its_console))
            .stderr(its_words);
        let child = command.spawn().map_err(Fatal::start(failed))?;
        Ok(Running { child, words, console })
    }

    fn arguments(&self, image: &Path, memory_mib: u32, launch: &str, console: bool) -> Vec<OsString> {
        let (accelerator, cpu) = match self.accelerator {
            Accelerator::Tcg => ("tcg", "max"),
            Accelerator::Kvm => ("kvm", "host"),
        };
        let serial = if console { "on" } else { "off" };
        // No firmware tables, no timer, interrupt controller, clock or serial line of a PC: what the guest does not use.
        let machine = format!(
            "microvm,acpi=off,pit=off,pic=off,rtc=off,auto-kernel-cmdline=off,isa-serial={serial},memory-backend=m"
        );
        let memory = format!("memory-backend-memfd,id=m,size={memory_mib}M,share=on");
        let mut arguments: Vec<OsString> = Vec::new();
        let mut add = |words: &[&str]| arguments.extend(words.iter().map(OsString::from));
        add(&["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-monitor", "none"]);
        add(&["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"]);
        add(&["-M", &machine, "-accel", accelerator, "-cpu", cpu, "-smp", "1"]);
        add(&["-m", &format!("{memory_mib}M"), "-object", &memory]);
        add(&["-global", "virtio-mmio.force-legacy=false"]);
        add(&["-chardev", "socket,id=device,fd=0", "-device", DEVICE]);
        add(&["-device", "isa-debug-exit,iobase=0xf4,iosize=4"]);
        if console {
            add(&["-chardev", "socket,id=console,fd=1", "-serial", "chardev:console"]);
        } else {
            add(&["-serial", "none"]);
        }
        add(&["-append", launch, "-kernel"]);
        arguments.push(image.into());
        arguments
    }
}

impl Running {
    /// What QEMU's end means: the status that the guest ended with.
    pub(crate) fn meaning(&mut self, status: ExitStatus) -> Result<u8, Fatal> {
        // What is left to read; whoever else might hold the other end is not waited for.
        let mut words = Vec::new();
        let _ = (&mut self.words).take(MAX_WORDS).read_to_end(&mut words);
        let words = String::from_utf8_lossy(&words).into_owned();
        let mut lines = words.lines().filter(|line| !line.contains(": warning:"));
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        match (code, lines.next()) {
            // A guest's 0 is 1 too, but then QEMU has nothing to say.
            (Some(1), Some(line)) => Err(Fatal::Qemu(line.replace(char::is_control, " "))),
            // `isa-debug-exit`: twice the status and one.
            (Some(code), _) if code & 1 == 1 => Ok(code >> 1),
            (Some(0), _) => Err(Fatal::Guest("a triple fault or a reset".to_owned())),
            _ => Err(Fatal::Guest(format!("qemu ended with {status}"))),
        }
    }
}
