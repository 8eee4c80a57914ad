// SPDX-License-Identifier: Apache-2.0

//! Sends back what it is sent, to as many clients as its argument says (without one: to all), one after the other.
//!
//! It knows nothing of TLS: its listening socket is a descriptor that is open from the start, and the variables `FD_COUNT` and
//! `FD_NAMES` say which.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::FromRawFd;

/// The descriptor of this name.
fn descriptor(name: &str) -> Option<i32> {
    let names = std::env::var("FD_NAMES").ok()?;
    let number = names.split(':').position(|known| known == name)?;
    i32::try_from(number).ok()
}

fn main() -> io::Result<()> {
    let clients: Option<usize> = std::env::args().nth(1).and_then(|text| text.parse().ok());
    let number = descriptor("echo").ok_or_else(|| io::Error::other("no descriptor is called `echo`"))?;
    // SAFETY: the descriptor is open from the start, and nothing else in this program uses it.
    let listener = unsafe { TcpListener::from_raw_fd(number) };
    println!("listening");
    for _ in 0..clients.unwrap_or(usize::MAX) {
        let (client, _) = listener.accept()?;
        match serve(client) {
            Ok(total) => println!("echoed {total} bytes"),
            // A client that is cut off is no reason to end for the others.
            Err(error) => println!("lost a client: {:?}", error.kind()),
        }
    }
    Ok(())
}

fn serve(mut client: TcpStream) -> io::Result<usize> {
    let mut buffer = [0; 4096];
    let mut total = 0;
    loop {
        let count = client.read(&mut buffer)?;
        if count == 0 {
            return client.shutdown(Shutdown::Write).map(|()| total);
        }
        client.write_all(&buffer[..count])?;
        total += count;
    }
}
