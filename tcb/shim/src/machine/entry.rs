// SPDX-License-Identifier: Apache-2.0

//! How a launch and the image agree on where things are, before anything is said: the registers at entry and the note
//! of the image. All of it is measured, so none of it is the host's word.

use core::ops::Range;

/// The value of ESI at entry that makes the image a guest of SEV-SNP: "SNP1". It stands in the initial register state,
/// which the firmware measures.
pub const SNP: u32 = 0x534e_5031;
/// The same for TDX: "TDX1". The image ends there.
pub const TDX: u32 = 0x5444_5831;

/// The owner of our notes in the image's ELF file; the name in the note ends with a zero byte.
pub const NOTE_OWNER: &str = "Enarx";
/// The type of the note that says where the pages are that only a launch under SEV-SNP has. Its value is four 32-bit
/// little-endian physical addresses, each a multiple of 4096: the CPUID page, the secrets page, and begin and end of
/// [`SnpPages::host`].
pub const NOTE_SNP_PAGES: u32 = 1;

/// What the image is to be a guest of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A virtual machine that its host can look into. PVH leaves ESI open, so every value that is not one of ours means
    /// this.
    Plain,
    /// A guest of SEV-SNP.
    Snp,
    /// A guest of TDX.
    Tdx,
}

impl Kind {
    /// What the value of ESI at entry says.
    pub const fn of(esi: u32) -> Self {
        match esi {
            SNP => Self::Snp,
            TDX => Self::Tdx,
            _ => Self::Plain,
        }
    }
}

/// Physical addresses of pages that are no part of the image's segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnpPages {
    /// The page that the firmware fills with its view of CPUID (56860, 8.17: page type CPUID).
    pub cpuid: u32,
    /// The page that the firmware fills with keys (page type SECRETS).
    pub secrets: u32,
    /// What the host writes start info, memory map and launch text into: pages whose contents are not measured (page
    /// type UNMEASURED), so that the measurement does not depend on the size of memory.
    pub host: Range<u32>,
}

/// Where they are in our image. Below 1 MiB there is no other memory that a Keep uses.
pub const SNP_PAGES: SnpPages = SnpPages { cpuid: 0x4000, secrets: 0x5000, host: 0x1000..0x4000 };

impl SnpPages {
    /// Whether the host may have written all of this range.
    pub fn are_the_hosts(&self, range: &Range<u64>) -> bool {
        u64::from(self.host.start) <= range.start && range.end <= u64::from(self.host.end)
    }
}
