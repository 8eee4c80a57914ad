// SPDX-License-Identifier: Apache-2.0

//! Randomness from the CPU's own source, watched and condensed.
//!
//! The words that RDSEED or RDRAND give are tested as they come (NIST SP 800-90B, 4.4: repetition count and adaptive
//! proportion, on bytes), and go through SHA-256 together with all that came before. A source that is stuck, by
//! a fault or because a hypervisor answers in its place, ends the Keep.

use sha2::{Digest, Sha256};

/// Words that go into 32 bytes of output: twice as many bits as come out.
const WORDS: usize = 8;
/// Words that are tested before the first output.
const STARTUP: usize = 128;

/// SP 800-90B 4.4.1 with H = 1 bit a byte, far below what such a source promises, and a false alarm in 2^-40: 41
/// equal bytes in a row.
const REPETITIONS: u32 = 41;
/// SP 800-90B 4.4.2: in a window of 512 bytes, the first must not come this often: 1 + CRITBINOM(512, 1/2, 1 - 2^-40).
const PROPORTION: u32 = 336;
const WINDOW: u32 = 512;

/// The source is missing, stuck or biased beyond what can be chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the source of randomness does not work")]
pub struct NoiseError;

/// A source that has passed its tests so far.
pub struct Noise<S> {
    source: S,
    health: Health,
    chain: [u8; 32],
    counter: u64,
}

impl<S: FnMut() -> Option<u64>> Noise<S> {
    /// Takes words from `source` and tests them before anything comes out.
    pub fn new(source: S) -> Result<Self, NoiseError> {
        let mut noise = Self { source, health: Health::default(), chain: [0; 32], counter: 0 };
        for _ in 0..STARTUP / WORDS {
            noise.stir()?;
        }
        Ok(noise)
    }

    /// Fills `buffer`.
    pub fn fill(&mut self, buffer: &mut [u8]) -> Result<(), NoiseError> {
        for chunk in buffer.chunks_mut(32) {
            self.stir()?;
            let block = digest(b"enarx noise output", &self.chain, self.counter, &[]);
            for (byte, random) in chunk.iter_mut().zip(block) {
                *byte = random;
            }
        }
        // So that who reads the state later cannot tell what came out before.
        self.chain = digest(b"enarx noise forward", &self.chain, self.counter, &[]);
        Ok(())
    }

    fn stir(&mut self) -> Result<(), NoiseError> {
        let mut words = [[0; 8]; WORDS];
        for word in &mut words {
            *word = (self.source)().ok_or(NoiseError)?.to_le_bytes();
            for byte in *word {
                self.health.test(byte)?;
            }
        }
        self.counter = self.counter.wrapping_add(1);
        self.chain = digest(b"enarx noise chain", &self.chain, self.counter, words.as_flattened());
        Ok(())
    }
}

fn digest(label: &[u8], chain: &[u8; 32], counter: u64, words: &[u8]) -> [u8; 32] {
    let hash = Sha256::new().chain_update(label).chain_update(chain).chain_update(counter.to_le_bytes());
    hash.chain_update(words).finalize().into()
}

/// The two continuous tests.
#[derive(Default)]
struct Health {
    last: Option<u8>,
    repeated: u32,
    first: u8,
    seen: u32,
    count: u32,
    failed: bool,
}

impl Health {
    /// Once it has failed it stays so.
    fn test(&mut self, byte: u8) -> Result<(), NoiseError> {
        self.repeated = if self.last == Some(byte) { self.repeated + 1 } else { 1 };
        self.last = Some(byte);
        if self.seen == 0 {
            self.first = byte;
            self.count = 0;
        }
        self.count += u32::from(byte == self.first);
        self.seen = (self.seen + 1) % WINDOW;
        self.failed |= self.repeated >= REPETITIONS || self.count >= PROPORTION;
        if self.failed { Err(NoiseError) } else { Ok(()) }
    }
}
