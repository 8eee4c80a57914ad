// SPDX-License-Identifier: Apache-2.0

//! Evidence recorded on real machines, verified at the time given for it.
//!
//! The records are not part of this project; `vectors/mod.rs` says where they are looked for.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test says what it skipped and what was refused")]

mod vectors;

use std::collections::BTreeSet;

use enarx_evidence::snp::{CertTable, Guid, Report};
use enarx_evidence::{Bundle, Endorsements};
use enarx_verifier::policy::{Crl, Freshness, TcbInfo};
use enarx_verifier::{Claims, Code, TrustAnchors, Verification, verify};
use vectors::{Case, Expected, Vectors};

/// What exactly each invalid case is refused for, and nothing else.
const REFUSED: &[(&str, &[Code])] = &[
    ("milan-v2-vcek-invalid-legacy", FOREIGN_CERTIFICATE),
    ("milan-v2-vcek-invalid-new", FOREIGN_CERTIFICATE),
    ("milan-v2-cmc-bad-signature", &[Code::ReportSignatureInvalid]),
    // Put into the chain of `genoa-v3-tsm-veraison`, whose VCEK its successor signed.
    ("genoa-ask-revoked", &[Code::CertificateSignatureInvalid, Code::CertificateRevoked]),
];

/// The certificate of another chip and TCB version, and not even signed by AMD.
const FOREIGN_CERTIFICATE: &[Code] = &[
    Code::CertificateSignatureInvalid,
    Code::TcbMismatch,
    Code::ChipIdMismatch,
    Code::ReportSignatureInvalid,
];

fn codes(case: &Case, bundle: &Bundle, crl: Crl) -> Result<Claims, BTreeSet<Code>> {
    let report_data = case.report_data();
    let verification = Verification {
        bundle,
        report_data: &report_data,
        anchors: &TrustAnchors::vendors(),
        crl,
        tcb_info: TcbInfo::Required,
        freshness: Freshness::default(),
        now: case.verify_time(),
    };
    match verify(&verification) {
        Ok(verified) => Ok(verified.claims().clone()),
        Err(refusals) => {
            println!("{}:\n{refusals}", case.name());
            Err(refusals.codes().collect())
        }
    }
}

/// A list is asked for exactly where one is recorded for the time.
fn crl(case: &Case) -> Crl {
    if case.has_crl() { Crl::Required } else { Crl::AbsentAccepted }
}

#[test]
fn every_snp_case() {
    let Some(vectors) = Vectors::find() else { return };
    let mut counted = [0; 3];
    for case in vectors.snp_cases() {
        let expected = REFUSED.iter().find(|(name, _)| *name == case.name()).map(|(_, codes)| *codes);
        match case.expected() {
            Expected::Valid => {
                counted[0] += 1;
                assert_eq!(expected, None, "{}", case.name());
                let claims = codes(&case, &case.bundle(), crl(&case)).unwrap();
                let Claims::SevSnp(claims) = claims else { panic!("another TEE") };
                assert_eq!(hex::encode(claims.report.measurement), case.measurement());
                assert_eq!(claims.report.version.number(), case.report_version());
                let product = case.product().to_lowercase();
                let generation = if product.starts_with("siena") { "genoa" } else { &product };
                assert!(generation.starts_with(claims.generation.name()), "{}", case.name());
            }
            Expected::Invalid => {
                counted[1] += 1;
                let Some(expected) = expected else { panic!("{}: which refusal?", case.name()) };
                let refused = codes(&case, &case.bundle(), crl(&case)).unwrap_err();
                assert_eq!(refused, expected.iter().copied().collect(), "{}", case.name());
            }
            Expected::ParseOnly => {
                counted[2] += 1;
                let bytes = case.evidence();
                assert_eq!(Report::parse(&bytes).unwrap().encode().as_slice(), bytes);
            }
        }
    }
    println!("{} valid, {} invalid, {} only to be parsed", counted[0], counted[1], counted[2]);
    assert!(counted.iter().all(|count| *count > 0));
}

#[test]
fn a_missing_list_is_refused_unless_the_policy_accepts_it() {
    let Some(vectors) = Vectors::find() else { return };
    for case in vectors.snp_cases().filter(|case| case.expected() == Expected::Valid) {
        let without = case.bundle_of(case.certificates());
        assert_eq!(codes(&case, &without, Crl::Required).unwrap_err(), BTreeSet::from([Code::CrlMissing]));
        assert!(codes(&case, &without, Crl::AbsentAccepted).is_ok(), "{}", case.name());
    }
}

#[test]
fn an_old_list_is_refused_and_yet_revokes() {
    let Some(vectors) = Vectors::find() else { return };
    let case = vectors.case("milan-v2-vcek-trustee");
    let mut bundle = case.bundle_of(case.certificates());
    bundle.endorsements.items.push(vectors.read("collateral/amd/milan-2022.crl.der"));
    assert_eq!(codes(&case, &bundle, Crl::Required).unwrap_err(), BTreeSet::from([Code::CrlExpired]));
    assert!(codes(&case, &bundle, Crl::AbsentAccepted).is_ok());
    // A current list beside it satisfies.
    bundle.endorsements.items.push(vectors.read("collateral/amd/milan-2025.crl.pem"));
    assert!(codes(&case, &bundle, Crl::Required).is_ok());

    let case = vectors.case("genoa-ask-revoked");
    let mut bundle = case.bundle_of(case.certificates());
    bundle.endorsements.items.push(vectors.read("collateral/amd/genoa-2022.crl.der"));
    let expected = BTreeSet::from([Code::CertificateSignatureInvalid, Code::CertificateRevoked]);
    assert_eq!(codes(&case, &bundle, Crl::AbsentAccepted).unwrap_err(), expected);
}

