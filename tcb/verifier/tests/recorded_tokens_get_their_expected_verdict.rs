// SPDX-License-Identifier: Apache-2.0

//! Tokens of Arm CCA and documents of AWS Nitro Enclaves that were recorded elsewhere, verified at the time given for
//! them.
//!
//! The records are not part of this project; `vectors/mod.rs` says where they are looked for.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test says what it skipped and what was refused")]

mod vectors;

use enarx_evidence::cose::EcKey;
use enarx_evidence::nitro::Document as NitroDocument;
use enarx_evidence::x509::{Document, documents};
use enarx_verifier::policy::{Crl, Freshness, TcbInfo};
use enarx_verifier::{Claims, Code, TrustAnchors, UnixTime, Verification, verify};
use sha2::{Digest as _, Sha256};
use vectors::{Case, Expected, Vectors, earlier, later};

/// What exactly each invalid case is refused for, and nothing else.
const REFUSED: &[(&str, &[Code])] = &[
    ("rak-binding-mismatch-rust", &[Code::RealmKeyMismatch]),
    // The certificates of the enclave and of its instance; the instance's lives for a day.
    ("expired-fortanix", &[Code::CertificateExpired]),
    ("tampered-signature-fortanix", &[Code::ReportSignatureInvalid]),
    ("tampered-certificate-fortanix", &[Code::EndorsementMalformed]),
    ("unknown-ca-fortanix", &[Code::RootNotTrusted]),
    // Neither its unprotected header nor its chain are there.
    ("selfsigned-blocky", &[Code::EvidenceMalformed]),
];

/// Verifies at a time, with exactly the anchors and keys of the case.
fn codes(case: &Case, anchors: &TrustAnchors, now: UnixTime) -> Result<Claims, Vec<Code>> {
    let bundle = case.bundle();
    let bound = bound(case);
    let mut report_data = [0; 64];
    if let Some(start) = report_data.get_mut(..bound.len()) {
        start.copy_from_slice(&bound);
    }
    let verification = Verification {
        bundle: &bundle,
        report_data: &report_data,
        anchors,
        crl: Crl::Required,
        tcb_info: TcbInfo::Required,
        freshness: Freshness::default(),
        now,
    };
    let refusals = match verify(&verification) {
        Ok(verified) => return Ok(verified.claims().clone()),
        Err(refusals) => refusals,
    };
    println!("{}:\n{refusals}", case.name());
    let mut codes = refusals.codes().collect::<Vec<_>>();
    // More than report data can be bound to, as no evidence of Enarx is.
    if bound.len() > report_data.len() {
        let unbound = codes.iter().filter(|code| **code == Code::ReportDataMismatch).count();
        assert_eq!(unbound, 1, "{}", case.name());
        codes.retain(|code| *code != Code::ReportDataMismatch);
    }
    codes.dedup();
    Err(codes)
}

/// What a token is bound to: the challenge of a realm, the user data of an enclave.
fn bound(case: &Case) -> Vec<u8> {
    let nitro = |bytes: &[u8]| NitroDocument::parse(bytes).ok()?.claims.user_data.bytes().map(<[u8]>::to_vec);
    match case.tee() {
        "cca" => case.bytes("nonce"),
        _ => nitro(&case.evidence()),
    }
    .unwrap_or_default()
}

/// The keys that the manifest names for a case: the vendor's root, or those of the case itself.
fn anchors(case: &Case) -> TrustAnchors {
    if case.names_root("roots/aws/nitro-enclaves-root-g1.pem") {
        return TrustAnchors::vendors();
    }
    case.certificates()
        .iter()
        .fold(TrustAnchors::none(), |anchors, key| anchors.with_endorsed("case", spki(key)))
}

fn spki(key: &[u8]) -> [u8; 32] {
    if let Ok(key) = EcKey::from_jwk(key) {
        return Sha256::digest(key.spki()).into();
    }
    let der = documents(key, 1).unwrap().remove(0);
    match Document::parse(&der) {
        Ok(Document::Certificate(certificate)) => Sha256::digest(certificate.spki).into(),
        _ => Sha256::digest(der).into(),
    }
}

fn every_case(tee: &str, valid: usize, invalid: usize) {
    let Some(vectors) = Vectors::find() else { return };
    let mut counted = [0; 2];
    for case in vectors.cases(tee) {
        let expected = REFUSED.iter().find(|(name, _)| *name == case.name()).map(|(_, codes)| *codes);
        let verdict = codes(&case, &anchors(&case), case.verify_time());
        match case.expected() {
            Expected::Valid => {
                counted[0] += 1;
                assert_eq!(expected, None, "{}", case.name());
                match verdict {
                    Ok(claims) => assert_eq!(hex::encode(claims.measurement()), case.measurement()),
                    Err(codes) => assert_eq!(codes, [], "{}", case.name()),
                }
            }
            Expected::Invalid => {
                counted[1] += 1;
                let Some(expected) = expected else { panic!("{}: which refusal?", case.name()) };
                assert_eq!(verdict.unwrap_err(), expected, "{}", case.name());
            }
            Expected::ParseOnly => panic!("{}: nothing is only to be parsed", case.name()),
        }
    }
    println!("{} valid, {} invalid", counted[0], counted[1]);
    assert!(counted[0] >= valid && counted[1] >= invalid);
}

#[test]
fn every_nitro_case() {
    every_case("nitro", 8, 5);
}

#[test]
fn every_cca_case() {
    every_case("cca", 5, 1);
}

#[test]
fn a_platform_whose_key_nobody_endorsed_is_refused() {
    let Some(vectors) = Vectors::find() else { return };
    for case in vectors.cases("cca").filter(|case| case.expected() == Expected::Valid) {
        let refused = codes(&case, &TrustAnchors::vendors(), case.verify_time()).unwrap_err();
        assert_eq!(refused, [Code::RootNotTrusted], "{}", case.name());
    }
}

#[test]
fn a_document_is_believed_while_its_certificates_are_valid() {
    let Some(vectors) = Vectors::find() else { return };
    let mut counted = 0;
    for case in vectors.cases("nitro").filter(|case| case.expected() == Expected::Valid) {
        let at = |now| codes(&case, &TrustAnchors::vendors(), now).err().unwrap_or_default();
        assert_eq!(at(case.valid_from()), []);
        assert_eq!(at(case.valid_until()), []);
        assert_eq!(at(earlier(case.valid_from())), [Code::CertificateNotYetValid]);
        assert_eq!(at(later(case.valid_until())), [Code::CertificateExpired]);
        counted += 1;
    }
    assert!(counted >= 8);
}
