// SPDX-License-Identifier: Apache-2.0

//! Endorsements of every vendor, recognised by their content.
//!
//! An item of [`crate::Endorsements`] is a certificate or a revocation list in DER, or the same as hexadecimal
//! digits, or any number of them in PEM, or one signed JSON document of Intel's, or one
//! reference integrity manifest of NVIDIA's. [`documents`] takes an item
//! apart, and [`Document::parse`] reads what it found.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use crate::dcap::{Collateral, EnclaveIdentity, Signed, TcbInfo};
use crate::nvgpu::Rim;
use crate::{ParseError, x509};

/// One document of an endorsement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document<'a> {
    /// A certificate.
    Certificate(x509::Certificate<'a>),
    /// A revocation list.
    RevocationList(x509::RevocationList<'a>),
    /// What Intel thinks of the TCBs of a kind of platform.
    TcbInfo(Box<Signed<'a, TcbInfo>>),
    /// Which enclave is Intel's.
    EnclaveIdentity(Box<Signed<'a, EnclaveIdentity>>),
    /// What the measurements of a driver or VBIOS of NVIDIA's should be.
    ReferenceManifest(Box<Rim>),
}

impl<'a> Document<'a> {
    /// Reads a document of any kind.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        if Collateral::looks_like(bytes) {
            return Ok(match Collateral::parse(bytes)? {
                Collateral::TcbInfo(info) => Self::TcbInfo(Box::new(info)),
                Collateral::EnclaveIdentity(identity) => Self::EnclaveIdentity(Box::new(identity)),
            });
        }
        if Rim::looks_like(bytes) {
            return Rim::parse(bytes).map(|rim| Self::ReferenceManifest(Box::new(rim)));
        }
        Ok(match x509::Document::parse(bytes)? {
            x509::Document::Certificate(certificate) => Self::Certificate(certificate),
            x509::Document::RevocationList(list) => Self::RevocationList(list),
        })
    }
}

/// The documents in an endorsement, at most `limit`: each is DER, JSON or XML.
pub fn documents(endorsement: &[u8], limit: usize) -> Result<Vec<Cow<'_, [u8]>>, ParseError> {
    if Collateral::looks_like(endorsement) || Rim::looks_like(endorsement) {
        Ok(vec![Cow::Borrowed(endorsement)])
    } else {
        x509::documents(endorsement, limit)
    }
}
