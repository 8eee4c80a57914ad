// SPDX-License-Identifier: Apache-2.0

//! An ordinary program. Nothing in it knows that it runs in a Keep.

use std::env;

fn main() {
    let name = env::args().nth(1).unwrap_or_else(|| "world".to_owned());
    let greeting = env::var("GREETING").unwrap_or_else(|_| "Hello".to_owned());
    println!("{greeting}, {name}!");
}
