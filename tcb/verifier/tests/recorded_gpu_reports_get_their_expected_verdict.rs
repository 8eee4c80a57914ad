// SPDX-License-Identifier: Apache-2.0

//! Reports of NVIDIA's GPUs and switches that were recorded elsewhere, verified at the time given for them.
//!
//! The records are not part of this project; `vectors/mod.rs` says where they are looked for.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test says what it skipped and what was refused")]

mod vectors;

use enarx_evidence::Bundle;
use enarx_verifier::policy::{Crl, TcbInfo};
use enarx_verifier::{Claims, Code, NvGpuClaims, Root, TrustAnchors, UnixTime, Verification, verify};
use toml::Value;
use vectors::{Case, Expected, Vectors, later};

/// What exactly each invalid case is refused for, and nothing else.
const REFUSED: &[(&str, &[Code])] = &[
    ("hopper-bad-signature", &[Code::ReportSignatureInvalid, Code::FirmwareIdMismatch]),
    ("switch-ls10-bad-signature", &[Code::ReportSignatureInvalid]),
    ("hopper-bad-chain-case2", &[Code::KeyCertificateMissing]),
    // The chain ends with the boot ROM's certificate, whose issuer's is not there.
    ("hopper-bad-chain-case3", &[Code::RootMissing]),
    ("hopper-bad-chain-case4", &[Code::KeyCertificateMissing]),
];

fn bundle(case: &Case) -> Bundle {
    let report = case.file("report.bin").unwrap();
    let mut bundle = case.bundle_with(report);
    bundle.endorsements.items = case.files("certs");
    bundle
}

fn verdict(case: &Case, bundle: &Bundle, crl: Crl, now: UnixTime) -> Result<NvGpuClaims, Vec<Code>> {
    let verification = Verification {
        bundle,
        report_data: &case.padded_nonce(),
        anchors: &TrustAnchors::vendors(),
        crl,
        tcb_info: TcbInfo::Required,
        now,
    };
    match verify(&verification) {
        Ok(verified) => {
            assert_eq!(verified.root(), &Root::Nvidia);
            let Claims::NvGpu(claims) = verified.claims().clone() else { panic!("another TEE") };
            Ok(*claims)
        }
        Err(refusals) => {
            println!("{}:\n{refusals}", case.name());
            Err(refusals.codes().collect())
        }
    }
}

#[test]
fn every_case() {
    let Some(vectors) = Vectors::find() else { return };
    let mut counted = [0; 2];
    for case in vectors.cases("nvgpu") {
        let expected = REFUSED.iter().find(|(name, _)| *name == case.name()).map(|(_, codes)| *codes);
        // No list of NVIDIA's was recorded.
        let verdict = verdict(&case, &bundle(&case), Crl::AbsentAccepted, case.verify_time());
        match case.expected() {
            Expected::Valid => {
                assert_eq!(expected, None, "{}", case.name());
                let claims = verdict.unwrap();
                let product = case.product().split(' ').next().unwrap().to_lowercase();
                assert_eq!(claims.product.to_string(), product);
                let count = case.said("measurement_blocks").and_then(Value::as_integer).unwrap();
                assert_eq!(claims.report.measurements.len(), usize::try_from(count).unwrap());
                let driver = case.said("driver_version").and_then(Value::as_str);
                assert_eq!(claims.driver_version().as_deref(), driver);
            }
            Expected::Invalid => assert_eq!(verdict.unwrap_err(), expected.unwrap(), "{}", case.name()),
            Expected::ParseOnly => panic!("{}: nothing is only to be parsed", case.name()),
        }
        counted[usize::from(expected.is_some())] += 1;
    }
    println!("{} valid, {} invalid", counted[0], counted[1]);
    assert!(counted[0] >= 7 && counted[1] >= 5);
}

#[test]
fn lists_and_time_and_the_device_count() {
    let Some(vectors) = Vectors::find() else { return };
    let case = |name| vectors.cases("nvgpu").find(|case| case.name() == name).unwrap();
    let hopper = case("hopper-550.90.07-rim-ocsp");
    let (own, now) = (bundle(&hopper), hopper.verify_time());
    // The provisioner and the family say where the lists are that could revoke them.
    let missing = verdict(&hopper, &own, Crl::Required, now).unwrap_err();
    assert_eq!(missing, [Code::CrlMissing, Code::CrlMissing]);
    let after = verdict(&hopper, &own, Crl::AbsentAccepted, later(hopper.valid_until())).unwrap_err();
    assert_eq!(after, [Code::CertificateExpired; 5]);
    // With the certificates of another device the signature is nobody's.
    let mut foreign = own.clone();
    foreign.endorsements.items = bundle(&case("blackwell-575.32")).endorsements.items;
    let refused = verdict(&hopper, &foreign, Crl::AbsentAccepted, now).unwrap_err();
    assert_eq!(refused, [Code::ReportSignatureInvalid, Code::FirmwareIdMismatch]);
    // Beside its own they change nothing.
    foreign.endorsements.items.extend(own.endorsements.items);
    assert!(verdict(&hopper, &foreign, Crl::AbsentAccepted, now).is_ok());
    // A byte behind the report, which some collectors leave there, is refused.
    let mut longer = bundle(&hopper);
    longer.evidence.bytes.push(0);
    assert_eq!(verdict(&hopper, &longer, Crl::AbsentAccepted, now).unwrap_err(), [Code::EvidenceMalformed]);
}

#[test]
fn versions_are_written_as_nvidia_does() {
    let Some(vectors) = Vectors::find() else { return };
    let version = |name| {
        let case = vectors.cases("nvgpu").find(|case| case.name() == name).unwrap();
        let claims = verdict(&case, &bundle(&case), Crl::AbsentAccepted, case.verify_time()).unwrap();
        claims.vbios_version().unwrap()
    };
    // As the reference manifests of these two have it (`colloquialVersion`).
    assert_eq!(version("hopper-550.90.07-rim-ocsp"), "96.00.9F.00.01");
    assert_eq!(version("switch-ls10"), "96.10.55.00.01");
}
