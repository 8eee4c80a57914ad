// SPDX-License-Identifier: Apache-2.0

//! Reports of NVIDIA's GPUs and switches that were recorded elsewhere, verified at the time given for them.
//!
//! The records are not part of this project; `vectors/mod.rs` says where they are looked for.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test says what it skipped and what was refused")]

mod vectors;

use std::collections::BTreeSet;

use enarx_evidence::Bundle;
use enarx_evidence::nvgpu::Rim;
use enarx_verifier::crypto::{RustCrypto, SignatureVerifier, Signed};
use enarx_verifier::policy::{Crl, Freshness, TcbInfo};
use enarx_verifier::{Claims, Code, NvGpuClaims, Root, TrustAnchors, UnixTime, Verification, verify_with};
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

/// The reference manifests of a case that are valid at its time.
const MANIFESTS: [&str; 2] = ["rim_driver_550.90.07.xml", "rim_vbios_96009F0001.xml"];

fn bundle(case: &Case) -> Bundle {
    let report = case.file("report.bin").unwrap();
    let mut bundle = case.bundle_with(report);
    bundle.endorsements.items = case.files("certs");
    bundle.endorsements.items.extend(MANIFESTS.iter().filter_map(|name| case.file(name)));
    bundle
}

fn verdict(case: &Case, bundle: &Bundle, crl: Crl, now: UnixTime) -> Result<NvGpuClaims, Vec<Code>> {
    verdict_by(case, bundle, crl, now, &mut RustCrypto)
}

fn verdict_by(
    case: &Case,
    bundle: &Bundle,
    crl: Crl,
    now: UnixTime,
    crypto: &mut dyn SignatureVerifier,
) -> Result<NvGpuClaims, Vec<Code>> {
    let verification = Verification {
        bundle,
        report_data: &case.padded_nonce(),
        anchors: &TrustAnchors::vendors(),
        crl,
        tcb_info: TcbInfo::Required,
        freshness: Freshness::default(),
        now,
    };
    match verify_with(&verification, crypto) {
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
                let manifests =
                    bundle(&case).endorsements.items.iter().filter(|item| Rim::looks_like(item)).count();
                assert_eq!(claims.manifests.len(), manifests);
                let driver = case.said("driver_version").and_then(Value::as_str);
                assert_eq!(claims.driver_version.as_deref(), driver);
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
    // The provisioner and the family say where the lists are that could revoke them, and so does one authority of each
    // manifest.
    let missing = verdict(&hopper, &own, Crl::Required, now).unwrap_err();
    assert_eq!(missing, [Code::CrlMissing; 4]);
    let mut own = own;
    own.endorsements.items.retain(|item| !Rim::looks_like(item));
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
        claims.vbios_version.unwrap()
    };
    // As the reference manifests of these two have it (`colloquialVersion`).
    assert_eq!(version("hopper-550.90.07-rim-ocsp"), "96.00.9F.00.01");
    assert_eq!(version("switch-ls10"), "96.10.55.00.01");
}

fn set(codes: &[Code]) -> BTreeSet<Code> {
    codes.iter().copied().collect()
}

#[test]
fn every_reference_manifest() {
    let Some(vectors) = Vectors::find() else { return };
    let case = vectors.cases("nvgpu").find(|case| case.name() == "hopper-550.90.07-rim-ocsp").unwrap();
    let mut counted = 0;
    for table in vectors.collateral("nvidia-rim") {
        let (file, expected) = (table["file"].as_str().unwrap(), table["expected"].as_str().unwrap());
        let mut bundle = bundle(&case);
        bundle.endorsements.items.retain(|item| !Rim::looks_like(item));
        bundle.endorsements.items.push(vectors.read(file));
        let codes = verdict(&case, &bundle, Crl::AbsentAccepted, case.verify_time()).unwrap_err();
        // All are of other drivers and devices than this report's.
        let foreign = [Code::ManifestForeign, Code::ManifestMeasurementMismatch];
        let own = match expected.split_once(": ").map_or(expected, |(_, why)| why) {
            "valid" => None,
            "XML signature value does not verify" => Some(Code::ManifestSignatureInvalid),
            why if why.starts_with("reference digest does not match") => Some(Code::ManifestDigestMismatch),
            why => panic!("{why}"),
        };
        let expected = foreign.into_iter().chain(own).collect::<BTreeSet<_>>();
        assert_eq!(codes.into_iter().collect::<BTreeSet<_>>(), expected, "{file}");
        counted += 1;
    }
    assert!(counted >= 4);
}

