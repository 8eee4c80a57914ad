// SPDX-License-Identifier: Apache-2.0

//! Verification of Intel's SGX and TDX evidence: is this quote genuine, and what does it say?
//!
//! In order: the quote parses; its quoting enclave is said to be Intel's; the certificate of the platform's key
//! (PCK) is there, a chain leads from it to Intel's root, and nobody in it is revoked; that key signed the report
//! of the quoting enclave, which names the attestation key; the attestation key signed the quote; the quote is
//! bound to this session. Then what Intel says: TCB info and the identity of the quoting enclave are there, signed
//! by Intel, current, and about this platform; the quoting enclave and the TDX module are those that they name; and
//! a level of TCB info says what Intel thinks of the platform.
//! A check that cannot be made because an earlier one failed is left out; every other one is made.

mod certification;
mod collateral;
mod module;
mod quoting_enclave;
mod tcb;

pub(crate) use tcb::merge;

use alloc::boxed::Box;

use enarx_evidence::Format;
use enarx_evidence::dcap::{Body, Quote, TeeType};
use enarx_evidence::x509::PublicKey;

use crate::appraisal::Examined;
use crate::binding::Bound;
use crate::chain::{self, Profile, Revocable};
use crate::crypto::{Hash, Scheme, SignatureVerifier, Signed};
use crate::endorsements::{self, Endorsements};
use crate::refusal::{Findings, Subject};
use crate::{Claims, Code, DcapClaims, Root, Verification};

/// The chain of a platform's key: PCK, Platform or Processor CA, root (PCK Profile, section 1.1). The root lists
/// revoked authorities, and each of those the revoked keys of platforms.
const PCK_CHAIN: Profile = Profile {
    max_intermediates: 1,
    revocable: Revocable::Everyone,
    root: |root| matches!(root, Root::Intel),
};

/// Verifies a quote and its endorsements, and notes every check. `None` if the quote says nothing that could be
/// understood, or nothing says which platform it is from.
pub(crate) fn examine(
    verification: &Verification<'_>,
    crypto: &mut dyn SignatureVerifier,
    findings: &mut Findings,
) -> Option<Examined> {
    let evidence = &verification.bundle.evidence;
    let tee = if evidence.format == Format::Tdx { TeeType::Tdx } else { TeeType::Sgx };
    let bound = Bound { subject: Subject::QuoteReportData, ..Bound::session(verification.report_data) };
    let (claims, root) = examine_quote(&evidence.bytes, tee, bound, verification, crypto, findings)?;
    let claims = Box::new(claims);
    let claims = match tee {
        TeeType::Sgx => Claims::Sgx(claims),
        TeeType::Tdx => Claims::Tdx(claims),
    };
    Some(Examined { claims, root })
}

/// Verifies a quote that is about a kind of TEE and bound to something, wherever it came from. Without a root nothing
/// is proved.
pub(crate) fn examine_quote(
    bytes: &[u8],
    tee: TeeType,
    bound: Bound<'_>,
    verification: &Verification<'_>,
    crypto: &mut dyn SignatureVerifier,
    findings: &mut Findings,
) -> Option<(DcapClaims, Option<Root>)> {
    let quote = parse(bytes, tee, findings)?;
    let mut opened = endorsements::open(&verification.bundle.endorsements, findings);
    certification::open(&quote, &mut opened, findings);
    let endorsements = Endorsements::read(&opened, findings);

    quoting_enclave::vendor(&quote, findings);
    quoting_enclave::attestation_key(&quote, findings);
    signature(&quote, bytes, crypto, findings);
    report_data(&quote.body, bound, findings);
    let pck = certification::pck(&quote, &endorsements, verification.now, crypto, findings)?;
    quoting_enclave::signature(&pck, findings);
    let root = chain::verify(&pck.certificate, &endorsements, &PCK_CHAIN, verification, crypto, findings);

    let collateral =
        collateral::verify(&quote, &pck, root.as_ref(), &endorsements, verification, crypto, findings);
    let enclave = collateral
        .identity
        .and_then(|identity| quoting_enclave::identity(&quote.signature.qe.report, identity, findings));
    let tcb = collateral.info.and_then(|info| {
        if let Body::Td(report) = &quote.body {
            module::check(report, info, findings);
        }
        tcb::check(&quote.body, &pck.extensions.tcb, info, collateral.identity, enclave, findings)
    });
    Some((DcapClaims { pck: pck.extensions, tcb, quote }, root))
}

fn parse(bytes: &[u8], tee: TeeType, findings: &mut Findings) -> Option<Quote> {
    let expected = format_args!("a quote of version 3, 4 or 5 about {tee}");
    match Quote::parse(bytes) {
        Ok(quote) => {
            let (found, trailing) = (quote.body.tee(), quote.trailing.len());
            let version = quote.header.version.number();
            let note = format_args!("version {version} about {found}, {trailing} bytes behind it");
            findings.check(Subject::Quote, Code::EvidenceMalformed, found == tee, expected, note);
            Some(quote).filter(|_| found == tee)
        }
        Err(error) => {
            findings.refuse(Subject::Quote, Code::EvidenceMalformed, expected, error);
            None
        }
    }
}

/// The attestation key signed the quote.
fn signature(quote: &Quote, bytes: &[u8], crypto: &mut dyn SignatureVerifier, findings: &mut Findings) {
    let point = point(&quote.signature.attestation_key);
    let valid = crypto.verify(&Signed {
        key: PublicKey::P256(&point),
        scheme: Scheme::Ecdsa(Hash::Sha256),
        message: bytes.get(..quote.signed_len()).unwrap_or_default(),
        signature: &quote.signature.signature,
    });
    let expected = "a signature by the attestation key";
    let found = if valid { "a good signature" } else { "a signature that does not verify" };
    findings.check(Subject::QuoteSignature, Code::QuoteSignatureInvalid, valid, expected, found);
}

/// An uncompressed point of P-256 from its coordinates.
fn point(coordinates: &[u8; 64]) -> [u8; 65] {
    let mut point = [4; 65];
    point.iter_mut().skip(1).zip(coordinates).for_each(|(to, from)| *to = *from);
    point
}

/// The quote was made for this session, or for what else it is bound to.
fn report_data(body: &Body, bound: Bound<'_>, findings: &mut Findings) {
    let (wanted, found) = (bound.report_data, body.report_data());
    let (same, wanted, found) = (found == wanted, hex::encode(wanted), hex::encode(found));
    findings.check(bound.subject, bound.code, same, wanted, found);
}
