// SPDX-License-Identifier: Apache-2.0

//! As much of CBOR Object Signing and Encryption (RFC 9052, algorithms in RFC 9053) as evidence uses: messages
//! with one signature, and public keys on elliptic curves.
//!
//! Nothing is verified here. What is signed is a structure around the protected header and the payload, both
//! exactly as they are encoded, so [`Sign1`] keeps the bytes of both.

mod key;

use alloc::vec::Vec;
use core::convert::Infallible;

use minicbor::Encoder;
use minicbor::data::Tag;

use crate::cbor::{Label, Reader};
use crate::{Fault, ParseError};

pub use key::EcKey;

const FORMAT: &str = "COSE_Sign1";
const TAG: u64 = 18;
const CONTEXT: &str = "Signature1";

/// Header parameters (RFC 9052, section 3.1).
const ALG: i64 = 1;
const CRIT: i64 = 2;
const KID: i64 = 4;
/// RFC 9360, section 2.
const X5CHAIN: i64 = 33;

/// An unprotected header without parameters.
const EMPTY_MAP: &[u8] = &[0xa0];

/// How a message is signed (RFC 9053, section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// ECDSA with SHA-256; over P-256 here.
    Es256,
    /// ECDSA with SHA-384; over P-384 here.
    Es384,
    /// `EdDSA`; Ed25519 here.
    EdDsa,
    /// Another one, by its number.
    Other(i64),
}

impl Algorithm {
    /// The number in the registry "COSE Algorithms".
    pub const fn number(self) -> i64 {
        match self {
            Self::Es256 => -7,
            Self::Es384 => -35,
            Self::EdDsa => -8,
            Self::Other(number) => number,
        }
    }

    /// The algorithm with a number.
    pub const fn from_number(number: i64) -> Self {
        match number {
            -7 => Self::Es256,
            -35 => Self::Es384,
            -8 => Self::EdDsa,
            other => Self::Other(other),
        }
    }

    /// A protected header that names the algorithm and nothing else.
    pub fn protected_header(self) -> Vec<u8> {
        written(|encoder| {
            encoder.map(1)?.i64(ALG)?.i64(self.number())?;
            Ok(())
        })
    }
}

impl core::fmt::Display for Algorithm {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Es256 => f.write_str("ES256"),
            Self::Es384 => f.write_str("ES384"),
            Self::EdDsa => f.write_str("EdDSA"),
            Self::Other(number) => write!(f, "COSE algorithm {number}"),
        }
    }
}

/// A message with one signature (RFC 9052, section 4.2): a view of its parts, each as it is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sign1<'a> {
    /// Whether CBOR tag 18 is in front.
    pub tagged: bool,
    /// The protected header: the contents of the byte string, a map in CBOR.
    pub protected: &'a [u8],
    /// The unprotected header: a map in CBOR. Nothing in it is signed.
    pub unprotected: &'a [u8],
    /// The contents of the payload. Detached ones do not occur in evidence.
    pub payload: &'a [u8],
    /// The signature, for ECDSA r and s one after the other in the length of the curve's order.
    pub signature: &'a [u8],
}

impl<'a> Sign1<'a> {
    /// Limit of each header in bytes. Genuine ones have four, with a certificate of the key below 2 KiB.
    pub const MAX_HEADER: usize = 8 * 1024;
    /// Limit of the payload in bytes.
    pub const MAX_PAYLOAD: usize = 64 * 1024;
    /// Limit of the signature in bytes; that of P-521 has 132.
    pub const MAX_SIGNATURE: usize = 256;
    /// Limit of the number of certificates in the unprotected header.
    pub const MAX_CERTIFICATES: usize = 8;
    /// Limit of the number of parameters of a header.
    const MAX_PARAMETERS: usize = 16;

    /// A message without an unprotected header, tagged.
    pub fn new(protected: &'a [u8], payload: &'a [u8], signature: &'a [u8]) -> Self {
        Self { tagged: true, protected, unprotected: EMPTY_MAP, payload, signature }
    }

    /// An unprotected header that names the key (RFC 9052, section 3.1).
    pub fn key_id_header(key_id: &[u8]) -> Vec<u8> {
        written(|encoder| {
            encoder.map(1)?.i64(KID)?.bytes(key_id)?;
            Ok(())
        })
    }

