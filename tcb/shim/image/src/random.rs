// SPDX-License-Identifier: Apache-2.0

//! The only source of randomness: the CPU's own, tested and condensed by `machine::noise`. It answers the crate
//! `getrandom`.

use core::arch::asm;

use enarx_shim::machine::Ending;
use enarx_shim::machine::noise::Noise;
use getrandom::Error;
use spin::Mutex;

use crate::processor;

/// How often a word is asked for before the source counts as dry. RDSEED gives none while it gathers.
const PATIENCE: u32 = 100_000;

/// An instruction that gives a word, or none.
type Source = fn() -> Option<u64>;

static NOISE: Mutex<Option<Noise<Source>>> = Mutex::new(None);

/// Starts the source.
pub(crate) fn set_up() -> Result<(), Ending> {
    let source: Source = if processor::has_rdseed() { rdseed } else { rdrand };
    *NOISE.lock() = Some(Noise::new(source).map_err(|_| Ending::Entropy)?);
    Ok(())
}

fn rdseed() -> Option<u64> {
    patiently(|| {
        let (word, good): (u64, u8);
        // SAFETY: the instruction is there, or `set_up` would not have chosen it; it changes only these registers.
        unsafe { asm!("rdseed {}", "setc {}", out(reg) word, out(reg_byte) good, options(nomem, nostack)) };
        (good == 1).then_some(word)
    })
}

fn rdrand() -> Option<u64> {
    patiently(|| {
        let (word, good): (u64, u8);
        // SAFETY: as above; a CPU with neither instruction did not get this far.
        unsafe { asm!("rdrand {}", "setc {}", out(reg) word, out(reg_byte) good, options(nomem, nostack)) };
        (good == 1).then_some(word)
    })
}

fn patiently(mut ask: impl FnMut() -> Option<u64>) -> Option<u64> {
    (0..PATIENCE).find_map(|_| {
        let word = ask();
        if word.is_none() {
            core::hint::spin_loop();
        }
        word
    })
}

/// The function that `getrandom` calls where it has no backend of its own.
///
/// # Safety
///
/// `dest` and `len` must be memory that may be written.
#[unsafe(no_mangle)]
unsafe extern "Rust" fn __getrandom_v03_custom(dest: *mut u8, len: usize) -> Result<(), Error> {
    // SAFETY: the caller promises it. What was there before is only written over, so it may as well be zeros.
    unsafe { dest.write_bytes(0, len) };
    // SAFETY: as above, and every byte has been written.
    let buffer = unsafe { core::slice::from_raw_parts_mut(dest, len) };
    let mut noise = NOISE.lock();
    noise.as_mut().and_then(|noise| noise.fill(buffer).ok()).ok_or(Error::UNEXPECTED)
}
