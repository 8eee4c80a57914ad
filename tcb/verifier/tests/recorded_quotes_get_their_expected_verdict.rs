// SPDX-License-Identifier: Apache-2.0

//! Quotes recorded on real machines with Intel's SGX and TDX, verified at the time given for them.
//!
//! The records are not part of this project; `vectors/mod.rs` says where they are looked for.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test says what it skipped and what was refused")]

mod vectors;

use std::collections::BTreeSet;

use enarx_evidence::Bundle;
use enarx_evidence::dcap::TcbStatus;
use enarx_verifier::policy::{Crl, Freshness, TcbInfo};
use enarx_verifier::{Claims, Code, DcapClaims, Root, TrustAnchors, UnixTime, Verification, verify};
use toml::Value;
use vectors::{Case, Expected, Vectors};

/// What exactly each invalid case is refused for, and nothing else.
const REFUSED: &[(&str, &[Code])] = &[
    ("v4-spr-go-tdx-guest", &[Code::TcbLevelMissing]),
    ("v5-emr-no-matching-level-phala", &[Code::TcbLevelMissing]),
    ("v5-emr-trustee", &[Code::TcbLevelMissing]),
    // `nextUpdate` was edited, to before `issueDate`.
    ("v4-spr-tcbinfo-tampered-cmc", &[Code::TcbInfoSignatureInvalid, Code::TcbInfoExpired]),
    // Another key of the same name; Intel's own root, which is beside it, signed nothing of this.
    ("v4-preproduction-root-cc-api", &[Code::CertificateSignatureInvalid]),
    ("v4-emr-collateral-expired-phala", &[Code::CrlExpired, Code::TcbInfoExpired, Code::QeIdentityExpired]),
    ("v4-emr-fmspc-mismatch-mixed", &[Code::FmspcMismatch]),
    ("v4-emr-sgx-qe-identity-mixed", &[Code::QeIdentityMismatch]),
    ("v3-coffeelake-corrupted-fortanix", &[Code::QuoteSignatureInvalid]),
    ("v3-encrypted-ppid-fortanix", &[Code::PckCertificateMissing]),
    // The name of the authority was altered, so that it is not the one that the PCK certificate names.
    ("v3-coffeelake-bad-report-oe", &[Code::IssuerMissing]),
    // The certificate of the Platform CA stands in for that of the TCB signing key.
    ("v3-icelake-bad-tcb-signing-cert-oasis", &[Code::TcbSignerMissing]),
];

/// What goes with a case. A file that is marked bad is meant to stand in for its namesake.
fn bundle(case: &Case) -> Bundle {
    let mut items = case.certificates();
    for path in case.paths("collateral") {
        let bad = path.replace(".pem", "_bad.pem");
        let others = case.paths("other_files");
        let path = if bad != path && others.contains(&bad) { bad } else { path };
        items.push(case.read(&path));
    }
    case.bundle_of(items)
}

struct Asked {
    crl: Crl,
    tcb_info: TcbInfo,
    now: UnixTime,
}

/// Everything is asked for exactly where it is recorded.
fn asked(case: &Case) -> Asked {
    let lists = case.has_collateral("pck_crl.der") && case.has_collateral("root_ca_crl.der");
    let documents = case.has_collateral("tcb_info.json") && case.has_collateral("qe_identity.json");
    Asked {
        crl: if lists { Crl::Required } else { Crl::AbsentAccepted },
        tcb_info: if documents { TcbInfo::Required } else { TcbInfo::AbsentAccepted },
        now: case.verify_time(),
    }
}

