// SPDX-License-Identifier: Apache-2.0

//! A host for one Keep: starts the real program and speaks the host stream to it.
#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::fs;
use std::io::{IoSlice, IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use enarx_keep::wire::{CONTROL_PORT, MAX_PACKET, SandboxReport, ToHost, ToKeep};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// What an ordinary host launches.
pub(crate) const LAUNCH: &str = "enarx-launch-1 backend=process";

/// One Keep and this end of its host stream. Killed when dropped.
pub(crate) struct Host {
    pub(crate) keep: Child,
    pub(crate) socket: OwnedFd,
}

impl Host {
    /// Starts a Keep and says nothing.
    pub(crate) fn start() -> Self {
        Self::start_with(|_| ())
    }

    /// The same, with something about the command changed.
    pub(crate) fn start_with(change: impl FnOnce(&mut Command)) -> Self {
        let flags = SocketFlags::CLOEXEC;
        let (socket, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_enarx-keep"));
        command.env_clear().stdout(Stdio::null()).stderr(Stdio::piped());
        change(&mut command);
        command.current_dir("/").stdin(theirs);
        Self { keep: command.spawn().unwrap(), socket }
    }

    /// Starts a Keep and launches it.
    pub(crate) fn launch(launch: &str) -> (Self, SandboxReport) {
        let host = Self::start();
        host.send(&ToKeep::Launch(launch.into()).encode(), &[]);
        let report = host.sandbox();
        (host, report)
    }

    pub(crate) fn send(&self, packet: &[u8], streams: &[&UnixStream]) {
        let streams: Vec<_> = streams.iter().map(|stream| stream.as_fd()).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !streams.is_empty() {
            assert!(ancillary.push(SendAncillaryMessage::ScmRights(&streams)));
        }
        let sent =
            sendmsg(&self.socket, &[IoSlice::new(packet)], &mut ancillary, SendFlags::NOSIGNAL).unwrap();
        assert_eq!(sent, packet.len());
    }

    /// Opens a stream to the Keep's control port.
    pub(crate) fn open(&self) -> UnixStream {
        let (ours, theirs) = UnixStream::pair().unwrap();
        self.send(&ToKeep::Open { port: CONTROL_PORT }.encode(), &[&theirs]);
        ours.set_read_timeout(Some(PATIENCE)).unwrap();
        ours
    }

    /// The next packet; none when the Keep closed its end.
    pub(crate) fn receive(&self) -> Option<(ToHost, Option<UnixStream>)> {
        let mut watched = [PollFd::new(&self.socket, PollFlags::IN)];
        let patience = Timespec::try_from(PATIENCE).unwrap();
        assert_eq!(poll(&mut watched, Some(&patience)), Ok(1), "the Keep is silent");
        let mut bytes = vec![0; MAX_PACKET];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut buffers = [IoSliceMut::new(&mut bytes)];
        let received = recvmsg(&self.socket, &mut buffers, &mut ancillary, RecvFlags::CMSG_CLOEXEC).ok()?;
        if received.bytes == 0 {
            return None;
        }
        let stream = ancillary.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut streams) => streams.next().map(UnixStream::from),
            _ => None,
        });
        bytes.truncate(received.bytes);
        Some((ToHost::decode(&bytes).unwrap(), stream))
    }

    pub(crate) fn sandbox(&self) -> SandboxReport {
        match self.receive() {
            Some((ToHost::Sandbox(report), None)) => report,
            other => panic!("{other:?} instead of a sandbox report"),
        }
    }

    /// The process identifier of the Keep proper, below the process that was started.
    pub(crate) fn inside(&self) -> u32 {
        child_of(self.keep.id())
    }

    /// Waits for the end. Returns the status and what was written to standard error.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        let status = eventually(|| self.keep.try_wait().unwrap());
        let mut said = String::new();
        self.keep.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (status, said)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.keep.kill();
        let _ = self.keep.wait();
    }
}

/// The only child of a process, once there is one.
pub(crate) fn child_of(pid: u32) -> u32 {
    eventually(|| {
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
        children.split_whitespace().next()?.parse().ok()
    })
}

/// Asks until there is an answer.
pub(crate) fn eventually<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "nothing happened");
        sleep(Duration::from_millis(2));
    }
}

/// One line of `/proc/<pid>/status`.
pub(crate) fn status_line(pid: u32, key: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no `{key}`")).trim().to_owned()
}
