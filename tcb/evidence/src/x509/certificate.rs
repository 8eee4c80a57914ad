// SPDX-License-Identifier: Apache-2.0

//! Certificates of version 3 (RFC 5280, section 4).

use ::der::Tag;
use const_oid::ObjectIdentifier;

use super::algorithm::SignatureAlgorithm;
use super::der::{Der, context, oid};
use super::extension::Extensions;
use super::key::PublicKey;
use crate::{Fault, ParseError};

const FORMAT: &str = "X.509 certificate";
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const V3: &[u8] = &[2];

/// A certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Certificate<'a> {
    /// The whole certificate.
    pub der: &'a [u8],
    /// `tbsCertificate`, the bytes that are signed.
    pub tbs: &'a [u8],
    /// `serialNumber`, big-endian, without leading zeros; empty for 0.
    pub serial: &'a [u8],
    /// `issuer`, to be compared as it is.
    pub issuer: &'a [u8],
    /// `notBefore`, in seconds since 1970.
    pub not_before: u64,
    /// `notAfter`, in seconds since 1970.
    pub not_after: u64,
    /// `subject`, to be compared as it is.
    pub subject: &'a [u8],
    /// `subjectPublicKeyInfo`, the bytes by which a key is pinned.
    pub spki: &'a [u8],
    /// The key in it.
    pub key: PublicKey<'a>,
    /// `extensions`.
    pub extensions: Extensions<'a>,
    /// `signatureAlgorithm`.
    pub algorithm: SignatureAlgorithm,
    /// `signatureValue`.
    pub signature: &'a [u8],
}

impl<'a> Certificate<'a> {
    /// Reads one certificate and nothing after it.
    pub fn parse(der: &'a [u8]) -> Result<Self, ParseError> {
        let mut document = Der::document(FORMAT, der)?;
        let mut outer = document.sequence("certificate")?;
        document.finish("certificate")?;
        let mut signed = outer.clone();
        let tbs = outer.raw("tbsCertificate")?;
        let algorithm = outer.raw("signatureAlgorithm")?;
        let signature = outer.bytes_of_bits("signatureValue")?;
        outer.finish("certificate")?;

        let mut fields = signed.sequence("tbsCertificate")?;
        let mut version = fields.inside(context(0), "version")?;
        if version.value(Tag::Integer, "version")? != V3 {
            return Err(version.error("version", Fault::Malformed));
        }
        version.finish("version")?;
        let serial = fields.unsigned("serialNumber")?;
        if fields.raw("signature")? != algorithm {
            // RFC 5280, section 4.1.1.2: the algorithm inside the signed bytes must be the same.
            return Err(fields.error("signature", Fault::Malformed));
        }
        let issuer = fields.raw("issuer")?;
        let mut validity = fields.sequence("validity")?;
        let (not_before, not_after) = (validity.time("notBefore")?, validity.time("notAfter")?);
        validity.finish("validity")?;
        let subject = fields.raw("subject")?;
        let mut key = fields.clone();
        let spki = fields.raw("subjectPublicKeyInfo")?;
        let extensions = if fields.is_finished() {
            Extensions::default()
        } else {
            Extensions::parse(fields.inside(context(3), "extensions")?)?
        };
        fields.finish("tbsCertificate")?;
        Ok(Self {
            der,
            tbs,
            serial,
            issuer,
            not_before,
            not_after,
            subject,
            spki,
            key: PublicKey::parse(key.sequence("subjectPublicKeyInfo")?)?,
            extensions,
            algorithm: SignatureAlgorithm::parse(
                Der::document(FORMAT, algorithm)?.sequence("signatureAlgorithm")?,
            )?,
            signature,
        })
    }

    /// The subject's common name, for people; nothing is decided by it.
    pub fn common_name(&self) -> &'a str {
        common_name(self.subject)
    }

    /// The issuer's common name, for people; nothing is decided by it.
    pub fn issuer_common_name(&self) -> &'a str {
        common_name(self.issuer)
    }
}

/// The common name in a `Name`, or a word that says there is none. Control characters are never passed on.
pub(super) fn common_name(name: &[u8]) -> &str {
    find_common_name(name).unwrap_or("(no common name)")
}

fn find_common_name(name: &[u8]) -> Option<&str> {
    let mut sets = Der::document("name", name).ok()?.sequence("name").ok()?;
    while !sets.is_finished() {
        let mut attribute = sets.inside(Tag::Set, "name").ok()?.sequence("attribute").ok()?;
        if oid(&mut attribute, "type").ok()? == COMMON_NAME {
            let text = core::str::from_utf8(attribute.any("value").ok()?.value()).ok()?;
            return (!text.chars().any(char::is_control)).then_some(text);
        }
    }
    None
}
