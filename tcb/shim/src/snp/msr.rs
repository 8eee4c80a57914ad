// SPDX-License-Identifier: Apache-2.0

//! The GHCB MSR protocol (56421, section 2.3.1): what a guest and its hypervisor can say in one register, before there
//! is a page that both see. The lower 12 bits say what it is, the upper 52 are about.

use super::Frame;

/// The register.
pub const GHCB: u32 = 0xc001_0130;
/// The version of the GHCB protocol that is spoken here, the first for SEV-SNP.
pub const VERSION: u16 = 2;
/// Asks which versions the hypervisor speaks.
pub const SEV_INFORMATION: u64 = 0x002;
/// Asks what the hypervisor can do.
pub const FEATURES: u64 = 0x080;
/// The reason set of our own reasons: the code is an [`Ending`](crate::machine::Ending).
pub const OURS: u8 = 1;

const SEV_INFORMATION_REPLY: u64 = 0x001;
const REGISTER: u64 = 0x012;
const REGISTER_REPLY: u64 = 0x013;
const PAGE_STATE: u64 = 0x014;
const PAGE_STATE_REPLY: u64 = 0x015;
const FEATURES_REPLY: u64 = 0x081;
const TERMINATE: u64 = 0x100;
const FEATURE_SNP: u64 = 1;

/// What a page is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum PageState {
    /// The guest's alone.
    Private = 1,
    /// Seen by both.
    Shared = 2,
}

/// A reply that ends the Keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MsrError {
    /// The reply to something else, or bits that must be zero.
    #[error("the hypervisor answered a request of the GHCB MSR protocol with {found:#x}")]
    Reply {
        /// The register.
        found: u64,
    },
    /// Version 2 is not among those that the hypervisor speaks.
    #[error("the hypervisor speaks versions {min} to {max} of the GHCB protocol, and not {VERSION}")]
    Version {
        /// The lowest.
        min: u16,
        /// The highest.
        max: u16,
    },
    /// The hypervisor names another bit than the CPUID page, which is not its own.
    #[error("the hypervisor says that bit {found} marks private memory; it is bit {expected}")]
    PrivateBit {
        /// What it says.
        found: u8,
        /// What the CPUID page says.
        expected: u8,
    },
    /// The hypervisor does not know of SEV-SNP.
    #[error("the hypervisor does not support SEV-SNP")]
    Unsupported,
    /// The hypervisor does not take the page for the GHCB.
    #[error("the hypervisor refused the page for the GHCB")]
    Refused,
    /// The hypervisor did not change the page.
    #[error("the hypervisor did not change a page: error {code}")]
    Unchanged {
        /// Its code.
        code: u32,
    },
}

/// Checks the reply to [`SEV_INFORMATION`]: maximum version at bit 48, minimum at 32, the bit that marks private memory at 24.
pub fn check_sev_information(reply: u64, private_bit: u8) -> Result<(), MsrError> {
    let [b0, b1, b2, found, min0, min1, max0, max1] = reply.to_le_bytes();
    if u64::from(u32::from_le_bytes([b0, b1, b2, 0])) != SEV_INFORMATION_REPLY {
        return Err(MsrError::Reply { found: reply });
    }
    let (min, max) = (u16::from_le_bytes([min0, min1]), u16::from_le_bytes([max0, max1]));
    if !(min..=max).contains(&VERSION) {
        return Err(MsrError::Version { min, max });
    }
    if found != private_bit {
        return Err(MsrError::PrivateBit { found, expected: private_bit });
    }
    Ok(())
}

/// Checks the reply to [`FEATURES`].
pub fn check_features(reply: u64) -> Result<(), MsrError> {
    if reply & 0xfff != FEATURES_REPLY {
        return Err(MsrError::Reply { found: reply });
    }
    if (reply >> 12) & FEATURE_SNP == 0 {
        return Err(MsrError::Unsupported);
    }
    Ok(())
}

/// Asks to use a page as the GHCB.
pub const fn register(page: Frame) -> u64 {
    page.address() | REGISTER
}

/// Checks the reply to [`register`]: the same page, or all ones.
pub fn check_registered(reply: u64, page: Frame) -> Result<(), MsrError> {
    if reply == page.address() | REGISTER_REPLY {
        return Ok(());
    }
    let refused = u64::MAX << 12 | REGISTER_REPLY;
    Err(if reply == refused { MsrError::Refused } else { MsrError::Reply { found: reply } })
}

/// Asks to change one page of 4 KiB: its address at bit 12, the state at 52.
pub const fn page_state(page: Frame, state: PageState) -> u64 {
    page.address() | (state as u64) << 52 | PAGE_STATE
}

/// Checks the reply to [`page_state`]: an error code at bit 32, zeros below.
pub fn check_page_state(reply: u64) -> Result<(), MsrError> {
    let [b0, b1, b2, b3, code @ ..] = reply.to_le_bytes();
    if u64::from(u32::from_le_bytes([b0, b1, b2, b3])) != PAGE_STATE_REPLY {
        return Err(MsrError::Reply { found: reply });
    }
    match u32::from_le_bytes(code) {
        0 => Ok(()),
        code => Err(MsrError::Unchanged { code }),
    }
}

/// Ends the guest: the set of reasons at bit 12, of which 16 can be, and the reason at bit 16.
pub const fn terminate(set: u8, reason: u8) -> u64 {
    TERMINATE | (set as u64 & 0xf) << 12 | (reason as u64) << 16
}
