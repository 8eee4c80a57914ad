// SPDX-License-Identifier: Apache-2.0

//! The claims of a result in JSON and in CBOR (draft-ietf-rats-ear-03, section 3).

use alloc::vec::Vec;
use core::convert::Infallible;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use minicbor::Encoder;
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::{Appraisal, Details, Ear, PROFILE, VerifierId};

type Written = Result<(), minicbor::encode::Error<Infallible>>;

/// Labels of claims in CBOR: RFC 8392, section 4; RFC 9711, section 10.2; the draft.
const EXP: i64 = 4;
const IAT: i64 = 6;
const NONCE: i64 = 10;
const EAT_PROFILE: i64 = 265;
const SUBMODS: i64 = 266;
const STATUS: i64 = 1000;
const VECTOR: i64 = 1001;
const POLICY_IDS: i64 = 1003;
const VERIFIER_ID: i64 = 1004;
/// In the private space (RFC 8392, section 9.1).
const ENARX_APPRAISAL: i64 = -70300;

impl Serialize for Ear {
    /// The claims set of a JSON web token.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut claims = serializer.serialize_map(None)?;
        claims.serialize_entry("eat_profile", PROFILE)?;
        claims.serialize_entry("iat", &self.issued_at.0)?;
        if let Some(expires_at) = self.expires_at {
            claims.serialize_entry("exp", &expires_at.0)?;
        }
        claims.serialize_entry("ear_verifier_id", &self.verifier)?;
        if let Some(nonce) = &self.nonce {
            claims.serialize_entry("eat_nonce", &base64(nonce))?;
        }
        claims.serialize_entry("submods", &self.submods)?;
        claims.end()
    }
}

impl Serialize for VerifierId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut claims = serializer.serialize_map(Some(2))?;
        claims.serialize_entry("developer", &self.developer)?;
        claims.serialize_entry("build", &self.build)?;
        claims.end()
    }
}

impl Serialize for Appraisal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut claims = serializer.serialize_map(None)?;
        claims.serialize_entry("ear_status", self.status.name())?;
        claims.serialize_entry("ear_trustworthiness_vector", &self.vector)?;
        claims.serialize_entry("ear_appraisal_policy_ids", &[&self.policy])?;
        if let Some(nonce) = &self.nonce {
            claims.serialize_entry("eat_nonce", &base64(nonce))?;
        }
        claims.serialize_entry("ear_enarx_appraisal", &self.details)?;
        claims.end()
    }
}

impl Serialize for super::TrustVector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut claims = serializer.serialize_map(None)?;
        for (name, _, claim) in self.claims() {
            if claim != 0 {
                claims.serialize_entry(name, &claim)?;
            }
        }
        claims.end()
    }
}

impl Serialize for Details {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut claims = serializer.serialize_map(None)?;
        match self {
            Self::Accepted { vendor, product, rule, measurement, measurement_name, simulated } => {
                claims.serialize_entry("vendor", vendor)?;
                claims.serialize_entry("product", product)?;
                claims.serialize_entry("rule", rule)?;
                claims.serialize_entry("measurement", &base64(measurement))?;
                claims.serialize_entry("measurement_name", measurement_name)?;
                claims.serialize_entry("simulated", simulated)?;
            }
            Self::Refused(codes) => claims.serialize_entry("refusals", codes)?,
        }
        claims.end()
    }
}

fn base64(bytes: &[u8]) -> alloc::string::String {
    Base64UrlUnpadded::encode_string(bytes)
}

/// The claims set of a CBOR web token.
pub(super) fn cbor(ear: &Ear) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    let written = claims(ear, &mut encoder);
    debug_assert!(written.is_ok(), "a vector takes every byte");
    encoder.into_writer()
}

fn claims(ear: &Ear, encoder: &mut Encoder<Vec<u8>>) -> Written {
    let optional = [ear.expires_at.is_some(), ear.nonce.is_some()];
    encoder.map(count(4, &optional))?;
    encoder.i64(EAT_PROFILE)?.str(PROFILE)?;
    encoder.i64(IAT)?.u64(ear.issued_at.0)?;
    if let Some(expires_at) = ear.expires_at {
        encoder.i64(EXP)?.u64(expires_at.0)?;
    }
    let VerifierId { developer, build } = &ear.verifier;
    encoder.i64(VERIFIER_ID)?.map(2)?.u8(0)?.str(developer)?.u8(1)?.str(build)?;
    if let Some(nonce) = &ear.nonce {
        encoder.i64(NONCE)?.bytes(nonce)?;
    }
    encoder.i64(SUBMODS)?.map(ear.submods.len() as u64)?;
    for (name, found) in &ear.submods {
        encoder.str(name)?;
        appraisal(found, encoder)?;
    }
    Ok(())
}

fn appraisal(appraisal: &Appraisal, encoder: &mut Encoder<Vec<u8>>) -> Written {
    encoder.map(count(4, &[appraisal.nonce.is_some()]))?;
    encoder.i64(STATUS)?.i8(appraisal.status.number())?;
    let claimed = appraisal.vector.claims().into_iter().filter(|(_, _, claim)| *claim != 0);
    encoder.i64(VECTOR)?.map(claimed.clone().count() as u64)?;
    for (_, label, claim) in claimed {
        encoder.u8(label)?.i8(claim)?;
    }
    encoder.i64(POLICY_IDS)?.array(1)?.str(&appraisal.policy)?;
    if let Some(nonce) = &appraisal.nonce {
        encoder.i64(NONCE)?.bytes(nonce)?;
    }
    encoder.i64(ENARX_APPRAISAL)?;
    match &appraisal.details {
        Details::Accepted { vendor, product, rule, measurement, measurement_name, simulated } => {
            encoder.map(6)?.str("vendor")?.str(vendor)?.str("product")?.str(product)?;
            encoder.str("rule")?.str(rule)?.str("measurement")?.bytes(measurement)?;
            encoder.str("measurement_name")?.str(measurement_name)?;
            encoder.str("simulated")?.bool(*simulated)?;
        }
        Details::Refused(codes) => {
            encoder.map(1)?.str("refusals")?.array(codes.len() as u64)?;
            for code in codes {
                encoder.str(code.as_str())?;
            }
        }
    }
    Ok(())
}

fn count(always: u64, optional: &[bool]) -> u64 {
    always.saturating_add(optional.iter().filter(|there| **there).count() as u64)
}
