// SPDX-License-Identifier: Apache-2.0

//! AWS Nitro Enclaves.
//!
//! What the bytes mean is in *Nitro Enclaves Attestation Process* (`docs/attestation_process.md` of
//! `aws-nitro-enclaves-nsm-api`, "AWS" below): an attestation document in CBOR, signed with COSE by a key whose
//! certificate, and the chain of its issuers, are inside the document.

mod claims;

use alloc::vec::Vec;

use crate::cose::Sign1;
use crate::{Fault, ParseError};

pub use claims::{Claims, Field, Pcr};

/// Limit of the claims in bytes (AWS, section 3.1).
const MAX_PAYLOAD: usize = 16384;

/// An unprotected header without parameters, as every document has it.
const EMPTY_MAP: &[u8] = &[0xa0];

/// An attestation document, parsed but not believed: as it was signed, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document<'a> {
    /// The document as it was signed.
    pub message: Sign1<'a>,
    /// What it says.
    pub claims: Claims,
}

impl<'a> Document<'a> {
    /// Reads one document and nothing after it.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        let message = Sign1::parse(bytes)?;
        let error =
            |field, fault| ParseError { format: "Nitro attestation document", field, offset: 0, fault };
        if message.unprotected != EMPTY_MAP {
            return Err(error("unprotected", Fault::Reserved));
        }
        if message.payload.len() > MAX_PAYLOAD {
            return Err(error("payload", Fault::TooLarge { limit: MAX_PAYLOAD }));
        }
        Ok(Self { message, claims: Claims::parse(message.payload)? })
    }

    /// The document as bytes; the inverse of [`Document::parse`]. The signed bytes are written, not the claims.
    pub fn encode(&self) -> Vec<u8> {
        self.message.encode()
    }
}
