// SPDX-License-Identifier: Apache-2.0

//! Implementations of signatures in C and assembly, for where there is an operating system: what the benchmarks choose
//! between.

mod aws_lc;
mod ring;

use core::ops::RangeInclusive;

use enarx_evidence::x509::PublicKey;

pub use aws_lc::AwsLc;
pub use ring::Ring;

/// Bytes of a modulus, 2048 to 4096 bits, and of a public exponent, as the trait has it.
const MODULUS: RangeInclusive<usize> = 256..=512;
const MAX_EXPONENT: usize = 4;

/// Modulus and exponent of a key that is neither too small nor too large.
fn rsa<'a>(key: &PublicKey<'a>) -> Option<(&'a [u8], &'a [u8])> {
    let PublicKey::Rsa { modulus, exponent } = *key else { return None };
    let fits = MODULUS.contains(&modulus.len()) && exponent.len() <= MAX_EXPONENT;
    fits.then_some((modulus, exponent))
}