    /// Reads one message and nothing after it. The protected header has to name an algorithm and must not have
    /// critical parameters, since none is known here.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        let mut reader = Reader::new(FORMAT, bytes);
        let tag = reader.optional_tag("tag")?;
        if let Some(found) = tag.filter(|tag| *tag != TAG) {
            return Err(reader.error("tag", 0, Fault::Unsupported { found }));
        }
        let at = reader.offset();
        if reader.array("COSE_Sign1", 4)? != 4 {
            return Err(reader.error("COSE_Sign1", at, Fault::Malformed));
        }
        let message = Self {
            tagged: tag.is_some(),
            protected: reader.bytes("protected", Self::MAX_HEADER)?,
            unprotected: unprotected(&mut reader)?,
            payload: reader.bytes("payload", Self::MAX_PAYLOAD)?,
            signature: reader.bytes("signature", Self::MAX_SIGNATURE)?,
        };
        reader.finish()?;
        message.algorithm()?;
        Ok(message)
    }

    /// The message as bytes; the inverse of [`Sign1::parse`].
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = written(|encoder| {
            if self.tagged {
                encoder.tag(Tag::new(TAG))?;
            }
            encoder.array(4)?.bytes(self.protected)?;
            Ok(())
        });
        bytes.extend_from_slice(self.unprotected);
        bytes.extend(written(|encoder| {
            encoder.bytes(self.payload)?.bytes(self.signature)?;
            Ok(())
        }));
        bytes
    }

    /// The algorithm that the protected header names.
    pub fn algorithm(&self) -> Result<Algorithm, ParseError> {
        let mut reader = Reader::new("COSE protected header", self.protected);
        let mut entries = reader.map("header", Self::MAX_PARAMETERS)?;
        let mut algorithm = None;
        loop {
            let at = reader.offset();
            match reader.label(&mut entries, "label")? {
                None => break,
                Some(Label::Int(ALG)) => algorithm = Some(Algorithm::from_number(reader.int("alg")?)),
                Some(Label::Int(CRIT)) => {
                    return Err(reader.error("crit", at, Fault::Unsupported { found: 2 }));
                }
                Some(_) => {
                    reader.raw("parameter")?;
                }
            }
        }
        reader.finish()?;
        algorithm.ok_or_else(|| reader.missing("alg"))
    }

    /// The certificates in the unprotected header, DER: that of the signer first, then those of its issuers
    /// (RFC 9360, section 2). They say whose key it is only if somebody known issued them.
    pub fn certificates(&self) -> Result<Vec<&'a [u8]>, ParseError> {
        let mut reader = Reader::new("COSE unprotected header", self.unprotected);
        let mut entries = reader.map("header", Self::MAX_PARAMETERS)?;
        let mut certificates = Vec::new();
        while let Some(label) = reader.label(&mut entries, "label")? {
            if label != Label::Int(X5CHAIN) {
                reader.raw("parameter")?;
            } else if reader.is_array() {
                for _ in 0..reader.array("x5chain", Self::MAX_CERTIFICATES)? {
                    certificates.push(reader.bytes("x5chain", Self::MAX_HEADER)?);
                }
            } else {
                certificates.push(reader.bytes("x5chain", Self::MAX_HEADER)?);
            }
        }
        Ok(certificates)
    }

    /// An unprotected header with certificates, that of the signer first.
    pub fn certificates_header(certificates: &[Vec<u8>]) -> Vec<u8> {
        written(|encoder| {
            encoder.map(1)?.i64(X5CHAIN)?;
            // One alone stands for itself.
            if certificates.len() != 1 {
                encoder.array(certificates.len() as u64)?;
            }
            for certificate in certificates {
                encoder.bytes(certificate)?;
            }
            Ok(())
        })
    }

    /// The bytes that the signature is over: the `Sig_structure` (RFC 9052, section 4.4) without external data.
    pub fn to_be_signed(&self) -> Vec<u8> {
        to_be_signed(self.protected, self.payload)
    }
}

/// The bytes to sign for a message with this protected header and payload (RFC 9052, section 4.4).
pub fn to_be_signed(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    written(|encoder| {
        encoder.array(4)?.str(CONTEXT)?.bytes(protected)?.bytes(&[])?.bytes(payload)?;
        Ok(())
    })
}

/// The unprotected header. A parameter that has to be protected must not appear in it: whoever reads the message
/// by another library could take it for the signed one (RFC 9052, section 3).
fn unprotected<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], ParseError> {
    let start = reader.clone();
    let mut entries = reader.map("unprotected", Sign1::MAX_PARAMETERS)?;
    loop {
        let at = reader.offset();
        match reader.label(&mut entries, "unprotected")? {
            None => break,
            Some(Label::Int(ALG | CRIT)) => return Err(reader.error("unprotected", at, Fault::Duplicate)),
            Some(_) => {
                reader.raw("unprotected")?;
            }
        }
    }
    let raw = start.clone().raw("unprotected")?;
    if raw.len() > Sign1::MAX_HEADER {
        let fault = Fault::TooLarge { limit: Sign1::MAX_HEADER };
        return Err(reader.error("unprotected", start.offset(), fault));
    }
    Ok(raw)
}

/// What an encoder writes into a vector, which takes every byte.
pub(crate) fn written(
    write: impl FnOnce(&mut Encoder<Vec<u8>>) -> Result<(), minicbor::encode::Error<Infallible>>,
) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    let result = write(&mut encoder);
    debug_assert!(result.is_ok(), "a vector takes every byte");
    encoder.into_writer()
}
