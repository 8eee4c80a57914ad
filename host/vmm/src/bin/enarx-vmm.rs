// SPDX-License-Identifier: Apache-2.0

//! One Keep in a virtual machine. A host starts it, see `docs/host-stream.md`; it is of no use by hand.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    enarx_vmm::jail::main()
}
