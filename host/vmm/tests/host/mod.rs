// SPDX-License-Identifier: Apache-2.0

//! A host for one machine: starts the real program and speaks the host stream to it.
#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::fs::{self, OpenOptions};
use std::io::{IoSlice, IoSliceMut, Read as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use enarx_keep::wire::{MAX_PACKET, SandboxReport, ToHost, ToKeep};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
const QEMU: &str = "/usr/bin/qemu-system-x86_64";

/// What a machine runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    Kvm,
    Qemu,
}

impl Carrier {
    /// Those that this machine has. What is missing is said.
    pub(crate) fn here() -> Vec<Self> {
        let kvm = OpenOptions::new().read(true).write(true).open("/dev/kvm").is_ok();
        let qemu = Path::new(QEMU).exists();
        let mut here = Vec::new();
        for (carrier, there, what) in [(Self::Kvm, kvm, "/dev/kvm"), (Self::Qemu, qemu, QEMU)] {
            if there {
                here.push(carrier);
            } else {
                eprintln!("skipped: {carrier:?}, there is no {what}");
            }
        }
        here
    }

    pub(crate) fn launch(self) -> &'static str {
        match self {
            Self::Kvm => "enarx-launch-1 backend=vm memory-mib=32",
            Self::Qemu => "enarx-launch-1 backend=qemu memory-mib=32",
        }
    }
}

/// One machine and this end of its host stream. Killed when dropped.
pub(crate) struct Host {
    pub(crate) machine: Child,
    pub(crate) socket: OwnedFd,
}

impl Host {
    /// Starts the program with `arguments` and says nothing.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let flags = SocketFlags::CLOEXEC;
        let (socket, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_enarx-vmm"));
        command.env_clear().args(arguments).stdout(Stdio::null()).stderr(Stdio::piped());
        command.current_dir("/").stdin(theirs);
        Self { machine: command.spawn().unwrap(), socket }
    }

    /// Starts a machine with `image` and launches it.
    pub(crate) fn launch(carrier: Carrier, image: &Path, further: &[&str]) -> Self {
        let mut arguments = vec!["--image", image.to_str().unwrap()];
        if carrier == Carrier::Qemu {
            arguments.extend(["--qemu", QEMU]);
        }
        arguments.extend(further);
        let host = Self::start(&arguments);
        host.send(&ToKeep::Launch(carrier.launch().into()), None);
        host
    }

    pub(crate) fn send(&self, packet: &ToKeep<'_>, stream: Option<&UnixStream>) {
        let streams: Vec<_> = stream.into_iter().map(|stream| stream.as_fd()).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(streams.is_empty() || control.push(SendAncillaryMessage::ScmRights(&streams)));
        let bytes = packet.encode();
        // A program that ended already says why by its exit code.
        let _ = sendmsg(&self.socket, &[IoSlice::new(&bytes)], &mut control, SendFlags::NOSIGNAL);
    }

    /// The next packet; none when the other end is closed.
    pub(crate) fn receive(&self) -> Option<(ToHost, Option<UnixStream>)> {
        let mut watched = [PollFd::new(&self.socket, PollFlags::IN)];
        let patience = Timespec::try_from(PATIENCE).unwrap();
        assert_eq!(poll(&mut watched, Some(&patience)), Ok(1), "the machine is silent");
        let mut bytes = vec![0; MAX_PACKET];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut buffers = [IoSliceMut::new(&mut bytes)];
        let received = recvmsg(&self.socket, &mut buffers, &mut control, RecvFlags::CMSG_CLOEXEC).ok()?;
        if received.bytes == 0 {
            return None;
        }
        let stream = control.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut streams) => streams.next().map(UnixStream::from),
            _ => None,
        });
        bytes.truncate(received.bytes);
        Some((ToHost::decode(&bytes).unwrap(), stream))
    }

    pub(crate) fn sandbox(&self) -> Option<SandboxReport> {
        match self.receive() {
            Some((ToHost::Sandbox(report), None)) => Some(report),
            None => None,
            other => panic!("{other:?} instead of a sandbox report"),
        }
    }

    /// Waits for the end. Returns the exit code and what was written to standard error.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let mut said = String::new();
        let mut errors = self.machine.stderr.take().unwrap();
        let mut watched = [PollFd::new(&errors, PollFlags::IN)];
        let patience = Timespec::try_from(PATIENCE).unwrap();
        assert_eq!(poll(&mut watched, Some(&patience)), Ok(1), "the machine does not end");
        errors.read_to_string(&mut said).unwrap();
        (self.machine.wait().unwrap().code(), said)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.machine.kill();
        let _ = self.machine.wait();
    }
}

/// A file with these bytes that everybody may read, in a directory that everybody may enter.
pub(crate) struct ImageFile {
    pub(crate) path: std::path::PathBuf,
    _directory: tempfile::TempDir,
}

impl ImageFile {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let path = directory.path().join("image");
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        Self { path, _directory: directory }
    }
}
