// SPDX-License-Identifier: Apache-2.0

//! The bit fields of a report: what the guest's owner allowed, what the platform has switched on, and which key
//! signed.

use core::fmt;

use crate::{Fault, ParseError};

/// `POLICY`: what the guest was launched to allow (56860, section 4.3, guest policy).
///
/// Bits this crate does not know stay as they are; [`GuestPolicy::unknown`] tells, so that whoever decides can
/// refuse what it does not understand.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct GuestPolicy(pub u64);

impl GuestPolicy {
    const ALWAYS_ONE: u64 = 1 << 17;
    const KNOWN: u64 = 0x03ff_ffff;

    /// A policy that allows SMT and nothing else, for ABI version 0.0.
    pub const SMT_ONLY: Self = Self(Self::ALWAYS_ONE | 1 << 16);

    /// The least minor version of the firmware ABI that the guest needs.
    pub const fn abi_minor(self) -> u8 {
        self.0.to_le_bytes()[0]
    }

    /// The least major version of the firmware ABI that the guest needs.
    pub const fn abi_major(self) -> u8 {
        self.0.to_le_bytes()[1]
    }

    /// SMT may be active on the host.
    pub const fn smt(self) -> bool {
        self.bit(16)
    }

    /// The guest may be associated with a migration agent, which can move it and its memory elsewhere.
    pub const fn migrate_ma(self) -> bool {
        self.bit(18)
    }

    /// The host may read and write the guest's memory by debug commands.
    pub const fn debug(self) -> bool {
        self.bit(19)
    }

    /// The guest may run on one socket only.
    pub const fn single_socket(self) -> bool {
        self.bit(20)
    }

    /// CXL devices or memory may be populated.
    pub const fn cxl_allow(self) -> bool {
        self.bit(21)
    }

    /// Memory must be encrypted by AES-256-XTS.
    pub const fn mem_aes_256_xts(self) -> bool {
        self.bit(22)
    }

    /// Power reporting (RAPL) must be off, which closes a side channel.
    pub const fn rapl_dis(self) -> bool {
        self.bit(23)
    }

    /// Ciphertext hiding in DRAM must be on, which closes a side channel.
    pub const fn ciphertext_hiding(self) -> bool {
        self.bit(24)
    }

    /// The host may not swap the guest's pages by firmware commands.
    pub const fn page_swap_disable(self) -> bool {
        self.bit(25)
    }

    /// The bits that the specification reserves and that are nevertheless not as it prescribes.
    pub const fn unknown(self) -> u64 {
        (self.0 & !Self::KNOWN) | (!self.0 & Self::ALWAYS_ONE)
    }

    /// The same policy with debugging allowed or not.
    #[must_use]
    pub const fn with_debug(self, allowed: bool) -> Self {
        self.with(19, allowed)
    }

    /// The same policy with a migration agent allowed or not.
    #[must_use]
    pub const fn with_migrate_ma(self, allowed: bool) -> Self {
        self.with(18, allowed)
    }

    /// The same policy with SMT allowed or not.
    #[must_use]
    pub const fn with_smt(self, allowed: bool) -> Self {
        self.with(16, allowed)
    }

    const fn bit(self, number: u32) -> bool {
        self.0 >> number & 1 == 1
    }

    const fn with(self, number: u32, value: bool) -> Self {
        let bit = 1 << number;
        Self(if value { self.0 | bit } else { self.0 & !bit })
    }
}

impl fmt::Debug for GuestPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GuestPolicy({:#x})", self.0)
    }
}

/// `PLATFORM_INFO`: what is switched on in the host (56860, section 7.3, attestation report).
///
/// New firmware defines new bits without a new report version; unknown ones are information, not an error.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PlatformInfo(pub u64);

impl PlatformInfo {
    /// SMT is active.
    pub const fn smt(self) -> bool {
        self.bit(0)
    }

    /// All memory is encrypted (transparent SME).
    pub const fn tsme(self) -> bool {
        self.bit(1)
    }

    /// Memory has error correction.
    pub const fn ecc(self) -> bool {
        self.bit(2)
    }

    /// Power reporting (RAPL) is off.
    pub const fn rapl_disabled(self) -> bool {
        self.bit(3)
    }

    /// Ciphertext in DRAM is hidden from the host.
    pub const fn ciphertext_hiding(self) -> bool {
        self.bit(4)
    }

    /// The firmware checked, after the last reset, that no memory address is an alias of another.
    pub const fn alias_check_complete(self) -> bool {
        self.bit(5)
    }

    /// SEV-TIO, trusted devices, is active.
    pub const fn tio(self) -> bool {
        self.bit(7)
    }

    const fn bit(self, number: u32) -> bool {
        self.0 >> number & 1 == 1
    }
}

impl fmt::Debug for PlatformInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PlatformInfo({:#x})", self.0)
    }
}

/// Which key signed a report (`SIGNING_KEY`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SigningKey {
    /// The versioned chip endorsement key, derived from a secret of this one chip and its TCB version.
    Vcek,
    /// The versioned loaded endorsement key, which AMD gives to a cloud provider for many chips.
    Vlek,
    /// None: the host switched the chip key off, and the report proves nothing.
    None,
}

impl SigningKey {
    /// The name in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vcek => "vcek",
            Self::Vlek => "vlek",
            Self::None => "none",
        }
    }

    const fn bits(self) -> u32 {
        match self {
            Self::Vcek => 0,
            Self::Vlek => 1,
            Self::None => 7,
        }
    }
}

impl fmt::Display for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The flags at offset 48h: author key, masked chip key, signing key (56860, section 7.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyInfo {
    /// `AUTHOR_KEY_EN`: the digest of an author key is meaningful.
    pub author_key_en: bool,
    /// `MASK_CHIP_KEY`: the host told the firmware not to sign with the VCEK.
    pub mask_chip_key: bool,
    /// `SIGNING_KEY`.
    pub signing_key: SigningKey,
}

impl KeyInfo {
    pub(super) const OFFSET: usize = 0x48;

    pub(super) fn parse(word: u32) -> Result<Self, ParseError> {
        let error = |fault| {
            Err(ParseError {
                format: super::report::FORMAT,
                field: "SIGNING_KEY",
                offset: Self::OFFSET,
                fault,
            })
        };
        if word >> 5 != 0 {
            return error(Fault::Reserved);
        }
        let signing_key = match word >> 2 {
            0 => SigningKey::Vcek,
            1 => SigningKey::Vlek,
            7 => SigningKey::None,
            found => return error(Fault::Unsupported { found: u64::from(found) }),
        };
        Ok(Self { author_key_en: word & 1 == 1, mask_chip_key: word >> 1 & 1 == 1, signing_key })
    }

    pub(super) fn encode(self) -> u32 {
        u32::from(self.author_key_en) | u32::from(self.mask_chip_key) << 1 | self.signing_key.bits() << 2
    }
}
