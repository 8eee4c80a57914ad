// SPDX-License-Identifier: Apache-2.0

//! TPM quotes that were recorded on real machines, also on Azure's confidential ones, verified at the time given for
//! them.
//!
//! The records are not part of this project; `vectors/mod.rs` says where they are looked for.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test says what it skipped and what was refused")]

mod vectors;

use enarx_evidence::Bundle;
use enarx_evidence::tpm::{AttestationKey, TpmEvidence};
use enarx_evidence::x509::{Document, PublicKey, documents};
use enarx_verifier::policy::{Crl, Freshness, TcbInfo};
use enarx_verifier::{Claims, Code, Root, TrustAnchors, UnixTime, Verification, verify};
use sha2::{Digest as _, Sha256};
use vectors::{Case, Expected, Vectors, earlier, later};

/// What exactly each invalid case is refused for, and nothing else.
const REFUSED: &[(&str, &[Code])] = &[
    ("ak-cert-bad-signature-cmc", &[Code::TpmSignatureInvalid]),
    ("ak-mismatch-mixed", &[Code::TpmSignatureInvalid]),
];

fn refused_for(case: &Case) -> Option<&'static [Code]> {
    REFUSED.iter().find(|(name, _)| *name == case.name()).map(|(_, codes)| *codes)
}

/// Verifies at a time, under anchors.
fn verdict(
    case: &Case,
    bundle: &Bundle,
    anchors: &TrustAnchors,
    crl: Crl,
    now: UnixTime,
) -> Result<(Claims, Root), Vec<Code>> {
    let report_data = case.padded_nonce();
    let tcb_info =
        if case.has_collateral("tcb_info.json") { TcbInfo::Required } else { TcbInfo::AbsentAccepted };
    let verification = Verification {
        bundle,
        report_data: &report_data,
        anchors,
        crl,
        tcb_info,
        freshness: Freshness::default(),
        now,
    };
    match verify(&verification) {
        Ok(verified) => Ok((verified.claims().clone(), verified.root().clone())),
        Err(refusals) => {
            println!("{}:\n{refusals}", case.name());
            Err(refusals.codes().collect())
        }
    }
}

/// The key that a case is trusted by: that of its test authority, or its attestation key.
fn anchors(case: &Case, evidence: &TpmEvidence) -> TrustAnchors {
    let spki: Vec<u8> = match &evidence.key {
        Some(AttestationKey::Spki(spki)) => spki.clone(),
        Some(AttestationKey::Public(public)) => {
            let exponent = public.id.exponent_bytes();
            let enarx_evidence::tpm::PublicId::Rsa { modulus, .. } = &public.id else { panic!("not RSA") };
            PublicKey::Rsa { modulus, exponent: &exponent }.to_spki().unwrap()
        }
        None => {
            let pem = case.certificates().pop().unwrap();
            let der = documents(&pem, 1).unwrap().remove(0);
            let Document::Certificate(root) = Document::parse(&der).unwrap() else { panic!("a list") };
            root.spki.to_vec()
        }
    };
    TrustAnchors::vendors().with_endorsed("case", Sha256::digest(spki).into())
}

fn is_certificate(case: &Case) -> bool {
    case.has("kind")
}

#[test]
fn every_tpm_case() {
    let Some(vectors) = Vectors::find() else { return };
    let mut counted = [0; 2];
    for case in vectors.cases("tpm").filter(|case| !is_certificate(case)) {
        let expected = refused_for(&case);
        let mut measured = Vec::new();
        for evidence in case.quotes() {
            let (bundle, anchors) = (case.bundle_with(evidence.encode()), anchors(&case, &evidence));
            let verdict = verdict(&case, &bundle, &anchors, Crl::Required, case.verify_time());
            match case.expected() {
                Expected::Valid => {
                    assert_eq!(expected, None, "{}", case.name());
                    let (claims, root) = verdict.unwrap();
                    assert!(matches!(root, Root::Endorsed { .. }));
                    measured.push(hex::encode(claims.measurement()));
                }
                Expected::Invalid => assert_eq!(verdict.unwrap_err(), expected.unwrap(), "{}", case.name()),
                Expected::ParseOnly => panic!("{}: nothing is only to be parsed", case.name()),
            }
        }
        let valid = expected.is_none();
        assert_eq!(measured.iter().any(|digest| digest == case.measurement()), valid, "{}", case.name());
        counted[usize::from(!valid)] += 1;
    }
    println!("{} valid, {} invalid", counted[0], counted[1]);
    assert!(counted[0] >= 4 && counted[1] >= 1);
}

