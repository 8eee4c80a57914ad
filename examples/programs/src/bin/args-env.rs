// SPDX-License-Identifier: Apache-2.0

//! Prints its arguments after the program's name, then its environment, sorted.

use std::env;

fn main() {
    for arg in env::args().skip(1) {
        println!("arg {arg}");
    }
    let mut variables: Vec<_> = env::vars().collect();
    variables.sort();
    for (name, value) in variables {
        println!("env {name}={value}");
    }
}
