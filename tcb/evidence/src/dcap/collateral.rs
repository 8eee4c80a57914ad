// SPDX-License-Identifier: Apache-2.0

//! Signed collateral as Intel's service serves it (PCS, appendix A): `{"tcbInfo":{…},"signature":"…"}`.
//!
//! The signature is over the exact bytes of the inner object, which are therefore kept and never written anew.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::enclave_identity::EnclaveIdentity;
use super::json::{self, Hex};
use super::tcb_info::TcbInfo;
use crate::{Fault, ParseError};

const FORMAT: &str = "signed collateral";

/// A signed document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Collateral<'a> {
    /// What Intel thinks of the TCBs of a kind of platform.
    TcbInfo(Signed<'a, TcbInfo>),
    /// Which enclave is Intel's.
    EnclaveIdentity(Signed<'a, EnclaveIdentity>),
}

/// A document and its signature, which nobody verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed<'a, T> {
    /// What the document says.
    pub content: T,
    /// The bytes that are signed.
    pub signed: &'a [u8],
    /// The ECDSA signature by the TCB signing key, on P-256 with SHA-256: r and s, big-endian.
    pub signature: [u8; 64],
}

impl<'a> Collateral<'a> {
    /// Whether bytes look like a JSON object, and so can be neither DER nor PEM.
    pub fn looks_like(bytes: &[u8]) -> bool {
        bytes.trim_ascii_start().first() == Some(&b'{')
    }

    /// Reads a signed document of either kind.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "camelCase")]
        struct Outer<'a> {
            #[serde(borrow, default)]
            tcb_info: Option<&'a RawValue>,
            #[serde(borrow, default)]
            enclave_identity: Option<&'a RawValue>,
            signature: Hex<64>,
        }

        let outer = json::from_slice::<Outer<'a>>(FORMAT, bytes)?;
        let signature = outer.signature.0;
        match (outer.tcb_info, outer.enclave_identity) {
            (Some(info), None) => {
                let signed = info.get().as_bytes();
                Ok(Self::TcbInfo(Signed { content: TcbInfo::parse(signed)?, signed, signature }))
            }
            (None, Some(identity)) => {
                let signed = identity.get().as_bytes();
                let content = EnclaveIdentity::parse(signed)?;
                Ok(Self::EnclaveIdentity(Signed { content, signed, signature }))
            }
            _ => Err(ParseError { format: FORMAT, field: "content", offset: 0, fault: Fault::Malformed }),
        }
    }

    /// The document as it is served; [`Collateral::parse`] reads it back.
    pub fn encode(&self) -> Vec<u8> {
        let (name, signed, signature) = match self {
            Self::TcbInfo(info) => ("tcbInfo", info.signed, &info.signature),
            Self::EnclaveIdentity(identity) => ("enclaveIdentity", identity.signed, &identity.signature),
        };
        let mut digits = String::new();
        for byte in signature {
            // Writing to a string cannot fail.
            let _ = write!(digits, "{byte:02x}");
        }
        let parts: [&[u8]; 7] =
            [b"{\"", name.as_bytes(), b"\":", signed, b",\"signature\":\"", digits.as_bytes(), b"\"}"];
        parts.concat()
    }
}
