// SPDX-License-Identifier: Apache-2.0

//! Traps inside of nested functions, whose names are to be seen in the backtrace.
//!
//! The first argument says how: `panic`, `stack` (calls that never stop) or `unreachable`, which is what happens
//! without an argument.

use std::env;
use std::hint::black_box;
use std::process;

fn main() {
    let how = env::args().nth(1).unwrap_or_else(|| "unreachable".to_owned());
    println!("about to trap");
    open_the_vault(&how);
    println!("nothing happened");
}

#[inline(never)]
fn open_the_vault(how: &str) {
    turn_the_key(how);
    black_box(how);
}

#[inline(never)]
fn turn_the_key(how: &str) {
    match how {
        "panic" => panic!("the key broke"),
        "stack" => println!("{}", call_for_ever(1)),
        _ => process::abort(),
    }
    black_box(how);
}

/// Without variables in memory: it is the native stack that ends, not the program's own part of its memory.
#[inline(never)]
#[allow(unconditional_recursion, reason = "that is what it is for")]
fn call_for_ever(depth: u64) -> u64 {
    call_for_ever(depth + 1) / (depth | 1)
}
