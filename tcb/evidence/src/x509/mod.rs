// SPDX-License-Identifier: Apache-2.0

//! As much of X.509 (RFC 5280) as vendors of trusted execution environments use for their endorsements.
//!
//! [`Certificate`] and [`RevocationList`] are borrowed views of DER: nothing is copied, and the bytes that are
//! signed are the bytes that are read. Nothing is verified here. [`documents`] takes an endorsement apart, which
//! may be DER, the same in hexadecimal digits, or PEM.

mod algorithm;
mod certificate;
pub(crate) mod der;
mod document;
mod extension;
mod key;
mod revocation;
mod spki;

pub use algorithm::{EcdsaSignature, SignatureAlgorithm};
pub use certificate::Certificate;
pub use document::{Document, documents};
pub use extension::{BasicConstraints, Extension, Extensions, KeyUsage};
pub use key::PublicKey;
pub use revocation::RevocationList;
