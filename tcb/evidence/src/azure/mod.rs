// SPDX-License-Identifier: Apache-2.0

//! Confidential virtual machines of Azure, on AMD SEV-SNP or Intel TDX.
//!
//! There a paravisor stands between the guest and the hardware: code of Azure's inside the protected machine, at
//! a higher privilege than the guest. It asks the hardware for a report whose report data is the digest of a JSON
//! text, and puts the keys of the guest's virtual TPM into that text. So the hardware vouches for the paravisor and
//! for the TPM's attestation key, and that key signs quotes about what the guest booted.
//!
//! The report with its text is the *HCL report* (host compatibility layer), which the guest reads from index
//! `0x0140_0001` of its TPM; Azure documents it under "Guest attestation for confidential VMs", the sources of
//! `openvmm` have its layout. On TDX it holds a `TDREPORT`, which only the processor that made it can check: the quote of
//! the same machine is fetched apart and must agree with it.

mod evidence;
mod hcl;
mod runtime;
mod td_report;

pub use evidence::AzureEvidence;
pub use hcl::{HardwareReport, HclReport, HclVersion};
pub use runtime::{Jwk, RuntimeData, VmConfiguration};
pub use td_report::TdReport;