#[test]
fn order_encoding_and_repetition_of_endorsements_mean_nothing() {
    let Some(vectors) = Vectors::find() else { return };
    let case = vectors.case("milan-v2-go-sev-guest");
    let bundle = case.bundle();
    let mut items = bundle.endorsements.items.clone();
    // The chain as the key server gives it out, beside its parts; lists and roots of other machines.
    items.push(vectors.read("snp/milan-v2-go-sev-guest/ask_ark_chain.pem"));
    items.push(vectors.read("collateral/amd/genoa-2024.crl.pem"));
    items.push(vectors.read("roots/amd/genoa-ask-serial20001-revoked.pem"));
    items.push(vectors.read("roots/amd/turin-ark.pem"));
    items.push(vectors.read("roots/amd/milan-asvk.pem"));
    for _ in 0..items.len() {
        items.rotate_left(1);
        let endorsements = Endorsements { items: items.clone() };
        let bundle = Bundle { endorsements, ..bundle.clone() };
        assert!(codes(&case, &bundle, Crl::Required).is_ok());
    }
    items.reverse();
    let joined = Endorsements { items: vec![pem(&items)] };
    assert!(codes(&case, &Bundle { endorsements: joined, ..bundle }, Crl::Required).is_ok());
}

/// One PEM text of everything that is PEM, with text around it.
fn pem(items: &[Vec<u8>]) -> Vec<u8> {
    let texts = items.iter().filter(|item| item.starts_with(b"-----"));
    let mut joined =
        texts.fold(b"subject=CN = somebody\n".to_vec(), |joined, text| [joined, text.clone()].concat());
    for der in items.iter().filter(|item| !item.starts_with(b"-----")) {
        let text = pem_rfc7468::encode_string("CERTIFICATE", pem_rfc7468::LineEnding::CRLF, der).unwrap();
        joined.extend_from_slice(text.as_bytes());
    }
    joined
}

#[test]
fn a_certificate_table_of_linux_is_read() {
    let Some(vectors) = Vectors::find() else { return };
    let case = vectors.case("genoa-v3-tsm-veraison");
    let table = CertTable::parse(&vectors.read("snp/genoa-v3-tsm-veraison/auxblob.bin")).unwrap();
    let items = [Guid::ARK, Guid::ASK, Guid::VCEK].map(|guid| table.get(guid).unwrap().to_vec());
    let mut bundle = case.bundle_of(items.to_vec());
    assert!(codes(&case, &bundle, Crl::AbsentAccepted).is_ok());
    bundle.endorsements.items.push(vectors.read("collateral/amd/genoa-2024.crl.pem"));
    assert!(codes(&case, &bundle, Crl::Required).is_ok());
}

#[test]
fn certificates_of_other_machines_do_not_help() {
    let Some(vectors) = Vectors::find() else { return };
    let case = vectors.case("turin-v5-azure-microsoft");
    let foreign = case.bundle_of(vectors.case("milan-v3-azure-microsoft").certificates());
    let expected = BTreeSet::from([
        Code::ProductMismatch,
        Code::TcbMismatch,
        Code::ChipIdMismatch,
        Code::ReportSignatureInvalid,
    ]);
    assert_eq!(codes(&case, &foreign, Crl::AbsentAccepted).unwrap_err(), expected);

    // A VLEK does not stand in for a VCEK, nor the other way round.
    let (vlek, vcek) = (vectors.case("milan-v3-vlek-aws-trustee"), vectors.case("milan-v3-scitt-ccf"));
    for (case, other) in [(&vlek, &vcek), (&vcek, &vlek)] {
        let bundle = case.bundle_of(other.certificates());
        let expected = BTreeSet::from([Code::KeyCertificateMissing]);
        assert_eq!(codes(case, &bundle, Crl::AbsentAccepted).unwrap_err(), expected);
    }
}

#[test]
fn time_decides() {
    let Some(vectors) = Vectors::find() else { return };
    let case = vectors.case("milan-v3-vlek-aws-trustee");
    let report_data = case.report_data();
    let at = |now| {
        let (anchors, bundle) = (TrustAnchors::vendors(), case.bundle());
        let verification = Verification {
            bundle: &bundle,
            report_data: &report_data,
            anchors: &anchors,
            crl: Crl::AbsentAccepted,
            tcb_info: TcbInfo::Required,
            freshness: Freshness::default(),
            now,
        };
        verify(&verification).map(|_| ()).map_err(|refusals| refusals.codes().collect::<Vec<_>>())
    };
    let (first, last) = (case.valid_from(), case.valid_until());
    assert_eq!(at(first), Ok(()));
    assert_eq!(at(last), Ok(()));
    let (before, after) = (vectors::earlier(first), vectors::later(last));
    assert_eq!(at(before), Err(vec![Code::CertificateNotYetValid]));
    assert_eq!(at(after), Err(vec![Code::CertificateExpired]));
}
