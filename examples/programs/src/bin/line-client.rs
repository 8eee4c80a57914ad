// SPDX-License-Identifier: Apache-2.0

//! Copies its standard input to the peer that descriptor `peer` is connected to, and what the peer answers to standard
//! output. Like any program for TCP; the TLS is the Keep's.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::FromRawFd;

fn main() -> io::Result<()> {
    let names = std::env::var("FD_NAMES").unwrap_or_default();
    let number =
        names.split(':').position(|name| name == "peer").and_then(|number| i32::try_from(number).ok());
    let number = number.ok_or_else(|| io::Error::other("no descriptor is called `peer`"))?;
    // SAFETY: the descriptor is open from the start, and nothing else in this program uses it.
    let mut peer = unsafe { TcpStream::from_raw_fd(number) };
    let mut input = Vec::new();
    io::stdin().read_to_end(&mut input)?;
    peer.write_all(&input)?;
    peer.shutdown(Shutdown::Write)?;
    let mut answer = Vec::new();
    peer.read_to_end(&mut answer)?;
    io::stdout().write_all(&answer)
}
