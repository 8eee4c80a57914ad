// SPDX-License-Identifier: Apache-2.0

//! Randomness: every secret of this crate starts here, from the system (on bare metal: from what the image that
//! links this crate supplies to `getrandom`), and a failing source is an error, never a weaker secret.

use core::convert::Infallible;

use hmac::{Hmac, KeyInit, Mac};
use hpke::rand_core::{TryCryptoRng, TryRng};
use sha2::Sha256;
use zeroize::Zeroizing;

/// The source of randomness failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gave no randomness")]
pub struct EntropyError;

/// `N` fresh random bytes.
pub fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, EntropyError> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|_| EntropyError)?;
    Ok(bytes)
}

/// An endless stream from 32 random bytes, for interfaces that cannot report a failing source.
///
/// Block `i` is HMAC-SHA-256 of the seed over `i`: the counter mode of NIST SP 800-108.
pub(crate) struct Seeded {
    seed: Zeroizing<[u8; 32]>,
    counter: u64,
}

impl Seeded {
    pub(crate) fn new() -> Result<Self, EntropyError> {
        Ok(Self { seed: random()?, counter: 0 })
    }

    fn block(&mut self) -> Zeroizing<[u8; 32]> {
        // A key shorter than the block of the hash is padded with zeros (RFC 2104 section 2).
        let mut key = Zeroizing::new([0; 64]);
        key.iter_mut().zip(self.seed.iter()).for_each(|(to, from)| *to = *from);
        let mut mac = <Hmac<Sha256> as KeyInit>::new(&(*key).into());
        mac.update(b"enarx seeded stream 1");
        mac.update(&self.counter.to_be_bytes());
        self.counter = self.counter.wrapping_add(1);
        Zeroizing::new(mac.finalize().into_bytes().into())
    }
}

impl TryRng for Seeded {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_be_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_be_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), Infallible> {
        for piece in to.chunks_mut(32) {
            let block = self.block();
            for (to, from) in piece.iter_mut().zip(block.iter()) {
                *to = *from;
            }
        }
        Ok(())
    }
}

impl TryCryptoRng for Seeded {}
