// SPDX-License-Identifier: Apache-2.0

//! Extensions of certificates and lists, and the two that say what a key may sign.

use ::der::Tag;
use const_oid::ObjectIdentifier;

use super::der::Der;
use super::key::oid;
use crate::{Fault, ParseError};

const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");

/// Limit of the number of extensions of one certificate, list or list entry. AMD's have 13 at most.
const MAX_EXTENSIONS: usize = 64;

/// One extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extension<'a> {
    /// `extnID`.
    pub oid: ObjectIdentifier,
    /// Who does not understand it must not accept the certificate.
    pub critical: bool,
    /// The contents of `extnValue`.
    pub value: &'a [u8],
}

/// Extensions that were read once and found well-formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extensions<'a> {
    /// The contents of the SEQUENCE.
    contents: &'a [u8],
}

/// `basicConstraints` (RFC 5280, section 4.2.1.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BasicConstraints {
    /// The subject is an authority.
    pub ca: bool,
    /// How many authorities may follow below this one.
    pub path_len: Option<u8>,
}

/// `keyUsage` (RFC 5280, section 4.2.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyUsage {
    /// `keyCertSign`: the key may sign certificates.
    pub cert_sign: bool,
    /// `cRLSign`: the key may sign revocation lists.
    pub crl_sign: bool,
}

impl<'a> Extensions<'a> {
    /// Reads a SEQUENCE OF Extension, once and for all.
    pub(super) fn parse(mut der: Der<'a>) -> Result<Self, ParseError> {
        let contents = der.value(Tag::Sequence, "extensions")?;
        der.finish("extensions")?;
        let mut rest = Der::document("X.509 extensions", contents)?;
        for _ in 0..MAX_EXTENSIONS {
            if rest.is_finished() {
                return Ok(Self { contents });
            }
            extension(&mut rest)?;
        }
        if rest.is_finished() {
            Ok(Self { contents })
        } else {
            Err(rest.error("extensions", Fault::TooLarge { limit: MAX_EXTENSIONS }))
        }
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = Extension<'a>> + use<'a> {
        let mut rest = Der::document("X.509 extensions", self.contents).ok();
        core::iter::from_fn(move || extension(rest.as_mut().filter(|rest| !rest.is_finished())?).ok())
    }

    /// The constraints, if there are any that are well-formed.
    pub fn basic_constraints(&self) -> Option<BasicConstraints> {
        let mut document = Der::document("basicConstraints", self.only(BASIC_CONSTRAINTS)?).ok()?;
        let mut fields = document.sequence("basicConstraints").ok()?;
        document.finish("basicConstraints").ok()?;
        let ca = match fields.optional(Tag::Boolean, "cA").ok()? {
            None => false,
            Some([0xff]) => true,
            Some(_) => return None,
        };
        let path_len = if fields.is_finished() {
            None
        } else {
            match fields.unsigned("pathLenConstraint").ok()? {
                [] => Some(0),
                [number] => Some(*number),
                _ => return None,
            }
        };
        fields.finish("basicConstraints").ok()?;
        Some(BasicConstraints { ca, path_len })
    }

    /// The usage, if it is there and well-formed.
    pub fn key_usage(&self) -> Option<KeyUsage> {
        let mut document = Der::document("keyUsage", self.only(KEY_USAGE)?).ok()?;
        let bits = document.value(Tag::BitString, "keyUsage").ok()?;
        document.finish("keyUsage").ok()?;
        let [0..=7, first, ..] = *bits else { return None };
        Some(KeyUsage { cert_sign: first & 0x04 != 0, crl_sign: first & 0x02 != 0 })
    }

    /// A critical extension that is neither of the two above, which nobody may overlook.
    pub fn unknown_critical(&self) -> Option<ObjectIdentifier> {
        let known = [BASIC_CONSTRAINTS, KEY_USAGE];
        self.iter().find(|found| found.critical && !known.contains(&found.oid)).map(|found| found.oid)
    }

    /// The value of an extension that must not appear twice (RFC 5280, section 4.2).
    fn only(&self, wanted: ObjectIdentifier) -> Option<&'a [u8]> {
        let mut found = self.iter().filter(|extension| extension.oid == wanted);
        let first = found.next()?;
        found.next().is_none().then_some(first.value)
    }
}

fn extension<'a>(der: &mut Der<'a>) -> Result<Extension<'a>, ParseError> {
    let mut fields = der.sequence("extension")?;
    let oid = oid(&mut fields, "extnID")?;
    let critical = match fields.optional(Tag::Boolean, "critical")? {
        // DER omits the default, but issuers that spell it out exist.
        None | Some([0]) => false,
        Some([0xff]) => true,
        Some(_) => return Err(fields.error("critical", Fault::Malformed)),
    };
    let value = fields.value(Tag::OctetString, "extnValue")?;
    fields.finish("extension")?;
    Ok(Extension { oid, critical, value })
}
