// SPDX-License-Identifier: Apache-2.0

//! Intel SGX and TDX with Data Center Attestation Primitives (DCAP): quotes, the certificates of the platforms
//! that make them, and what Intel says about those platforms.
//!
//! The documentation here names sections of these documents:
//!
//! - *Intel SGX ECDSA Quote Library Reference*, appendix A ("SGX Quoting"): quotes of version 3;
//! - *Intel TDX DCAP Quoting Library API*, appendix A ("TDX Quoting"): quotes of versions 4 and 5, TD reports;
//! - *Intel 64 and IA-32 Architectures Software Developer's Manual*, volume 3D ("SDM"): SGX reports, attributes;
//! - *Intel TDX Module ABI Specification* ("TDX ABI"): attributes of a TD;
//! - *SGX PCK Certificate and Certificate Revocation List Profile Specification* ("PCK Profile");
//! - *API of the Provisioning Certification Service, version 4* ("PCS"): TCB info, enclave identities.
//!
//! A [`Quote`] is signed by an attestation key, which the quoting enclave made. The enclave's report names that
//! key and is signed by the platform's provisioning certification key (PCK), whose certificate says in its
//! [`PckExtensions`] which platform and which TCB it is. [`TcbInfo`] says what Intel thinks of such a TCB, and
//! [`EnclaveIdentity`] which quoting enclaves are Intel's.

mod attributes;
mod collateral;
mod enclave_identity;
mod family;
mod json;
mod pck;
mod quote;
mod report;
mod signature;
mod status;
mod tcb_info;
mod td_report;

pub use attributes::{MiscSelect, SeamAttributes, SgxAttributes, TdAttributes, Xfam};
pub use collateral::{Collateral, Signed};
pub use enclave_identity::{EnclaveId, EnclaveIdentity, EnclaveTcbLevel};
pub use family::Family;
pub use pck::{Configuration, PckExtensions, PckTcb, SgxType};
pub use quote::{Body, Header, Quote, QuoteVersion, TeeType};
pub use report::SgxReport;
pub use signature::{Certification, EncryptedPpid, QeCertification, QuoteSignature};
pub use status::TcbStatus;
pub use tcb_info::{TcbInfo, TcbInfoVersion, TcbLevel, TdxModule, TdxModuleIdentity};
pub use td_report::{TdReport, TdReportExtension};

/// Family, model, stepping, platform type and custom SKU: what tells one kind of platform from another.
pub type Fmspc = [u8; 6];
