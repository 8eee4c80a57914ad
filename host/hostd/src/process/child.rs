// SPDX-License-Identifier: Apache-2.0

//! The process of one Keep: started with nothing but its host stream, and never left behind.
//!
//! Each has a thread that starts it, waits for it and does nothing else. A Keep asks the kernel to be killed with its
//! parent, and to Linux the parent is the *thread* that started it: the threads of an asynchronous runtime come and go.

use std::io::{self, PipeReader, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use rustix::process::{
    Pid, PidfdFlags, Resource, Rlimit, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open,
    pidfd_send_signal, prlimit, waitid,
};
use tokio::sync::{oneshot, watch};

use super::Program;
use crate::api::KeepExit;

/// The thread only waits.
const STACK: usize = 128 * 1024;
/// Longest line that a process is quoted with.
const MAX_LINE: usize = 512;

/// A child process that is killed and reaped at the latest when this is dropped.
pub(crate) struct Process {
    handle: OwnedFd,
    exit: watch::Receiver<Option<KeepExit>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    errors: PipeReader,
}

impl Process {
    /// Starts the Keep program with `stream` as its descriptor 0.
    pub(crate) async fn start(program: &Program, stream: OwnedFd, memory: Option<u64>) -> io::Result<Self> {
        let (errors, its_errors) = io::pipe()?;
        let mut command = Command::new(program.path());
        command
            .arg0("enarx-keep")
            .args(program.arguments())
            .env_clear()
            .current_dir("/")
            // Interrupts typed at a terminal reach the host, which then ends its Keeps in order.
            .process_group(0)
            .stdin(Stdio::from(stream))
            .stdout(program.image()?.map_or_else(Stdio::null, Stdio::from))
            .stderr(Stdio::from(its_errors));
        Self::run(command, errors, memory).await
    }

    async fn run(mut command: Command, errors: PipeReader, memory: Option<u64>) -> io::Result<Self> {
        let (started, result) = oneshot::channel();
        let (ended, exit) = watch::channel(None);
        let attend = move || {
            let begun = command.spawn().and_then(|child| adopt(child, memory));
            // The host's end of the descriptors that the child got is closed here, so that their closing is noticed.
            drop(command);
            match begun {
                Err(error) => {
                    let _ = started.send(Err(error));
                }
                Ok((child, handle)) => {
                    let unwanted = started.send(handle.try_clone()).is_err();
                    ended.send_replace(Some(wait(child, &handle, unwanted)));
                }
            }
        };
        let builder = std::thread::Builder::new().name("enarx-keep".to_owned()).stack_size(STACK);
        let thread = Mutex::new(Some(builder.spawn(attend)?));
        let handle = result.await.map_err(|_| io::Error::other("the thread of the Keep has ended"))??;
        Ok(Self { handle, exit, thread, errors })
    }

    /// Waits until the process has been reaped.
    pub(crate) async fn exited(&self) -> KeepExit {
        let mut exit = self.exit.clone();
        let exit = exit.wait_for(Option::is_some).await.map(|exit| *exit);
        exit.ok().flatten().unwrap_or_default()
    }

    /// The line in which the process said why it could not start, or where in its own code it failed.
    pub(crate) fn last_words(&self) -> Option<String> {
        rustix::io::ioctl_fionbio(&self.errors, true).ok()?;
        let mut bytes = [0; MAX_LINE];
        let count = (&self.errors).read(&mut bytes).ok()?;
        let text = String::from_utf8_lossy(bytes.get(..count)?);
        let line = text.lines().next()?.replace(char::is_control, " ");
        Some(line.trim().to_owned()).filter(|line| !line.is_empty())
    }

    /// Kills the process.
    pub(crate) fn kill(&self) {
        let _ = pidfd_send_signal(&self.handle, Signal::KILL);
    }

    /// Kills and reaps the process, blocking for the moment that the kernel needs.
    pub(crate) fn end(&self) -> KeepExit {
        self.kill();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
        self.exit.borrow().unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// The Keep waits for its launch configuration, so limits set now hold before it does anything.
fn adopt(mut child: Child, memory: Option<u64>) -> io::Result<(Child, OwnedFd)> {
    let pid = Pid::from_child(&child);
    let limit = |resource, value| {
        prlimit(Some(pid), resource, Rlimit { current: Some(value), maximum: Some(value) }).map(drop)
    };
    let adopted = pidfd_open(pid, PidfdFlags::empty()).and_then(|handle| {
        limit(Resource::Core, 0)?;
        memory.map_or(Ok(()), |bytes| limit(Resource::As, bytes))?;
        Ok(handle)
    });
    match adopted {
        Ok(handle) => Ok((child, handle)),
        Err(error) => {
            let _ = child.kill();
            let _ = child.wait();
            Err(error.into())
        }
    }
}

/// Waits for the end of the process, takes its group with it, and reaps it.
fn wait(mut child: Child, handle: &OwnedFd, unwanted: bool) -> KeepExit {
    if unwanted {
        let _ = pidfd_send_signal(handle, Signal::KILL);
    }
    // The number stays taken until the process is reaped, so that the group cannot be anybody else's.
    let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while matches!(waitid(WaitId::PidFd(handle.as_fd()), ended), Err(rustix::io::Errno::INTR)) {}
    let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
    child.wait().map(describe).unwrap_or_default()
}

fn describe(status: ExitStatus) -> KeepExit {
    KeepExit { code: status.code(), signal: status.signal() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    /// A shell whose end is seen as the end of the stream that is its input.
    async fn shell(script: &str, memory: Option<u64>) -> (Process, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (errors, its_errors) = io::pipe().unwrap();
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", script])
            .process_group(0)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stderr(its_errors);
        (Process::run(command, errors, memory).await.unwrap(), ours)
    }

    #[tokio::test]
    async fn the_exit_code_and_the_reason_are_reported() {
        let (process, _) = shell("echo 'no \x1bkernel' >&2; echo more >&2; exit 71", None).await;
        assert_eq!(process.exited().await, KeepExit { code: Some(71), signal: None });
        assert_eq!(process.last_words().as_deref(), Some("no  kernel"));
    }

    #[tokio::test]
    async fn a_dropped_process_is_gone_with_all_that_it_started() {
        // A shell starts what is in the background with another input, unless it is told not to.
        let (process, mut stream) = shell("exec 3<&0; sleep 1000 <&3 & sleep 1000", None).await;
        drop(process);
        // Both had the stream as their input; it ends when the last of them does.
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    }

    #[tokio::test]
    async fn limits_hold_for_the_process() {
        let (process, _) = shell("sleep 0.2; test $(ulimit -v) = 1048576", Some(1 << 30)).await;
        assert_eq!(process.exited().await, KeepExit { code: Some(0), signal: None });
    }

    #[tokio::test]
    async fn a_program_that_cannot_start_is_an_error() {
        let (errors, _) = io::pipe().unwrap();
        assert!(Process::run(Command::new("/nowhere/enarx-keep"), errors, None).await.is_err());
    }
}