fn ask(case: &Case, bundle: &Bundle, asked: &Asked) -> Result<DcapClaims, BTreeSet<Code>> {
    let report_data = case.said("report_data").map_or([0; 64], |_| case.report_data());
    let verification = Verification {
        bundle,
        report_data: &report_data,
        anchors: &TrustAnchors::vendors(),
        crl: asked.crl,
        tcb_info: asked.tcb_info,
        freshness: Freshness::default(),
        now: asked.now,
    };
    match verify(&verification) {
        Ok(verified) => {
            assert_eq!(verified.root(), &Root::Intel);
            assert!(!verified.checks().is_empty() && verified.checks().iter().all(|check| check.passed));
            match (verified.claims(), case.tee()) {
                (Claims::Tdx(claims), "tdx") | (Claims::Sgx(claims), "sgx") => Ok((**claims).clone()),
                (other, _) => panic!("{}: {other:?}", case.name()),
            }
        }
        Err(refusals) => {
            println!("{}:\n{refusals}", case.name());
            Err(refusals.codes().collect())
        }
    }
}

fn text(value: Option<&Value>) -> Option<String> {
    value.and_then(Value::as_str).map(str::to_owned)
}

/// The claims are what the manifest says of the case.
fn check(case: &Case, claims: &DcapClaims) {
    let name = case.name();
    assert_eq!(hex::encode(claims.measurement()), case.measurement(), "{name}");
    assert_eq!(u32::from(claims.quote.header.version.number()), case.report_version(), "{name}");
    assert_eq!(Some(hex::encode(claims.pck.fmspc)), text(case.said("fmspc")), "{name}");
    let product = case.product().split(" (").next().unwrap().to_lowercase().replace(' ', "-");
    let product = product.trim_end_matches("-client").trim_end_matches("-e");
    assert_eq!(claims.product().to_string(), product, "{name}");
    let trailing = case.said("trailing_bytes").and_then(Value::as_integer).unwrap_or(0);
    assert_eq!(claims.quote.trailing.len(), usize::try_from(trailing).unwrap(), "{name}");

    let status = claims.tcb.as_ref().map(|tcb| tcb.status.name().to_owned());
    assert_eq!(status, text(case.said("tcb_status")), "{name}");
    let Some(tcb) = &claims.tcb else { return };
    let status = |status: Option<TcbStatus>| status.map(|status| status.name().to_owned());
    let module = status(tcb.module.as_ref().map(|part| part.status));
    assert_eq!(module, text(case.said("tdx_module_status")), "{name}");
    let enclave = status(tcb.quoting_enclave.as_ref().map(|part| part.status));
    assert_eq!(enclave, text(case.said("qe_status")), "{name}");
    assert_eq!(Some(tcb.platform.date.to_string()), text(case.said("tcb_date")), "{name}");
    let advisories = case.said("advisory_ids").and_then(Value::as_array).unwrap();
    let advisories = advisories.iter().map(|id| id.as_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(tcb.platform.advisories, advisories, "{name}");
    let number = case.said("tcb_eval_number").and_then(Value::as_integer);
    assert_eq!(Some(i64::from(tcb.platform.evaluation_data_number)), number, "{name}");
}

#[test]
fn a_root_of_the_same_name_is_not_intels() {
    let Some(vectors) = Vectors::find() else { return };
    let case = case(&vectors, "v4-preproduction-root-cc-api");
    let alone = case.bundle_of(vec![]);
    assert_eq!(ask(&case, &alone, &asked(&case)).unwrap_err(), BTreeSet::from([Code::RootNotTrusted]));
}

#[test]
fn every_case() {
    let Some(vectors) = Vectors::find() else { return };
    let (mut valid, mut invalid) = (0, 0);
    for case in vectors.cases("tdx").chain(vectors.cases("sgx")) {
        let expected = REFUSED.iter().find(|(name, _)| *name == case.name()).map(|(_, codes)| *codes);
        let found = ask(&case, &bundle(&case), &asked(&case));
        match case.expected() {
            Expected::Valid => {
                valid += 1;
                assert_eq!(expected, None, "{}", case.name());
                let claims = found.unwrap_or_else(|codes| panic!("{}: {codes:?}", case.name()));
                check(&case, &claims);
            }
            Expected::Invalid => {
                invalid += 1;
                let Some(expected) = expected else { panic!("{}: which refusal?", case.name()) };
                assert_eq!(found.unwrap_err(), expected.iter().copied().collect(), "{}", case.name());
            }
            Expected::ParseOnly => panic!("{}: nothing can be verified", case.name()),
        }
    }
    println!("{valid} valid, {invalid} invalid");
    assert!(valid >= 24 && invalid >= 12);
}

fn case(vectors: &Vectors, name: &str) -> Case {
    vectors.cases("tdx").chain(vectors.cases("sgx")).find(|case| case.name() == name).unwrap()
}

#[test]
fn each_document_is_needed() {
    let Some(vectors) = Vectors::find() else { return };
    let case = case(&vectors, "v4-emr-uptodate-phala");
    let missing = [
        ("tcb_info.json", Code::TcbInfoMissing),
        ("qe_identity.json", Code::QeIdentityMissing),
        ("tcb_signing_chain.pem", Code::TcbSignerMissing),
        ("pck_crl.der", Code::CrlMissing),
        ("root_ca_crl.der", Code::CrlMissing),
    ];
    for (name, code) in missing {
        let paths = case.paths("collateral").into_iter().filter(|path| !path.ends_with(name));
        let bundle = case.bundle_of(paths.map(|path| case.read(&path)).collect());
        assert_eq!(ask(&case, &bundle, &asked(&case)).unwrap_err(), BTreeSet::from([code]), "{name}");
    }
}

#[test]
fn order_and_encoding_of_endorsements_mean_nothing() {
    let Some(vectors) = Vectors::find() else { return };
    for case in vectors.cases("tdx").filter(|case| case.expected() == Expected::Valid) {
        let mut bundle = bundle(&case);
        for item in &mut bundle.endorsements.items {
            // DER as caches of Intel's service answer it.
            if item.first() == Some(&0x30) {
                *item = hex::encode_upper(&*item).into_bytes();
            }
        }
        bundle.endorsements.items.reverse();
        assert!(ask(&case, &bundle, &asked(&case)).is_ok(), "{}", case.name());
    }
}

/// The times, and what is too old or too new then, are those that the source of the case tests.
#[test]
fn time_decides() {
    use Code::{
        CertificateExpired, CertificateNotYetValid, QeIdentityExpired, QeIdentityNotYetValid, TcbInfoExpired,
        TcbInfoNotYetValid,
    };
    let Some(vectors) = Vectors::find() else { return };
    let case = case(&vectors, "v3-icelake-swhardening-oasis");
    let at = |now| ask(&case, &bundle(&case), &Asked { now: UnixTime(now), ..asked(&case) }).map(|_| ());
    let times: [(u64, &[Code]); 4] = [
        (1_670_238_720, &[CertificateNotYetValid, TcbInfoNotYetValid, QeIdentityNotYetValid]),
        (1_671_194_735, &[TcbInfoNotYetValid, QeIdentityNotYetValid]),
        (1_673_786_737, &[QeIdentityExpired]),
        // 2029-12-06
        (1_891_209_600, &[CertificateExpired, TcbInfoExpired, QeIdentityExpired]),
    ];
    for (now, codes) in times {
        assert_eq!(at(now), Err(codes.iter().copied().collect()), "{now}");
    }
    let (first, last) = (case.valid_from(), case.valid_until());
    assert_eq!(at(first.0), Ok(()));
    assert_eq!(at(last.0 - 1), Ok(()));
}

#[test]
fn a_quote_is_for_one_session() {
    let Some(vectors) = Vectors::find() else { return };
    let case = case(&vectors, "v4-emr-uptodate-phala");
    let bundle = bundle(&case);
    let Asked { crl, tcb_info, now } = asked(&case);
    let (anchors, report_data) = (TrustAnchors::vendors(), &[0; 64]);
    let verification = Verification {
        bundle: &bundle,
        report_data,
        anchors: &anchors,
        crl,
        tcb_info,
        freshness: Freshness::default(),
        now,
    };
    let refusals = verify(&verification).unwrap_err();
    assert_eq!(refusals.codes().collect::<Vec<_>>(), [Code::ReportDataMismatch]);
}
