// SPDX-License-Identifier: Apache-2.0

//! How a call of `wasi:filesystem` fails: with a code for the program, or by ending it.

use wasmtime::component::ResourceTableError;

use crate::vfs::VfsError;

/// Why a call did not succeed.
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
#[derive(Debug)]
pub enum Failure {
    /// The program gets the code of this.
    Refused(VfsError),
    /// The program broke the rules of handles and ends.
    Trap(wasmtime::Error),
}

impl From<VfsError> for Failure {
    fn from(error: VfsError) -> Self {
        Self::Refused(error)
    }
}

impl From<ResourceTableError> for Failure {
    fn from(error: ResourceTableError) -> Self {
        match error {
            // Not a mistake of the program's: it may close something and go on.
            ResourceTableError::Full => Self::Refused(VfsError::OutOfMemory),
            other => Self::Trap(other.into()),
        }
    }
}
