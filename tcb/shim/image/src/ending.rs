// SPDX-License-Identifier: Apache-2.0

//! How this machine ends.

use core::panic::PanicInfo;

use enarx_shim::machine::{EXIT_PORT, Ending};
use x86_64::instructions::port::PortWriteOnly;
use x86_64::instructions::{hlt, interrupts};

use crate::snp;

/// Ends the machine. A hypervisor that does not let it end has a CPU that waits for nothing.
pub(crate) fn end(ending: Ending) -> ! {
    if snp::is_active() {
        snp::terminate(ending);
    }
    let mut port = PortWriteOnly::new(EXIT_PORT);
    loop {
        interrupts::disable();
        // SAFETY: the port does nothing but end the machine; where there is no such port, the write does nothing.
        unsafe { port.write(ending as u8) };
        hlt();
    }
}

/// What a program may not come to: an index out of bounds, a broken invariant. Said in no words, because the only one
/// who could hear them is the host.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    crate::console::say(info);
    end(Ending::Panic)
}

/// What unwinding would call. Nothing unwinds here: the libraries that come with Rust were compiled for programs that do,
/// and name it.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {
    end(Ending::Panic)
}

/// As above.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() {
    end(Ending::Panic)
}
