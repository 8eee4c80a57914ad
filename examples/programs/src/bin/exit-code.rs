// SPDX-License-Identifier: Apache-2.0

//! Ends with the exit code in its first argument, 42 without one.

use std::env;
use std::process;

fn main() {
    let code = env::args().nth(1).and_then(|arg| arg.parse().ok()).unwrap_or(42);
    process::exit(code);
}
