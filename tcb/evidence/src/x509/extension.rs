// SPDX-License-Identifier: Apache-2.0

//! Extensions of certificates and lists, and those that say what a key may be used for.

use alloc::vec::Vec;

use ::der::Tag;
use const_oid::ObjectIdentifier;

use super::der::{Der, oid};
use crate::{Fault, ParseError};

const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
const CRL_DISTRIBUTION_POINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.31");

/// Limit of the number of extensions of one certificate, list or list entry. AMD's have 13 at most.
const MAX_EXTENSIONS: usize = 64;

/// Limit of the number of purposes in an extended key usage. Genuine ones have one or two.
const MAX_PURPOSES: usize = 16;

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
    /// `digitalSignature`: the key may sign data.
    pub digital_signature: bool,
    /// `keyCertSign`: the key may sign certificates.
    pub cert_sign: bool,
    /// `cRLSign`: the key may sign revocation lists.
    pub crl_sign: bool,
}

impl<'a> Extensions<'a> {
    /// `extKeyUsage`, for who reads it although it is critical ([`Extensions::unknown_critical_beside`]).
    pub const EXTENDED_KEY_USAGE: ObjectIdentifier = EXTENDED_KEY_USAGE;
    /// `cRLDistributionPoints` (RFC 5280, section 4.2.1.13): where the list is that could revoke the certificate.
    pub const CRL_DISTRIBUTION_POINTS: ObjectIdentifier = CRL_DISTRIBUTION_POINTS;

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
        Some(KeyUsage {
            digital_signature: first & 0x80 != 0,
            cert_sign: first & 0x04 != 0,
            crl_sign: first & 0x02 != 0,
        })
    }

    /// What else the key is for (RFC 5280, section 4.2.1.12), if the extension is there and well-formed.
    pub fn extended_key_usage(&self) -> Option<Vec<ObjectIdentifier>> {
        let mut document = Der::document("extKeyUsage", self.only(EXTENDED_KEY_USAGE)?).ok()?;
        let mut purposes = document.sequence("extKeyUsage").ok()?;
        document.finish("extKeyUsage").ok()?;
        let mut found = Vec::new();
        while !purposes.is_finished() {
            if found.len() >= MAX_PURPOSES {
                return None;
            }
            found.push(oid(&mut purposes, "keyPurposeId").ok()?);
        }
        Some(found)
    }

    /// A critical extension that is neither the basic constraints nor the key usage, which nobody may overlook.
    pub fn unknown_critical(&self) -> Option<ObjectIdentifier> {
        self.unknown_critical_beside(&[])
    }

    /// A critical extension that is neither one of those two nor one that the caller reads itself.
    pub fn unknown_critical_beside(&self, understood: &[ObjectIdentifier]) -> Option<ObjectIdentifier> {
        let known =
            |oid: &ObjectIdentifier| [BASIC_CONSTRAINTS, KEY_USAGE].contains(oid) || understood.contains(oid);
        self.iter().find(|found| found.critical && !known(&found.oid)).map(|found| found.oid)
    }

    /// The value of an extension, if it is there once; it must not appear twice (RFC 5280, section 4.2).
    pub fn only(&self, wanted: ObjectIdentifier) -> Option<&'a [u8]> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
        [&[tag, u8::try_from(contents.len()).unwrap()], contents].concat()
    }

    fn one(oid: ObjectIdentifier, critical: bool, value: &[u8]) -> Vec<u8> {
        let critical = if critical { tlv(0x01, &[0xff]) } else { Vec::new() };
        tlv(0x30, &[tlv(0x06, oid.as_bytes()), critical, tlv(0x04, value)].concat())
    }

    fn parse(sequence: &[u8]) -> Extensions<'_> {
        Extensions::parse(Der::document("test", sequence).unwrap()).unwrap()
    }

    #[test]
    fn a_key_has_the_uses_whose_bits_are_set_and_no_others() {
        let usage = |bits: &[u8]| {
            let sequence = tlv(0x30, &one(KEY_USAGE, true, &tlv(0x03, bits)));
            parse(&sequence)
                .key_usage()
                .map(|usage| [usage.digital_signature, usage.cert_sign, usage.crl_sign])
        };
        // RFC 5280, section 4.2.1.3: bit 0 is digitalSignature, 5 keyCertSign, 6 cRLSign; bit 0 is the highest.
        assert_eq!(usage(&[0, 0b0000_0000]), Some([false; 3]));
        assert_eq!(usage(&[0, 0b0111_1001]), Some([false; 3]));
        assert_eq!(usage(&[7, 0b1000_0000]), Some([true, false, false]));
        assert_eq!(usage(&[2, 0b0000_0100]), Some([false, true, false]));
        assert_eq!(usage(&[1, 0b0000_0010]), Some([false, false, true]));
        assert_eq!(usage(&[1, 0b0000_0110]), Some([false, true, true]));
        // decipherOnly is in a second byte.
        assert_eq!(usage(&[7, 0b1111_1111, 0x80]), Some([true; 3]));
        for malformed in [&[][..], &[0], &[8, 0x80]] {
            assert_eq!(usage(malformed), None, "{malformed:?}");
        }
    }

    #[test]
    fn what_is_critical_and_not_understood_is_found() {
        const OTHER: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.1");
        let sequence = |critical| {
            let known = [one(BASIC_CONSTRAINTS, true, &[0x30, 0]), one(KEY_USAGE, true, &[3, 2, 7, 0x80])];
            tlv(0x30, &[known.concat(), one(OTHER, critical, &[5, 0])].concat())
        };
        assert_eq!(parse(&sequence(false)).unknown_critical(), None);
        let critical = sequence(true);
        assert_eq!(parse(&critical).unknown_critical(), Some(OTHER));
        assert_eq!(parse(&critical).unknown_critical_beside(&[OTHER]), None);
        assert_eq!(parse(&critical).unknown_critical_beside(&[EXTENDED_KEY_USAGE]), Some(OTHER));
    }
}
