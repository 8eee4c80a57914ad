// SPDX-License-Identifier: Apache-2.0

//! Certificate revocation lists of version 2 (RFC 5280, section 5).

use ::der::Tag;
use const_oid::ObjectIdentifier;

use super::algorithm::SignatureAlgorithm;
use super::certificate::common_name;
use super::der::{Der, context};
use super::extension::Extensions;
use crate::{Fault, ParseError};

const FORMAT: &str = "X.509 revocation list";
const V2: &[u8] = &[1];

/// Limit of the number of revoked certificates in a list. AMD's lists have none or one.
const MAX_REVOKED: usize = 4096;

/// A list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RevocationList<'a> {
    /// The whole list.
    pub der: &'a [u8],
    /// `tbsCertList`, the bytes that are signed.
    pub tbs: &'a [u8],
    /// `issuer`, to be compared as it is.
    pub issuer: &'a [u8],
    /// `thisUpdate`, in seconds since 1970.
    pub this_update: u64,
    /// `nextUpdate`, in seconds since 1970. RFC 5280 requires it of issuers.
    pub next_update: u64,
    /// `crlExtensions`.
    pub extensions: Extensions<'a>,
    /// A critical extension of an entry; none is known here.
    pub critical_entry: Option<ObjectIdentifier>,
    /// `signatureAlgorithm`.
    pub algorithm: SignatureAlgorithm,
    /// `signatureValue`.
    pub signature: &'a [u8],
    /// The contents of `revokedCertificates`, read once and found well-formed.
    revoked: &'a [u8],
}

impl<'a> RevocationList<'a> {
    /// Reads one list and nothing after it.
    pub fn parse(der: &'a [u8]) -> Result<Self, ParseError> {
        let mut document = Der::document(FORMAT, der)?;
        let mut outer = document.sequence("certificateList")?;
        document.finish("certificateList")?;
        let mut signed = outer.clone();
        let tbs = outer.raw("tbsCertList")?;
        let algorithm = outer.raw("signatureAlgorithm")?;
        let signature = outer.bytes_of_bits("signatureValue")?;
        outer.finish("certificateList")?;

        let mut fields = signed.sequence("tbsCertList")?;
        if fields.value(Tag::Integer, "version")? != V2 {
            return Err(fields.error("version", Fault::Malformed));
        }
        if fields.raw("signature")? != algorithm {
            return Err(fields.error("signature", Fault::Malformed));
        }
        let issuer = fields.raw("issuer")?;
        let (this_update, next_update) = (fields.time("thisUpdate")?, fields.time("nextUpdate")?);
        let revoked = fields.optional(Tag::Sequence, "revokedCertificates")?.unwrap_or_default();
        let critical_entry = check_entries(revoked)?;
        let extensions = if fields.is_finished() {
            Extensions::default()
        } else {
            Extensions::parse(fields.inside(context(0), "crlExtensions")?)?
        };
        fields.finish("tbsCertList")?;
        Ok(Self {
            der,
            tbs,
            issuer,
            this_update,
            next_update,
            extensions,
            critical_entry,
            algorithm: SignatureAlgorithm::parse(
                Der::document(FORMAT, algorithm)?.sequence("signatureAlgorithm")?,
            )?,
            signature,
            revoked,
        })
    }

    /// The serial numbers that are revoked, as [`super::Certificate::serial`] has them.
    pub fn revoked(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = Der::document(FORMAT, self.revoked).ok();
        core::iter::from_fn(move || {
            let rest = rest.as_mut().filter(|rest| !rest.is_finished())?;
            entry(rest).ok().map(|(serial, _)| serial)
        })
    }

    /// The issuer's common name, for people; nothing is decided by it.
    pub fn issuer_common_name(&self) -> &'a str {
        common_name(self.issuer)
    }
}

fn check_entries(revoked: &[u8]) -> Result<Option<ObjectIdentifier>, ParseError> {
    let mut rest = Der::document(FORMAT, revoked)?;
    let mut critical = None;
    let mut count = 0_usize;
    while !rest.is_finished() {
        count = count.saturating_add(1);
        if count > MAX_REVOKED {
            return Err(rest.error("revokedCertificates", Fault::TooLarge { limit: MAX_REVOKED }));
        }
        let (_, extensions) = entry(&mut rest)?;
        let found = extensions.iter().find(|extension| extension.critical).map(|extension| extension.oid);
        critical = critical.or(found);
    }
    Ok(critical)
}

fn entry<'a>(der: &mut Der<'a>) -> Result<(&'a [u8], Extensions<'a>), ParseError> {
    let mut fields = der.sequence("revokedCertificate")?;
    let serial = fields.unsigned("userCertificate")?;
    fields.time("revocationDate")?;
    let extensions = if fields.is_finished() { Extensions::default() } else { Extensions::parse(fields)? };
    Ok((serial, extensions))
}
