// SPDX-License-Identifier: Apache-2.0

//! A program that a test can start as a Keep and that breaks the rules on command: the host must hold against whatever
//! a Keep does, and the real one does nothing of this. It speaks the host stream, but has no sandbox and no sessions.
//!
//! How it starts is the last line of its own file (`start=silent` …), which a test appends to a copy. What it does on a
//! control stream is the first line that comes there.

use std::io::{self, BufRead as _, BufReader, IoSlice, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};

const SANDBOX: &[u8] =
    br#"{"layers":[{"name":"seccomp","active":true,"detail":""},{"name":"landlock","active":true,"detail":""}]}"#;
const BARE: &[u8] = br#"{"layers":[{"name":"seccomp","active":true,"detail":""},{"name":"landlock","active":false,"detail":"not in this kernel"}]}"#;

fn main() -> io::Result<()> {
    let (launch, _) = receive()?;
    let program = std::fs::read("/proc/self/exe")?;
    let start = program.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    match start {
        b"start=silent" => std::thread::sleep(Duration::from_secs(1000)),
        b"start=early" => {
            eprintln!("this kernel is too old");
            std::process::exit(3)
        }
        b"start=garbage" => send(&[9, 9, 9], None)?,
        b"start=nonsense" => send(b"\x02{\"layers\":7}", None)?,
        b"start=bare" => {
            send(&[b"\x02", BARE].concat(), None)?;
            if launch.ends_with(b"require-sandbox=all") {
                std::process::exit(71);
            }
        }
        _ => send(&[b"\x02", SANDBOX].concat(), None)?,
    }
    loop {
        let (packet, stream) = receive()?;
        let Some(stream) = stream else { std::process::exit(0) };
        if packet == [3, 1, 0, 0, 0] {
            std::thread::spawn(move || obey(&UnixStream::from(stream)));
        }
    }
}

fn obey(stream: &UnixStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let command = words.next();
    let number: u32 = words.next().and_then(|word| word.parse().ok()).unwrap_or_default();
    let mut writer = stream;
    match command {
        Some("echo") => {
            io::copy(&mut reader, &mut writer)?;
            stream.shutdown(Shutdown::Write)
        }
        Some("exit") => std::process::exit(i32::try_from(number).unwrap_or_default()),
        Some("words-and-exit") => {
            writer.write_all(b"last words")?;
            std::process::exit(0)
        }
        Some("violate") => send(&[9], None),
        Some("provisioned") => send(&[5], None).and_then(|()| writer.write_all(b"done")),
        Some("close-host-stream") => {
            // What follows keeps the process alive without its host stream.
            rustix::net::shutdown(io::stdin(), rustix::net::Shutdown::Write)?;
            std::thread::sleep(Duration::from_secs(1000));
            Ok(())
        }
        Some("evidence") => (0..number).try_for_each(|_| writer.write_all(&evidence(&connect(2)?)?)),
        Some("connect") => {
            let mut nothing = Vec::new();
            connect(number)?.read_to_end(&mut nothing)?;
            writer.write_all(b"refused")
        }
        Some("environment") => {
            let variables = std::env::vars_os().count();
            let folder = std::env::current_dir()?;
            let arguments: Vec<_> = std::env::args().collect();
            write!(writer, "{variables} {} {arguments:?}", folder.display())
        }
        Some("flood") => loop {
            writer.write_all(&[b'f'; 4096])?;
        },
        _ => Ok(()),
    }
}

fn evidence(mut platform: &UnixStream) -> io::Result<Vec<u8>> {
    platform.write_all(&[b'R'; 64])?;
    let mut length = [0; 4];
    platform.read_exact(&mut length)?;
    let mut bytes = vec![0; usize::try_from(u32::from_le_bytes(length)).unwrap_or_default()];
    platform.read_exact(&mut bytes)?;
    Ok([length.as_slice(), &bytes].concat())
}

fn connect(port: u32) -> io::Result<UnixStream> {
    let (ours, theirs) = UnixStream::pair()?;
    send(&[&[4], port.to_le_bytes().as_slice()].concat(), Some(&theirs))?;
    Ok(ours)
}

fn send(packet: &[u8], stream: Option<&UnixStream>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let streams: Vec<_> = stream.iter().map(|stream| stream.as_fd()).collect();
    if !streams.is_empty() {
        control.push(SendAncillaryMessage::ScmRights(&streams));
    }
    sendmsg(io::stdin(), &[IoSlice::new(packet)], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

fn receive() -> io::Result<(Vec<u8>, Option<OwnedFd>)> {
    let mut bytes = vec![0; 4096];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let count =
        recvmsg(io::stdin(), &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::empty())?.bytes;
    bytes.truncate(count);
    let stream = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    Ok((bytes, stream))
}
