// SPDX-License-Identifier: Apache-2.0

//! Uses the clocks and the source of randomness, and says whether they make sense.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

fn main() {
    let start = Instant::now();
    thread::sleep(Duration::from_millis(20));
    println!("monotonic {}", start.elapsed() >= Duration::from_millis(20));

    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is before 1970");
    println!("unix time {}", now.as_secs());

    // The standard library draws the keys of its hash maps from the system's source of randomness.
    println!("random {:016x}", RandomState::new().build_hasher().finish());
}
