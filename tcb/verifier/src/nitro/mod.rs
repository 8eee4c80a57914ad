// SPDX-License-Identifier: Apache-2.0

//! Verification of attestation documents of AWS Nitro Enclaves: is this document genuine, and what does it say?
//!
//! In order: the document parses and has the registers of an image; the certificates inside it parse; a chain leads
//! from that of its key to AWS's root; the key is one that signs documents, and signed this one; the document was
//! made while its key was valid; it is bound to this session. Section numbers are those of *Nitro Enclaves
//! Attestation Process*, see [`enarx_evidence::nitro`].

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;

use enarx_evidence::nitro::{Claims as Statement, Document};
use enarx_evidence::x509::Certificate;

use crate::appraisal::Examined;
use crate::binding;
use crate::chain::{self, Profile, Revocable};
use crate::cose::{self, About};
use crate::crypto::SignatureVerifier;
use crate::endorsements::{self, Endorsements, malformed};
use crate::refusal::{Findings, Subject};
use crate::{Claims, Code, NitroClaims, Root, UnixTime, Verification};

/// The chains of AWS: enclave, instance, zone, region, root. AWS states no limit beside that of the document.
///
/// AWS has revocation switched off (section 3.2.4): the certificate of an enclave lives for three hours, that of its
/// instance for a day, those above for weeks.
const CHAIN: Profile = Profile {
    max_intermediates: Statement::MAX_CABUNDLE.saturating_sub(1),
    revocable: Revocable::Nobody,
    root: |root| matches!(root, Root::AwsNitro),
};

/// The registers that measure the image, and the length of their digests in bytes.
const IMAGE: [u8; 3] = [0, 1, 2];
const SHA384: usize = 48;

/// How far the clock of a document may be ahead of the relying party's, in seconds.
const MAX_SKEW: u64 = 300;

/// Verifies a document and the certificates inside it, and notes every check. `None` if the document says nothing
/// that could be understood.
pub(crate) fn examine(
    verification: &Verification<'_>,
    crypto: &mut dyn SignatureVerifier,
    findings: &mut Findings,
) -> Option<Examined> {
    let document = parse(&verification.bundle.evidence.bytes, findings)?;
    let mut opened = endorsements::open(&verification.bundle.endorsements, findings);
    opened.extend(document.claims.cabundle.iter().map(|der| Cow::Borrowed(der.as_slice())));
    let endorsements = Endorsements::read(&opened, findings);
    let root = match Certificate::parse(&document.claims.certificate) {
        Ok(leaf) => Some(leaf),
        Err(error) => {
            malformed(error, findings);
            None
        }
    }
    .and_then(|leaf| {
        let root = chain::verify(&leaf, &endorsements, &CHAIN, verification, crypto, findings);
        cose::check_usage(&leaf, Subject::NitroKey, findings);
        let about = About {
            subject: Subject::NitroSignature,
            code: Code::ReportSignatureInvalid,
            signer: leaf.common_name(),
        };
        cose::check(&document.message, leaf.key, &about, crypto, findings);
        timestamp(&document.claims, &leaf, verification.now, findings);
        root
    });
    report_data(&document.claims, verification.report_data, findings);
    let claims = NitroClaims { document: document.claims };
    Some(Examined { claims: Claims::Nitro(Box::new(claims)), root })
}

fn parse<'a>(bytes: &'a [u8], findings: &mut Findings) -> Option<Document<'a>> {
    let expected = "an attestation document with the registers of an image";
    let document = match Document::parse(bytes) {
        Ok(document) => document,
        Err(error) => {
            findings.refuse(Subject::NitroDocument, Code::EvidenceMalformed, expected, error);
            return None;
        }
    };
    let measured = |index: &u8| document.claims.pcr(*index).is_some_and(|pcr| pcr.as_bytes().len() == SHA384);
    let whole = IMAGE.iter().all(measured);
    let registers = document.claims.pcrs.keys().collect::<Vec<_>>();
    let found = format_args!("registers {registers:?}");
    findings.check(Subject::NitroDocument, Code::EvidenceMalformed, whole, expected, found);
    whole.then_some(document)
}

/// The document was made while its key was valid, and not in the future: a key that was stolen later could otherwise
/// make documents for its whole life.
fn timestamp(claims: &Statement, leaf: &Certificate<'_>, now: UnixTime, findings: &mut Findings) {
    let made = UnixTime(claims.timestamp / 1000);
    let (start, end) = (UnixTime(leaf.not_before), UnixTime(leaf.not_after));
    let within = (start..=end).contains(&made);
    let expected = format_args!("from {start} to {end}, while the key was valid");
    findings.check(Subject::NitroTimestamp, Code::TimestampOutsideValidity, within, expected, made);
    let latest = UnixTime(now.0.saturating_add(MAX_SKEW));
    let expected = format_args!("at most {MAX_SKEW} s after {now}");
    findings.check(Subject::NitroTimestamp, Code::TimestampInFuture, made <= latest, expected, made);
}

/// The document was made for this session: its user data are the report data. The nonce does not count, since an
/// enclave may take it from whoever asks.
fn report_data(claims: &Statement, wanted: &[u8; 64], findings: &mut Findings) {
    let found = claims.user_data.bytes().unwrap_or_default();
    let (same, wanted) = (binding::carries(found, wanted), hex::encode(wanted));
    let found = if found.is_empty() { "none".into() } else { hex::encode(found) };
    findings.check(Subject::NitroUserData, Code::ReportDataMismatch, same, wanted, found);
}
