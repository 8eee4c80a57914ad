// SPDX-License-Identifier: Apache-2.0

//! The #VC exception (APM, section 15.35.5): the CPU met an instruction that the hypervisor wants to see.
//!
//! This program calls the hypervisor where it needs it and never lets itself be caught, with one exception: libraries ask
//! CPUID by themselves. That is answered from the CPUID page. A hypervisor can raise the exception whenever it likes, with
//! an error code of its choice, so the instruction is looked at too; everything else ends the Keep.

use super::cpuid::{Answer, CpuidError, State, Table};

/// The exit code of CPUID (APM, appendix C), which is the exception's error code.
pub const CPUID: u64 = 0x72;
/// The instruction.
pub const INSTRUCTION: [u8; 2] = [0x0f, 0xa2];

/// A #VC that must not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unexpected {
    /// Something else than CPUID was intercepted.
    #[error("the hypervisor intercepts what it must not: exit code {code:#x}")]
    Code {
        /// The error code.
        code: u64,
    },
    /// The exception did not come from where it says.
    #[error("the hypervisor raised an exception that nothing caused")]
    Raised,
    /// The page has no answer.
    #[error("CPUID was asked what the CPUID page does not answer")]
    Cpuid(#[from] CpuidError),
}

/// What the interrupted instruction gets: `code` is the exception's error code, `instruction` what stands where it came from,
/// `leaf` and `subleaf` are EAX and ECX.
pub fn answer(
    code: u64,
    instruction: [u8; 2],
    leaf: u32,
    subleaf: u32,
    state: &State,
    table: &Table,
) -> Result<Answer, Unexpected> {
    if code != CPUID {
        return Err(Unexpected::Code { code });
    }
    if instruction != INSTRUCTION {
        return Err(Unexpected::Raised);
    }
    Ok(table.answer(leaf, subleaf, state)?)
}
