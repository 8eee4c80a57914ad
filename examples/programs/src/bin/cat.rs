// SPDX-License-Identifier: Apache-2.0

//! Copies standard input to standard output.

use std::io;

fn main() -> io::Result<()> {
    io::copy(&mut io::stdin().lock(), &mut io::stdout().lock()).map(drop)
}
