// SPDX-License-Identifier: Apache-2.0

//! `wasi:random`: all of it from the platform's generator, also what may be insecure.

use alloc::vec;
use alloc::vec::Vec;

use wasmtime::{Error, Result};

use super::bindings::wasi::random::{insecure, insecure_seed, random};
use crate::run::State;

/// The most bytes of one call. The interface has no way to give fewer than were asked for, or to fail.
const MAX_BYTES: u64 = 4 << 20;

impl random::Host for State {
    fn get_random_bytes(&mut self, len: u64) -> Result<Vec<u8>> {
        bytes(len)
    }

    fn get_random_u64(&mut self) -> Result<u64> {
        number()
    }
}

impl insecure::Host for State {
    fn get_insecure_random_bytes(&mut self, len: u64) -> Result<Vec<u8>> {
        bytes(len)
    }

    fn get_insecure_random_u64(&mut self) -> Result<u64> {
        number()
    }
}

impl insecure_seed::Host for State {
    fn insecure_seed(&mut self) -> Result<(u64, u64)> {
        Ok((number()?, number()?))
    }
}

fn bytes(len: u64) -> Result<Vec<u8>> {
    let len = usize::try_from(len.min(MAX_BYTES + 1))?;
    if len as u64 > MAX_BYTES {
        return Err(wasmtime::format_err!("more than {MAX_BYTES} random bytes were asked for at once"));
    }
    let mut bytes = vec![0; len];
    fill(&mut bytes)?;
    Ok(bytes)
}

fn number() -> Result<u64> {
    let mut bytes = [0; 8];
    fill(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

fn fill(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes)
        .map_err(|error| Error::msg(alloc::format!("the platform has no randomness: {error}")))
}
