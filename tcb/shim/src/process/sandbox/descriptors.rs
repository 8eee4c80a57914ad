// SPDX-License-Identifier: Apache-2.0

//! No open file of the host's comes along.

use std::fs;
use std::io;

/// Closes every descriptor above standard error. Needs `/proc`, so it comes before the root is emptied.
pub fn close_all_but_standard() -> io::Result<()> {
    let mut open: Vec<i32> = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        if let Some(number) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) {
            open.push(number);
        }
    }
    // The directory's own descriptor is in the list and closed by now: closing it again does nothing.
    for number in open.into_iter().filter(|number| *number > 2) {
        let _ = nix::unistd::close(number);
    }
    Ok(())
}
