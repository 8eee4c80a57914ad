// SPDX-License-Identifier: Apache-2.0

//! Evidence formats of trusted execution environments: parsers, encoders, claims.
//!
//! Everything in here is bytes that somebody else chose: a host hands over evidence together with the
//! endorsements it collected, and nothing about either is believed before `enarx-verifier` has verified it.
//! This crate therefore only answers "what do these bytes say?" and never "is it true?". It parses without
//! panics, without allocations of a size that the input chooses beyond stated limits, and refuses what a
//! specification reserves, so that one meaning has one encoding: `parse(encode(x)) == x` and, for what parses,
//! `encode(parse(bytes)) == bytes`.
//!
//! - [`Bundle`]: what travels from a host to a relying party, for every format;
//! - [`snp`]: AMD SEV-SNP attestation reports, TCB versions, certificate extensions, certificate table;
//! - [`dcap`]: Intel SGX and TDX quotes, PCK certificate extensions, TCB info and enclave identities;
//! - [`cca`]: Arm CCA attestation tokens;
//! - [`nitro`]: attestation documents of AWS Nitro Enclaves;
//! - [`cose`]: as much of COSE as the last two use;
//! - [`cmw`]: wrappers in which other protocols carry evidence and results;
//! - [`tpm`]: TPM 2.0 quotes, signatures, attestation keys, values of registers;
//! - [`azure`]: what a confidential virtual machine of Azure has beside its TPM quote;
//! - [`nvgpu`]: measurements of NVIDIA GPUs and switches;
//! - [`endorsement`]: what vendors say about their hardware, recognised by its content;
//! - [`x509`]: as much of X.509 certificates and revocation lists as vendors' endorsements use.
#![no_std]

extern crate alloc;

pub mod azure;
mod bundle;
mod cbor;
pub mod cca;
pub mod cmw;
pub mod cose;
mod cursor;
pub mod dcap;
pub mod endorsement;
mod error;
pub mod nitro;
pub mod nvgpu;
pub mod snp;
pub mod tpm;
pub mod x509;

pub use bundle::{Bundle, Endorsements, Evidence, Format};
pub use error::{Fault, ParseError};
