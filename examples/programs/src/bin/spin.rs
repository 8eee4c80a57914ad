// SPDX-License-Identifier: Apache-2.0

//! Never ends.

use std::hint::black_box;

fn main() {
    println!("spinning");
    let mut turns: u64 = 0;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}
