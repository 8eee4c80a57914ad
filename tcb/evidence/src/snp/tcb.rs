// SPDX-License-Identifier: Apache-2.0

//! TCB versions: the security patch levels of the firmware that a report rests on (56860, section 2.2).

use core::fmt;

use crate::{Fault, ParseError};

/// Which of its eight bytes a `TCB_VERSION` uses for what. It is not written in the bytes; it follows from the
/// processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Milan and Genoa: boot loader, TEE, four reserved bytes, SNP, microcode.
    Classic,
    /// Turin and later: FMC, boot loader, TEE, SNP, three reserved bytes, microcode.
    Turin,
}

/// A `TCB_VERSION` as it stands in a report, before it is known which processor's layout it has.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct RawTcb(pub u64);

impl RawTcb {
    /// The patch levels by name. Refuses bytes that the layout reserves, so that bytes of the other layout are
    /// noticed and not read as something else.
    pub fn decode(self, layout: Layout) -> Result<TcbVersion, ParseError> {
        let bytes = self.0.to_le_bytes();
        let (tcb, reserved) = match (layout, bytes) {
            (Layout::Classic, [bootloader, tee, a, b, c, d, snp, microcode]) => {
                (TcbVersion { fmc: None, bootloader, tee, snp, microcode }, [a, b, c, d])
            }
            (Layout::Turin, [fmc, bootloader, tee, snp, a, b, c, microcode]) => {
                (TcbVersion { fmc: Some(fmc), bootloader, tee, snp, microcode }, [a, b, c, 0])
            }
        };
        match reserved.iter().position(|byte| *byte != 0) {
            None => Ok(tcb),
            Some(at) => {
                let first = if layout == Layout::Classic { 2_usize } else { 4 };
                Err(ParseError {
                    format: "SNP TCB version",
                    field: "RESERVED",
                    offset: first.saturating_add(at),
                    fault: Fault::Reserved,
                })
            }
        }
    }
}

impl fmt::Debug for RawTcb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawTcb({:#018x})", self.0)
    }
}

/// Security patch levels by name. Each component is a number that only grows: a platform is at least as new as
/// another only if *every* component is, and so there is no order here, only [`TcbVersion::at_least`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TcbVersion {
    /// Firmware of the FMC (the first mutable code); only Turin and later have it.
    pub fmc: Option<u8>,
    /// The secure processor's boot loader.
    pub bootloader: u8,
    /// The secure processor's operating system.
    pub tee: u8,
    /// The SNP firmware.
    pub snp: u8,
    /// The lowest microcode patch level of all cores.
    pub microcode: u8,
}

impl TcbVersion {
    /// The bytes of a report in a layout; an FMC level that the layout cannot hold is left out.
    pub fn encode(self, layout: Layout) -> RawTcb {
        let Self { fmc, bootloader, tee, snp, microcode } = self;
        RawTcb(u64::from_le_bytes(match layout {
            Layout::Classic => [bootloader, tee, 0, 0, 0, 0, snp, microcode],
            Layout::Turin => [fmc.unwrap_or(0), bootloader, tee, snp, 0, 0, 0, microcode],
        }))
    }

    /// Whether every component is at least that of `minimum`. A minimum that names an FMC level is not met by a
    /// platform without one.
    pub fn at_least(&self, minimum: &Self) -> bool {
        let fmc = match (self.fmc, minimum.fmc) {
            (_, None) => true,
            (Some(own), Some(wanted)) => own >= wanted,
            (None, Some(_)) => false,
        };
        fmc && self.bootloader >= minimum.bootloader
            && self.tee >= minimum.tee
            && self.snp >= minimum.snp
            && self.microcode >= minimum.microcode
    }
}

impl fmt::Display for TcbVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(fmc) = self.fmc {
            write!(f, "fmc={fmc},")?;
        }
        let Self { bootloader, tee, snp, microcode, .. } = self;
        write!(f, "bootloader={bootloader},tee={tee},snp={snp},microcode={microcode}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_the_other_layout_are_refused() {
        // The Turin machine of a real report: FMC 1, boot loader 1, TEE 1, SNP 4, microcode 0x51.
        let turin = RawTcb(u64::from_le_bytes([1, 1, 1, 4, 0, 0, 0, 0x51]));
        assert_eq!(
            turin.decode(Layout::Turin).unwrap().to_string(),
            "fmc=1,bootloader=1,tee=1,snp=4,microcode=81"
        );
        assert_eq!(turin.decode(Layout::Classic).unwrap_err().offset, 2);
    }

    #[test]
    fn one_lower_component_is_too_old() {
        let minimum = TcbVersion { fmc: None, bootloader: 3, tee: 0, snp: 8, microcode: 115 };
        assert!(minimum.at_least(&minimum));
        assert!(!TcbVersion { microcode: 114, snp: 200, ..minimum }.at_least(&minimum));
        assert!(!minimum.at_least(&TcbVersion { fmc: Some(0), ..minimum }));
    }

    use alloc::string::ToString as _;
}
