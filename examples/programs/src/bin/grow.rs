// SPDX-License-Identifier: Apache-2.0

//! Takes memory until there is no more.

use std::hint::black_box;

const STEP: usize = 1 << 20;

fn main() {
    let mut taken = Vec::new();
    loop {
        taken.push(black_box(vec![1_u8; STEP]));
        if taken.len().is_multiple_of(16) {
            println!("{} MiB", taken.len());
        }
    }
}
