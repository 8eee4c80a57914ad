// SPDX-License-Identifier: Apache-2.0

//! Reference integrity manifests: what NVIDIA says the measurements of a driver or a VBIOS should be.
//!
//! A manifest is a software identification tag (ISO/IEC 19770-2) with a signature inside (*XML Signature Syntax and
//! Processing 1.1*): the digest of the canonical tag without the signature is in a part of the signature, and that
//! part is signed. Both are taken out here for whoever verifies them, in one shape only: one reference, to the whole
//! tag, with exactly the transforms and algorithms that NVIDIA uses.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use base64ct::{Base64, Encoding as _};

use super::xml::{self, Element};
use crate::{Fault, ParseError};

const FORMAT: &str = "reference integrity manifest";

const SWID: &str = "http://standards.iso.org/iso/19770/-2/2015/schema.xsd";
const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
/// The namespace of attributes with reference values.
const SHA384_VALUES: &str = "http://www.w3.org/2001/04/xmlenc#sha384";

const C14N_1_1: &str = "http://www.w3.org/2006/12/xml-c14n11";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
const ECDSA_SHA384: &str = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384";
const SHA384: &str = "http://www.w3.org/2001/04/xmldsig-more#sha384";

/// Limit of the number of certificates. Genuine manifests have four.
const MAX_CERTIFICATES: usize = 8;
/// Limit of the number of values that one measurement may have. Genuine manifests have up to four.
const MAX_ALTERNATIVES: usize = 16;

/// A manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rim {
    /// The chip that it is about (`product`), such as `GH100`.
    pub product: String,
    /// The version of the driver or VBIOS that it is about (`colloquialVersion`).
    pub version: String,
    /// What each measurement may be, by the index that reports give it. Measurements that the manifest says nothing
    /// about are not there.
    pub references: BTreeMap<u8, Vec<[u8; 48]>>,
    /// The certificate of the key that signed it, and those of its issuers.
    pub certificates: Vec<Vec<u8>>,
    /// The canonical tag without its signature.
    pub content: Vec<u8>,
    /// What its SHA-384 must be.
    pub digest: [u8; 48],
    /// The canonical part that is signed, with the digest in it.
    pub signed_info: Vec<u8>,
    /// The signature of that part: ECDSA P-384 with SHA-384, r and s big-endian.
    pub signature: [u8; 96],
}

impl Rim {
    /// Limit of a manifest in bytes. Genuine ones have about 25000.
    pub const MAX_LEN: usize = 64 * 1024;

    /// Whether bytes begin as a manifest does.
    pub fn looks_like(bytes: &[u8]) -> bool {
        matches!(bytes.trim_ascii_start(), [b'<', b'?' | b'S', ..])
    }

    /// Reads a manifest.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        if bytes.len() > Self::MAX_LEN {
            return Err(error("manifest", Fault::TooLarge { limit: Self::MAX_LEN }));
        }
        let root = xml::parse(FORMAT, bytes)?;
        if !root.is(SWID, "SoftwareIdentity") {
            return Err(error("SoftwareIdentity", Fault::Missing));
        }
        let meta = only(&root, SWID, "Meta")?;
        let signature = only(&root, DSIG, "Signature")?;
        let signed_info = only(signature, DSIG, "SignedInfo")?;
        let reference = reference(signed_info)?;
        let above = [root.declared(), signature.declared()].concat();
        Ok(Self {
            product: attribute(meta, "product")?.into(),
            version: attribute(meta, "colloquialVersion")?.into(),
            references: references(only(&root, SWID, "Payload")?)?,
            certificates: certificates(signature)?,
            content: root.canonical(&[], Some((DSIG, "Signature"))),
            digest: base64(only(reference, DSIG, "DigestValue")?)?
                .try_into()
                .map_err(|_| error("DigestValue", Fault::Malformed))?,
            signed_info: signed_info.canonical(&above, None),
            signature: base64(only(signature, DSIG, "SignatureValue")?)?
                .try_into()
                .map_err(|_| error("SignatureValue", Fault::Malformed))?,
        })
    }
}

