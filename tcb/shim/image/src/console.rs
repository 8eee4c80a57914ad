// SPDX-License-Identifier: Apache-2.0

//! Words for a developer, in debug images only: a release image has nothing to say to its host.

use core::fmt::Display;

/// Says something on the first serial port.
#[cfg(feature = "console")]
pub(crate) fn say(words: &dyn Display) {
    use core::fmt::Write as _;
    // As guest of SEV-SNP there is no port to say it on.
    if crate::snp::is_active() {
        return;
    }
    let _ = writeln!(Serial, "keep: {words}");
}

/// Says nothing.
#[cfg(not(feature = "console"))]
pub(crate) fn say(_words: &dyn Display) {}

#[cfg(feature = "console")]
struct Serial;

#[cfg(feature = "console")]
impl core::fmt::Write for Serial {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        let mut port = x86_64::instructions::port::PortWriteOnly::new(0x3f8);
        for byte in text.bytes() {
            // SAFETY: the port takes a byte and does nothing to this machine.
            unsafe { port.write(byte) };
        }
        Ok(())
    }
}
