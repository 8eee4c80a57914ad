// SPDX-License-Identifier: Apache-2.0

//! TPM 2.0: what a trusted platform module signs about its registers.
//!
//! A *quote* is a `TPMS_ATTEST` that an attestation key (AK) signed: it names platform configuration registers
//! (PCRs), the digest of their values, and 64 bytes or less that whoever asked had put in. Its values are sent
//! beside it. The documentation here names sections of the *Trusted Platform Module Library Specification, Part 2:
//! Structures*, revision 1.59 ("Part 2" below); numbers are big-endian there.
//!
//! Evidence of the format `tpm` is one deterministic CBOR map, see [`TpmEvidence`]; certificates of the attestation
//! key are endorsements like others.

mod algorithm;
mod attest;
mod evidence;
mod pcr;
mod public;
mod signature;
mod wire;

pub use algorithm::HashAlgorithm;
pub use attest::{Attest, ClockInfo};
pub use evidence::{AttestationKey, Quote, TpmEvidence};
pub use pcr::{PcrSelection, PcrValues};
pub use public::{Attributes, Curve, KeyScheme, Public, PublicId};
pub use signature::{RsaPadding, Signature};
