// SPDX-License-Identifier: Apache-2.0

//! Evidence of the format `tpm`: one deterministic CBOR map (RFC 8949, section 4.2.1).
//!
//! ```text
//! evidence = { 0: quote, ? 1: TPMT_PUBLIC (byte string), ? 2: SubjectPublicKeyInfo (byte string) }
//! quote    = { 0: TPMS_ATTEST (byte string), 1: TPMT_SIGNATURE (byte string), 2: values }
//! values   = { * TPM_ALG_ID of a bank (unsigned): { * register (unsigned): value (byte string) } }
//! ```
//!
//! The attestation key is 1, 2, or neither where a certificate of it is among the endorsements.

use alloc::vec::Vec;

use minicbor::Encoder;

use super::{Attest, PcrValues, Public, Signature};
use crate::cbor::{Label, Reader, Written};
use crate::cose::written;
use crate::{Fault, ParseError};

const FORMAT: &str = "TPM evidence";

const KEY_QUOTE: Label<'_> = Label::Int(0);
const KEY_PUBLIC: Label<'_> = Label::Int(1);
const KEY_SPKI: Label<'_> = Label::Int(2);

const KEY_ATTEST: Label<'_> = Label::Int(0);
const KEY_SIGNATURE: Label<'_> = Label::Int(1);
const KEY_VALUES: Label<'_> = Label::Int(2);

/// Limit of a structure of a TPM, or of a key, in bytes.
const MAX_STRUCTURE: usize = 2048;

/// A quote with its signature, and the values of registers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// What is signed.
    pub attest: Attest,
    /// By the attestation key.
    pub signature: Signature,
    /// What the digest in the quote is over; may be empty, and more than the quote selects.
    pub values: PcrValues,
}

impl Quote {
    /// A quote of its parts as a TPM gave them out: `TPMS_ATTEST` and `TPMT_SIGNATURE`.
    pub fn of(attest: &[u8], signature: &[u8], values: PcrValues) -> Result<Self, ParseError> {
        Ok(Self { attest: Attest::parse(attest)?, signature: Signature::parse(signature)?, values })
    }

    pub(crate) fn encode(&self, encoder: &mut Encoder<Vec<u8>>) -> Written {
        encoder.map(3)?;
        encoder.u8(0)?.bytes(&self.attest.encode())?;
        encoder.u8(1)?.bytes(&self.signature.encode())?;
        encoder.u8(2)?;
        self.values.encode(encoder)
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        let mut entries = reader.map("quote", 3)?;
        let (mut attest, mut signature, mut values) = (None, None, None);
        let mut at = reader.offset();
        while let Some(label) = reader.label(&mut entries, "quote")? {
            match label {
                KEY_ATTEST => attest = Some(reader.bytes("attest", MAX_STRUCTURE)?),
                KEY_SIGNATURE => signature = Some(reader.bytes("signature", MAX_STRUCTURE)?),
                KEY_VALUES => values = Some(PcrValues::read(reader)?),
                _ => return Err(reader.error("quote", at, Fault::Malformed)),
            }
            at = reader.offset();
        }
        let attest = attest.ok_or_else(|| reader.missing("attest"))?;
        let signature = signature.ok_or_else(|| reader.missing("signature"))?;
        Self::of(attest, signature, values.ok_or_else(|| reader.missing("values"))?)
    }
}

/// An attestation key that is sent along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttestationKey {
    /// As the TPM describes it, with its attributes.
    Public(Public),
    /// The key alone: a DER `SubjectPublicKeyInfo`.
    Spki(Vec<u8>),
}

/// Evidence of the format `tpm`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TpmEvidence {
    /// The quote.
    pub quote: Quote,
    /// Whose it is, if it is said.
    pub key: Option<AttestationKey>,
}

impl TpmEvidence {
    /// The evidence as bytes.
    pub fn encode(&self) -> Vec<u8> {
        written(|encoder| {
            encoder.map(if self.key.is_some() { 2 } else { 1 })?.u8(0)?;
            self.quote.encode(encoder)?;
            match &self.key {
                Some(AttestationKey::Public(public)) => encoder.u8(1)?.bytes(&public.encode())?,
                Some(AttestationKey::Spki(spki)) => encoder.u8(2)?.bytes(spki)?,
                None => encoder,
            };
            Ok(())
        })
    }

    /// Reads evidence; the inverse of [`TpmEvidence::encode`], and of nothing else.
    pub fn decode(bytes: &[u8]) -> Result<Self, ParseError> {
        let mut reader = Reader::new(FORMAT, bytes);
        let mut entries = reader.map("evidence", 2)?;
        let (mut quote, mut key) = (None, None);
        let mut at = reader.offset();
        while let Some(label) = reader.label(&mut entries, "evidence")? {
            match label {
                KEY_QUOTE => quote = Some(Quote::read(&mut reader)?),
                KEY_PUBLIC if key.is_none() => {
                    let public = reader.bytes("TPMT_PUBLIC", MAX_STRUCTURE)?;
                    key = Some(AttestationKey::Public(Public::parse(public)?));
                }
                KEY_SPKI if key.is_none() => {
                    let spki = reader.bytes("SubjectPublicKeyInfo", MAX_STRUCTURE)?;
                    key = Some(AttestationKey::Spki(spki.to_vec()));
                }
                _ => return Err(reader.error("evidence", at, Fault::Malformed)),
            }
            at = reader.offset();
        }
        let evidence = Self { quote: quote.ok_or_else(|| reader.missing("quote"))?, key };
        reader.finish_as(bytes, &evidence.encode())?;
        Ok(evidence)
    }
}