#[test]
fn a_certificate_of_google_is_one_of_an_attestation_key() {
    let Some(vectors) = Vectors::find() else { return };
    let case = vectors.cases("tpm").find(is_certificate).unwrap();
    assert_eq!(case.expected(), Expected::Valid);
    // No quote of it was recorded: that of another machine is refused for its signature and nothing else.
    let other = vectors.cases("tpm").find(|other| other.name() == "gce-cos85-nonce").unwrap();
    let quote = TpmEvidence { key: None, ..other.quotes().remove(0) };
    let bundle = case.bundle_with(quote.encode());
    let at = |crl, now| verdict(&other, &bundle, &TrustAnchors::vendors(), crl, now).unwrap_err();
    let now = case.verify_time();
    assert_eq!(at(Crl::AbsentAccepted, now), [Code::TpmSignatureInvalid]);
    // The intermediate says where the list is that could revoke it, and that list was not recorded.
    assert_eq!(at(Crl::Required, now), [Code::CrlMissing, Code::TpmSignatureInvalid]);
    let last = case.valid_until();
    assert_eq!(at(Crl::AbsentAccepted, last), [Code::TpmSignatureInvalid]);
    assert_eq!(at(Crl::AbsentAccepted, later(last)), [Code::CertificateExpired, Code::TpmSignatureInvalid]);
    let first = earlier(case.valid_from());
    assert_eq!(at(Crl::AbsentAccepted, first), [Code::CertificateNotYetValid, Code::TpmSignatureInvalid]);
}

#[test]
fn a_quote_whose_key_nobody_vouches_for_is_refused() {
    let Some(vectors) = Vectors::find() else { return };
    for case in vectors.cases("tpm").filter(|case| case.expected() == Expected::Valid) {
        for evidence in case.quotes() {
            let bundle = case.bundle_with(evidence.encode());
            let anchors = TrustAnchors::vendors();
            let refused = verdict(&case, &bundle, &anchors, Crl::Required, case.verify_time()).unwrap_err();
            let certified = case.file("ak_cert.pem").is_some();
            let expected = if certified { Code::RootNotTrusted } else { Code::TpmKeyNotEndorsed };
            assert_eq!(refused, [expected], "{}", case.name());
        }
    }
}

/// Lists are asked for where they are recorded.
fn crl(case: &Case) -> Crl {
    if case.has_crl() && !case.has("ak_certs") { Crl::Required } else { Crl::AbsentAccepted }
}

fn every_azure_case(tee: &str, valid: usize, invalid: usize) {
    let Some(vectors) = Vectors::find() else { return };
    let mut counted = [0; 2];
    for case in vectors.cases(tee) {
        let expected = refused_for(&case);
        let bundle = case.bundle_with(case.azure_evidence().encode());
        let verdict = verdict(&case, &bundle, &TrustAnchors::vendors(), crl(&case), case.verify_time());
        match case.expected() {
            Expected::Valid => {
                assert_eq!(expected, None, "{}", case.name());
                assert_eq!(hex::encode(verdict.unwrap().0.measurement()), case.measurement());
            }
            Expected::Invalid => assert_eq!(verdict.unwrap_err(), expected.unwrap(), "{}", case.name()),
            Expected::ParseOnly => panic!("{}: nothing is only to be parsed", case.name()),
        }
        counted[usize::from(expected.is_some())] += 1;
    }
    println!("{} valid, {} invalid", counted[0], counted[1]);
    assert!(counted[0] >= valid && counted[1] >= invalid);
}

#[test]
fn every_azure_snp_case() {
    every_azure_case("azure-snp-vtpm", 4, 1);
}

#[test]
fn every_azure_tdx_case() {
    every_azure_case("azure-tdx-vtpm", 3, 1);
}

#[test]
fn the_certificate_of_an_azure_key_is_checked_if_it_is_there() {
    let Some(vectors) = Vectors::find() else { return };
    let case = vectors.cases("azure-tdx-vtpm").find(|case| case.has("ak_certs")).unwrap();
    let bundle = case.bundle_with(case.azure_evidence().encode());
    let at = |crl, now| verdict(&case, &bundle, &TrustAnchors::vendors(), crl, now);
    let (claims, root) = at(Crl::AbsentAccepted, case.verify_time()).unwrap();
    let Claims::AzureTdx(claims) = claims else { panic!("another TEE") };
    let name = "2ede2d532aaf.ConfidentialVM.Azure.windows.net";
    assert_eq!(claims.machine.certificate.as_deref(), Some(name));
    assert_eq!(root, Root::Intel);
    // Both intermediates say where the lists are that could revoke them, and those were not recorded.
    let missing = at(Crl::Required, case.verify_time()).unwrap_err();
    assert_eq!(missing, [Code::CrlMissing, Code::CrlMissing]);
    // Without the certificate of the intermediate the chain leads nowhere; without the key's there is none.
    let mut alone = bundle.clone();
    alone.endorsements.items.retain(|item| *item != case.file("ak_intermediates.pem").unwrap());
    let now = case.verify_time();
    let refused = verdict(&case, &alone, &TrustAnchors::vendors(), Crl::AbsentAccepted, now);
    assert_eq!(refused.unwrap_err(), [Code::IssuerMissing]);
    alone.endorsements.items.retain(|item| *item != case.file("ak_cert.pem").unwrap());
    assert!(verdict(&case, &alone, &TrustAnchors::vendors(), Crl::AbsentAccepted, now).is_ok());
}
