// SPDX-License-Identifier: Apache-2.0

//! `COSE_Key` of kind EC2 (RFC 9052, section 7; RFC 9053, section 7.1.1), and the same keys as others write them.

use alloc::vec;
use alloc::vec::Vec;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde::Deserialize;

use super::written;
use crate::cbor::{Label, Reader};
use crate::{Fault, ParseError};

const FORMAT: &str = "COSE_Key";

const KTY: i64 = 1;
const CRV: i64 = -1;
const X: i64 = -2;
const Y: i64 = -3;

const EC2: u64 = 2;
const P256: u64 = 1;
const P384: u64 = 2;

/// Limit of the number of parameters of a key; four are needed.
const MAX_PARAMETERS: usize = 16;
/// Limit of a JSON Web Key in bytes; the four members that are needed have below 200.
const MAX_JWK: usize = 4096;
/// The first byte of an uncompressed point (SEC 1, section 2.3.3).
const UNCOMPRESSED: u8 = 0x04;

/// `SubjectPublicKeyInfo` up to the point (RFC 5480, section 2), in DER.
const SPKI_P256: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
const SPKI_P384: &[u8] = &[
    0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81,
    0x04, 0x00, 0x22, 0x03, 0x62, 0x00,
];

/// A public key on an elliptic curve: an uncompressed point (04h, x, y), not checked to be on the curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EcKey {
    /// On P-256.
    P256([u8; 65]),
    /// On P-384.
    P384([u8; 97]),
}

impl EcKey {
    /// Reads a `COSE_Key` and nothing after it. Parameters other than curve and point are not looked at.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let mut reader = Reader::new(FORMAT, bytes);
        let mut entries = reader.map("COSE_Key", MAX_PARAMETERS)?;
        let (mut kty, mut crv, mut x, mut y) = (None, None, None, None);
        while let Some(label) = reader.label(&mut entries, "label")? {
            match label {
                Label::Int(KTY) => kty = Some(known(&mut reader, "kty", &[EC2])?),
                Label::Int(CRV) => crv = Some(known(&mut reader, "crv", &[P256, P384])?),
                Label::Int(X) => x = Some(reader.bytes("x", 48)?),
                // A compressed point has a boolean here.
                Label::Int(Y) => y = Some(reader.bytes("y", 48)?),
                _ => {
                    reader.raw("parameter")?;
                }
            }
        }
        reader.finish()?;
        kty.ok_or_else(|| reader.missing("kty"))?;
        let crv = crv.ok_or_else(|| reader.missing("crv"))?;
        let (x, y) = (x.ok_or_else(|| reader.missing("x"))?, y.ok_or_else(|| reader.missing("y"))?);
        let malformed = reader.error("x", 0, Fault::Malformed);
        let len = if crv == P256 { 32 } else { 48 };
        if x.len() != len || y.len() != len {
            return Err(malformed);
        }
        Self::from_point(&[&[UNCOMPRESSED], x, y].concat()).ok_or(malformed)
    }

    /// The key as a `COSE_Key` of curve and point, parameters in the order of the specification.
    pub fn encode(&self) -> Vec<u8> {
        let crv = match self {
            Self::P256(_) => P256,
            Self::P384(_) => P384,
        };
        let (x, y) = self.coordinates();
        written(|encoder| {
            encoder.map(4)?.i64(KTY)?.u64(EC2)?.i64(CRV)?.u64(crv)?;
            encoder.i64(X)?.bytes(x)?.i64(Y)?.bytes(y)?;
            Ok(())
        })
    }

    /// The key with an uncompressed point, by whose length the curve is told.
    pub fn from_point(point: &[u8]) -> Option<Self> {
        if point.first() != Some(&UNCOMPRESSED) {
            return None;
        }
        match point.len() {
            65 => point.try_into().ok().map(Self::P256),
            97 => point.try_into().ok().map(Self::P384),
            _ => None,
        }
    }

    /// Reads a `SubjectPublicKeyInfo` in DER and nothing after it; the inverse of [`EcKey::spki`]. `None` if it
    /// is that of another kind of key.
    pub fn from_spki(der: &[u8]) -> Option<Self> {
        let point = der.strip_prefix(SPKI_P256).or_else(|| der.strip_prefix(SPKI_P384))?;
        Self::from_point(point).filter(|key| key.spki() == der)
    }

    /// Reads a JSON Web Key of kind EC (RFC 7517; RFC 7518, section 6.2.1), which is the same key in JSON. Members
    /// other than curve and point are not looked at.
    pub fn from_jwk(json: &[u8]) -> Result<Self, ParseError> {
        let error = |field, fault| ParseError { format: "JSON Web Key", field, offset: 0, fault };
        if json.len() > MAX_JWK {
            return Err(error("JSON", Fault::TooLarge { limit: MAX_JWK }));
        }
        let key = serde_json::from_slice::<Jwk<'_>>(json).map_err(|_| error("JSON", Fault::Malformed))?;
        if key.kty != "EC" {
            return Err(error("kty", Fault::Malformed));
        }
        let len = match key.crv {
            "P-256" => 32,
            "P-384" => 48,
            _ => return Err(error("crv", Fault::Malformed)),
        };
        let mut point = vec![UNCOMPRESSED];
        for (field, text) in [("x", key.x), ("y", key.y)] {
            let number = Base64UrlUnpadded::decode_vec(text).ok().filter(|number| number.len() == len);
            point.extend(number.ok_or_else(|| error(field, Fault::Malformed))?);
        }
        Self::from_point(&point).ok_or_else(|| error("x", Fault::Malformed))
    }

    /// The uncompressed point: 04h, x, y.
    pub fn point(&self) -> &[u8] {
        match self {
            Self::P256(point) => point,
            Self::P384(point) => point,
        }
    }

    /// The key as X.509 has it, a `SubjectPublicKeyInfo` in DER, by whose digest keys are named.
    pub fn spki(&self) -> Vec<u8> {
        match self {
            Self::P256(point) => [SPKI_P256, point.as_slice()].concat(),
            Self::P384(point) => [SPKI_P384, point.as_slice()].concat(),
        }
    }

    fn coordinates(&self) -> (&[u8], &[u8]) {
        let both = self.point().get(1..).unwrap_or_default();
        both.split_at_checked(both.len() / 2).unwrap_or_default()
    }
}

/// The members that are needed.
#[derive(Deserialize)]
struct Jwk<'a> {
    kty: &'a str,
    crv: &'a str,
    x: &'a str,
    y: &'a str,
}

fn known(reader: &mut Reader<'_>, field: &'static str, known: &[u64]) -> Result<u64, ParseError> {
    let at = reader.offset();
    let found = reader.unsigned(field)?;
    if known.contains(&found) {
        Ok(found)
    } else {
        Err(reader.error(field, at, Fault::Unsupported { found }))
    }
}
