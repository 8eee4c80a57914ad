// SPDX-License-Identifier: Apache-2.0

//! A source of randomness that is stuck, biased or dry ends the Keep rather than make keys.

use enarx_shim::machine::noise::{Noise, NoiseError};

/// Words that look random enough: multiples of an odd constant, mixed (the finalizer of SplitMix64).
fn words() -> impl FnMut() -> Option<u64> {
    let mut state = 1_u64;
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Some(word ^ (word >> 31))
    }
}

fn filled(noise: &mut Noise<impl FnMut() -> Option<u64>>, length: usize) -> Vec<u8> {
    let mut buffer = vec![0; length];
    noise.fill(&mut buffer).unwrap();
    buffer
}

#[test]
fn a_source_that_works_gives_what_nobody_has_seen() {
    let mut noise = Noise::new(words()).unwrap();
    let (first, second) = (filled(&mut noise, 4096), filled(&mut noise, 4096));
    assert_ne!(first, second);
    // Neither half of a block, nor the words of the source, come out again.
    let mut blocks: Vec<_> = first.chunks(32).chain(second.chunks(32)).collect();
    blocks.sort_unstable();
    blocks.dedup();
    assert_eq!(blocks.len(), 256);
    let mut source = words();
    let word = source().unwrap().to_le_bytes();
    assert!(!first.windows(8).any(|window| window == word));
    assert!(filled(&mut noise, 0).is_empty());
    assert_eq!(filled(&mut noise, 5).len(), 5);
}

#[test]
fn a_source_that_is_stuck_is_found_before_anything_comes_out() {
    for stuck in [0, u64::MAX, 0x4141_4141_4141_4141] {
        assert_eq!(Noise::new(move || Some(stuck)).err(), Some(NoiseError));
    }
    assert_eq!(Noise::new(|| None).err(), Some(NoiseError));
}

#[test]
fn a_source_that_favours_one_byte_is_found() {
    // Two of three bytes are the same, never more than two in a row.
    let mut count = 0_u8;
    let mut bytes = move || {
        count = count.wrapping_add(1);
        if count.is_multiple_of(3) { count } else { 7 }
    };
    assert_eq!(
        Noise::new(move || Some(u64::from_le_bytes([(); 8].map(|()| bytes())))).err(),
        Some(NoiseError)
    );
}

#[test]
fn a_source_that_gets_stuck_later_is_found_then_and_stays_refused() {
    let mut good = words();
    let mut left = 1000;
    let mut noise = Noise::new(move || {
        left -= 1;
        if left == 500 {
            left += 1;
            Some(0)
        } else {
            good()
        }
    })
    .unwrap();
    let mut buffer = [0; 32];
    let failed = (0..100).position(|_| noise.fill(&mut buffer).is_err());
    // 499 good words: 128 at start, 46 blocks of 8, and 3 in a block with 5 words, 40 bytes, of zeros. One more is one
    // too many.
    assert_eq!(failed, Some(47));
    assert_eq!(noise.fill(&mut buffer), Err(NoiseError));
}

#[test]
fn a_source_that_dries_up_is_an_error_and_not_silence() {
    let mut good = words();
    let mut left = 136;
    let mut noise = Noise::new(move || {
        left -= 1;
        if left < 0 { None } else { good() }
    })
    .unwrap();
    let mut buffer = [0; 32];
    noise.fill(&mut buffer).unwrap();
    assert_eq!(noise.fill(&mut buffer), Err(NoiseError));
}