/// The one reference, if the algorithms and transforms are those that are known, and no other.
fn reference<'a, 'b>(signed_info: &'b Element<'a>) -> Result<&'b Element<'a>, ParseError> {
    let method = |element: &Element<'a>, name, expected| {
        let found = only(element, DSIG, name)?;
        let known = found.attribute("", "Algorithm") == Some(expected) && found.elements().next().is_none();
        if known { Ok(()) } else { Err(error(name, Fault::Malformed)) }
    };
    method(signed_info, "CanonicalizationMethod", C14N_1_1)?;
    method(signed_info, "SignatureMethod", ECDSA_SHA384)?;
    let reference = only(signed_info, DSIG, "Reference")?;
    if reference.attribute("", "URI") != Some("") || signed_info.elements().count() != 3 {
        return Err(error("Reference", Fault::Malformed));
    }
    method(reference, "DigestMethod", SHA384)?;
    let transforms = only(reference, DSIG, "Transforms")?;
    let algorithms = transforms
        .elements()
        .map(|transform| transform.attribute("", "Algorithm").filter(|_| transform.is(DSIG, "Transform")));
    if !algorithms.eq([Some(ENVELOPED), Some(C14N_1_1)]) {
        return Err(error("Transforms", Fault::Malformed));
    }
    Ok(reference)
}

/// What measurements may be. Manifests count them from 0, reports from 1.
fn references(payload: &Element<'_>) -> Result<BTreeMap<u8, Vec<[u8; 48]>>, ParseError> {
    let mut references = BTreeMap::new();
    for resource in payload.elements() {
        if !resource.is(SWID, "Resource") || attribute(resource, "type")? != "Measurement" {
            return Err(error("Resource", Fault::Malformed));
        }
        let index = attribute(resource, "index")?.parse::<u8>().ok().and_then(|index| index.checked_add(1));
        let index = index.ok_or_else(|| error("index", Fault::Malformed))?;
        let values = match attribute(resource, "active")? {
            "True" => values(resource)?,
            "False" => continue,
            _ => return Err(error("active", Fault::Malformed)),
        };
        if references.insert(index, values).is_some() {
            return Err(error("index", Fault::Duplicate));
        }
    }
    Ok(references)
}

/// `Hash0` and so on, as many as `alternatives` says.
fn values(resource: &Element<'_>) -> Result<Vec<[u8; 48]>, ParseError> {
    let count = attribute(resource, "alternatives")?.parse::<usize>().ok();
    let count = count.filter(|count| (1..=MAX_ALTERNATIVES).contains(count));
    let count = count.ok_or_else(|| error("alternatives", Fault::Malformed))?;
    let value = |number| {
        let digits = resource.attribute(SHA384_VALUES, &format!("Hash{number}"));
        let digits = digits.ok_or_else(|| error("Hash", Fault::Missing))?;
        digest(digits).ok_or_else(|| error("Hash", Fault::Malformed))
    };
    (0..count).map(value).collect()
}

/// 48 bytes of hexadecimal digits.
fn digest(digits: &str) -> Option<[u8; 48]> {
    let mut digest = [0; 48];
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if pairs.len() != digest.len() || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in digest.iter_mut().zip(pairs) {
        let digit = |c: &u8| char::from(*c).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        *byte = digit(high)? << 4 | digit(low)?;
    }
    Some(digest)
}

fn certificates(signature: &Element<'_>) -> Result<Vec<Vec<u8>>, ParseError> {
    let data = only(only(signature, DSIG, "KeyInfo")?, DSIG, "X509Data")?;
    let mut certificates = Vec::new();
    for certificate in data.elements() {
        if !certificate.is(DSIG, "X509Certificate") {
            return Err(error("X509Data", Fault::Malformed));
        }
        if certificates.len() >= MAX_CERTIFICATES {
            return Err(error("X509Data", Fault::TooLarge { limit: MAX_CERTIFICATES }));
        }
        certificates.push(base64(certificate)?);
    }
    Ok(certificates)
}

fn only<'a, 'b>(
    element: &'b Element<'a>,
    namespace: &str,
    name: &'static str,
) -> Result<&'b Element<'a>, ParseError> {
    element.only(namespace, name).ok_or_else(|| error(name, Fault::Missing))
}

fn attribute<'a>(element: &Element<'a>, name: &'static str) -> Result<&'a str, ParseError> {
    element.attribute("", name).ok_or_else(|| error(name, Fault::Missing))
}

fn base64(element: &Element<'_>) -> Result<Vec<u8>, ParseError> {
    let text = element.text().ok_or_else(|| error("base64", Fault::Missing))?;
    let text: String = text.split_ascii_whitespace().collect();
    Base64::decode_vec(&text).map_err(|_| error("base64", Fault::Malformed))
}

fn error(field: &'static str, fault: Fault) -> ParseError {
    ParseError { format: FORMAT, field, offset: 0, fault }
}
