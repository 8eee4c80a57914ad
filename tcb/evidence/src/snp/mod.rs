// SPDX-License-Identifier: Apache-2.0

//! AMD SEV-SNP.
//!
//! Two documents say what these bytes mean, and the documentation here names their sections:
//!
//! - *SEV Secure Nested Paging Firmware ABI Specification*, publication 56860 ("56860" below): the attestation
//!   report, TCB versions, guest policy;
//! - *Versioned Chip Endorsement Key (VCEK) Certificate and KDS Interface Specification*, publication 57230
//!   ("57230"): the certificates of the keys that sign reports.
//!
//! The table of certificates that a hypervisor gives with a report is in publication 56421, *SEV-ES
//! Guest-Hypervisor Communication Block Standardization* ("GHCB").

pub mod cert;
mod cert_table;
mod flags;
mod product;
mod report;
mod tcb;

pub use cert_table::{CertTable, Guid};
pub use flags::{GuestPolicy, KeyInfo, PlatformInfo, SigningKey};
pub use product::{Cpuid, Generation, Product};
pub use report::{FirmwareVersion, Mitigations, Report, Signature, Version};
pub use tcb::{Layout, RawTcb, TcbVersion};
