// SPDX-License-Identifier: Apache-2.0

//! Computes with integers and with floats, and says how long each took, in microseconds.

use std::hint::black_box;
use std::time::Instant;

fn main() {
    let rounds = std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(20_u32);
    time("integers", || (0..rounds).fold(0, |state, round| integers(state ^ round)).into());
    time("floats", || floats(rounds * 500).to_bits());
}

fn time(name: &str, work: impl Fn() -> u64) {
    let start = Instant::now();
    let result = black_box(work());
    println!("{name} {} {result:016x}", start.elapsed().as_micros());
}

/// What small machines spend their time with: a sort, a product of matrices, a checksum.
fn integers(seed: u32) -> u32 {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    };
    let mut list: Vec<u32> = (0..4096).map(|_| next()).collect();
    list.sort_unstable();
    const SIDE: usize = 48;
    let mut product = vec![0_u32; SIDE * SIDE];
    for row in 0..SIDE {
        for column in 0..SIDE {
            let terms = (0..SIDE).map(|k| list[row * SIDE + k].wrapping_mul(list[k * SIDE + column]));
            product[row * SIDE + column] = terms.fold(0, u32::wrapping_add);
        }
    }
    let bytes = list.iter().chain(&product).flat_map(|word| word.to_le_bytes());
    // CRC-32 (ISO 3309), bit by bit.
    !bytes.fold(!0, |crc: u32, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

/// Five bodies that attract each other, for some steps; their energy at the end.
fn floats(steps: u32) -> f64 {
    let mut place: [[f64; 3]; 5] =
        core::array::from_fn(|i| [i as f64, (i * i) as f64 * 0.5, 1.0 / (i + 1) as f64]);
    let mut speed = [[0.0_f64; 3]; 5];
    for _ in 0..steps {
        for one in 0..5 {
            for other in (0..5).filter(|other| *other != one) {
                let apart: [f64; 3] = core::array::from_fn(|k| place[other][k] - place[one][k]);
                let square = apart.iter().map(|x| x * x).sum::<f64>() + 0.01;
                let pull = 1e-5 / (square * square.sqrt());
                (0..3).for_each(|k| speed[one][k] += apart[k] * pull);
            }
        }
        for (place, speed) in place.iter_mut().zip(&speed) {
            (0..3).for_each(|k| place[k] += speed[k]);
        }
    }
    speed.iter().flatten().map(|x| x * x).sum()
}
