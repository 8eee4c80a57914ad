// SPDX-License-Identifier: Apache-2.0

//! The certificate of the platform's key: which of those in the quote, or beside it, is the one.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use enarx_evidence::dcap::{Certification, PckExtensions, Quote};
use enarx_evidence::x509::{self, Certificate};

use crate::crypto::{Hash, Scheme, SignatureVerifier, Signed};
use crate::endorsements::{Endorsements, malformed};
use crate::refusal::{Findings, Subject};
use crate::{Code, UnixTime};

/// Limit of the certificates in a quote. A chain has three.
const MAX_CERTIFICATES: usize = 8;

/// The certificate of the platform's key.
pub(super) struct Pck<'a> {
    pub(super) certificate: Certificate<'a>,
    pub(super) extensions: PckExtensions,
    /// The key signed the report of the quoting enclave.
    pub(super) signed: bool,
}

/// Adds the certificates in a quote to those beside it.
pub(super) fn open<'a>(quote: &'a Quote, opened: &mut Vec<Cow<'a, [u8]>>, findings: &mut Findings) {
    let Certification::PckChain(chain) = &quote.signature.certification else { return };
    match x509::documents(chain, MAX_CERTIFICATES) {
        Ok(certificates) => opened.extend(certificates),
        Err(error) => malformed(error, findings),
    }
    opened.sort_unstable();
    opened.dedup();
}

/// The certificate of the platform's key. Among several, the one whose key signed the report of the quoting
/// enclave; so it does not matter whether the quote has it or the host sent it.
pub(super) fn pck<'a>(
    quote: &Quote,
    endorsements: &Endorsements<'a>,
    now: UnixTime,
    crypto: &mut dyn SignatureVerifier,
    findings: &mut Findings,
) -> Option<Pck<'a>> {
    let report = quote.signature.qe.report.encode();
    let mut best = None;
    for certificate in &endorsements.certificates {
        let extensions = match PckExtensions::find(&certificate.extensions) {
            Ok(Some(extensions)) => extensions,
            Ok(None) => continue,
            Err(error) => {
                malformed(error, findings);
                continue;
            }
        };
        let signed = crypto.verify(&Signed {
            key: certificate.key,
            scheme: Scheme::Ecdsa(Hash::Sha256),
            message: &report,
            signature: &quote.signature.qe.signature,
        });
        let valid = (certificate.not_before..=certificate.not_after).contains(&now.0);
        let rank = (signed, valid, certificate.not_after);
        if best.as_ref().is_none_or(|(highest, _)| rank > *highest) {
            best = Some((rank, Pck { certificate: *certificate, extensions, signed }));
        }
    }
    let found = best.map(|(_, pck)| pck);
    let name = match &found {
        Some(pck) => pck.certificate.common_name(),
        None => quote.signature.certification.name(),
    };
    let expected = "the certificate of the platform's key (PCK)";
    findings.check(Subject::PckCertificate, Code::PckCertificateMissing, found.is_some(), expected, name);
    found
}