/// A text of a manifest, what stands for it instead, and exactly what that is refused for.
type Change = (&'static str, &'static str, &'static [Code]);

const CHANGES: &[Change] = &[
    // The same by another spelling.
    ("corpus=\"false\" name=\"GH100\"", "name='GH100'  corpus=\"false\"", &[]),
    ("<SoftwareIdentity", "<?xml version=\"1.0\"?>\n<SoftwareIdentity", &[]),
    ("role=\"softwareCreator tagCreator\"/>", "role=\"softwareCreator tagCreator\"></ns0:Entity>", &[]),
    // Another meaning.
    ("role=\"softwareCreator tagCreator\"/>", "role=\"tagCreator\"/>", &[Code::ManifestDigestMismatch]),
    ("</ns0:Payload>", " </ns0:Payload>", &[Code::ManifestDigestMismatch]),
    ("Hash0=\"8016", "Hash0=\"8017", &[Code::ManifestDigestMismatch, Code::ManifestMeasurementMismatch]),
    (
        "colloquialVersion=\"550.90.07\"",
        "colloquialVersion=\"550.90.08\"",
        &[Code::ManifestDigestMismatch, Code::ManifestForeign],
    ),
    (
        "<ds:DigestValue>g",
        "<ds:DigestValue>h",
        &[Code::ManifestDigestMismatch, Code::ManifestSignatureInvalid],
    ),
    ("<ds:SignatureValue>u", "<ds:SignatureValue>v", &[Code::ManifestSignatureInvalid]),
    ("<ds:SignedInfo>", "<ds:SignedInfo Id=\"a\">", &[Code::ManifestSignatureInvalid]),
    // Not what is read at all.
    ("ecdsa-sha384\"", "ecdsa-sha256\"", &[Code::EndorsementMalformed]),
    ("Reference URI=\"\"", "Reference URI=\"#a\"", &[Code::EndorsementMalformed]),
    ("#enveloped-signature", "#base64", &[Code::EndorsementMalformed]),
    ("</ds:Signature>", "</ds:Signature><ds:Signature></ds:Signature>", &[Code::EndorsementMalformed]),
    ("</ns0:Payload>", "<!-- --></ns0:Payload>", &[Code::EndorsementMalformed]),
    ("<SoftwareIdentity", "<!DOCTYPE a><SoftwareIdentity", &[Code::EndorsementMalformed]),
    ("NVIDIA Corporation", "NVIDIA &#67;orporation", &[Code::EndorsementMalformed]),
];

#[test]
fn every_change_of_a_manifest() {
    let Some(vectors) = Vectors::find() else { return };
    let case = vectors.cases("nvgpu").find(|case| case.name() == "hopper-550.90.07-rim-ocsp").unwrap();
    let text = String::from_utf8(case.file(MANIFESTS[0]).unwrap()).unwrap();
    for (from, to, expected) in CHANGES {
        assert!(text.contains(from), "{from}");
        let mut bundle = bundle(&case);
        bundle.endorsements.items.retain(|item| !Rim::looks_like(item));
        bundle.endorsements.items.push(text.replacen(from, to, 1).into_bytes());
        let verdict = verdict(&case, &bundle, Crl::AbsentAccepted, case.verify_time());
        let codes = verdict.err().unwrap_or_default().into_iter().collect::<BTreeSet<_>>();
        assert_eq!(codes, set(expected), "{to}");
    }
    // Its signer's certificate ends before the device's does.
    let after = UnixTime(case.verify_time().0 + 2 * 365 * 86_400);
    let expired = verdict(&case, &bundle(&case), Crl::AbsentAccepted, after).unwrap_err();
    assert_eq!(expired.into_iter().collect::<BTreeSet<_>>(), set(&[Code::CertificateExpired]));
}

#[test]
fn the_manifest_of_a_switch() {
    let Some(vectors) = Vectors::find() else { return };
    let case = vectors.cases("nvgpu").find(|case| case.name() == "switch-ls10").unwrap();
    let mut bundle = bundle(&case);
    bundle.endorsements.items.push(case.file("rim_bios.xml").unwrap());
    // It was signed after the time of the case, with a key of that time.
    let at = |now| verdict(&case, &bundle, Crl::AbsentAccepted, now);
    assert_eq!(at(case.verify_time()).unwrap_err(), [Code::CertificateNotYetValid]);
    // 2026-06-01.
    assert_eq!(at(UnixTime(1_780_272_000)).unwrap().manifests, ["96.10.55.00.01"]);
}

/// Verifies signatures and notes which were asked for, each with its message.
#[derive(Default)]
struct Noting(Vec<(Vec<u8>, Vec<u8>)>);

impl SignatureVerifier for Noting {
    fn verify(&mut self, signed: &Signed<'_>) -> bool {
        self.0.push((signed.message.to_vec(), signed.signature.to_vec()));
        RustCrypto.verify(signed)
    }
}

#[test]
fn authorities_that_manifests_share_are_verified_once() {
    let Some(vectors) = Vectors::find() else { return };
    let case = vectors.cases("nvgpu").find(|case| case.name() == "hopper-550.90.07-rim-ocsp").unwrap();
    let (bundle, now, mut crypto) = (bundle(&case), case.verify_time(), Noting::default());
    let claims = verdict_by(&case, &bundle, Crl::AbsentAccepted, now, &mut crypto).unwrap();
    assert_eq!(claims.manifests.len(), 2);
    let asked = crypto.0.len();
    assert_eq!(asked, crypto.0.into_iter().collect::<BTreeSet<_>>().len());
}

#[test]
fn manifests_have_a_limit() {
    let Some(vectors) = Vectors::find() else { return };
    let case = vectors.cases("nvgpu").find(|case| case.name() == "hopper-550.90.07-rim-ocsp").unwrap();
    let foreign = vectors.collateral("nvidia-rim").map(|table| vectors.read(table["file"].as_str().unwrap()));
    let foreign = foreign.collect::<Vec<_>>();
    // Two are the case's own.
    let with = |count: usize| {
        let mut bundle = bundle(&case);
        bundle.endorsements.items.extend_from_slice(&foreign[..count]);
        set(&verdict(&case, &bundle, Crl::AbsentAccepted, case.verify_time()).unwrap_err())
    };
    assert!(!with(2).contains(&Code::EndorsementsTooMany));
    assert_eq!(with(3), set(&[Code::EndorsementsTooMany]));
}
