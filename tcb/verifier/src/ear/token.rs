// SPDX-License-Identifier: Apache-2.0

//! Signed tokens: JSON Web Tokens (RFC 7519) and CBOR Web Tokens (RFC 8392).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use enarx_evidence::cmw::{Cmw, Indicator, Kind, Record};
use enarx_evidence::cose::{Algorithm, Sign1, to_be_signed};
use serde::Serialize;

use super::{Ear, PROFILE, encode};

/// The key of a verifier, wherever it is kept.
pub trait Signer {
    /// How the key signs: ES256 over P-256, ES384 over P-384, or `EdDSA` by Ed25519.
    fn algorithm(&self) -> Algorithm;

    /// What relying parties find the key by.
    fn key_id(&self) -> Option<&[u8]> {
        None
    }

    /// Signs a message. The signature of ECDSA is r and s, big-endian, each as long as the curve's order.
    fn sign(&mut self, message: &[u8]) -> Result<Vec<u8>, SigningFailed>;
}

/// The key could not sign, or signs by an algorithm that tokens do not have here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the result could not be signed")]
pub struct SigningFailed;

/// The header of a JSON web token (RFC 7515, section 4.1).
#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    /// RFC 9782, section 3: the media type is `application/eat+jwt`.
    typ: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
}

impl Ear {
    /// The result as a JSON web token in compact form.
    pub fn to_jwt(&self, signer: &mut dyn Signer) -> Result<String, SigningFailed> {
        let alg = match signer.algorithm() {
            Algorithm::Es256 => "ES256",
            Algorithm::Es384 => "ES384",
            Algorithm::EdDsa => "EdDSA",
            Algorithm::Other(_) => return Err(SigningFailed),
        };
        // In JSON a key is named by text.
        let kid = signer.key_id().map(Base64UrlUnpadded::encode_string);
        let header = Header { alg, typ: "eat+jwt", kid: kid.as_deref() };
        let part = |json: Result<Vec<u8>, serde_json::Error>| {
            json.map(|json| Base64UrlUnpadded::encode_string(&json)).map_err(|_| SigningFailed)
        };
        let (header, claims) = (part(serde_json::to_vec(&header))?, part(serde_json::to_vec(self))?);
        let message = format!("{header}.{claims}");
        let signature = signer.sign(message.as_bytes())?;
        Ok(format!("{message}.{}", Base64UrlUnpadded::encode_string(&signature)))
    }

    /// The result as a CBOR web token: a tagged `COSE_Sign1`.
    pub fn to_cwt(&self, signer: &mut dyn Signer) -> Result<Vec<u8>, SigningFailed> {
        let algorithm = signer.algorithm();
        if matches!(algorithm, Algorithm::Other(_)) {
            return Err(SigningFailed);
        }
        let (protected, payload) = (algorithm.protected_header(), encode::cbor(self));
        let signature = signer.sign(&to_be_signed(&protected, &payload))?;
        let key_id = signer.key_id().map(Sign1::key_id_header);
        let mut token = Sign1::new(&protected, &payload, &signature);
        if let Some(key_id) = &key_id {
            token.unprotected = key_id;
        }
        Ok(token.encode())
    }
}

/// A JSON web token as a conceptual message.
pub fn wrap_jwt(token: &str) -> Cmw {
    wrap("application/eat+jwt", token.as_bytes())
}

/// A CBOR web token as a conceptual message.
pub fn wrap_cwt(token: &[u8]) -> Cmw {
    wrap("application/eat+cwt", token)
}

/// A media type without its profile would say no more than that it is a token (RFC 9782, section 3.1).
fn wrap(media_type: &str, token: &[u8]) -> Cmw {
    Cmw::Record(Record {
        kind: Kind::MediaType(format!("{media_type}; eat_profile=\"{PROFILE}\"")),
        value: token.to_vec(),
        indicator: Some(Indicator::ATTESTATION_RESULTS),
    })
}
