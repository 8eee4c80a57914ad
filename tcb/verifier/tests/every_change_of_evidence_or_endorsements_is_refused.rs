// SPDX-License-Identifier: Apache-2.0

//! Accepted evidence with one thing changed: each byte of the report and of every endorsement, an endorsement
//! left out, or exchanged for one of another vendor with the same names.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod simulated;

use std::collections::BTreeSet;

use enarx_evidence::Bundle;
use enarx_evidence::snp::Report;
use enarx_verifier::Code;
use simulated::{Relying, Vendor};

/// The order in which the simulator gives out endorsements.
const KEY: usize = 0;
const INTERMEDIATE: usize = 1;
const ROOT: usize = 2;
const LIST: usize = 3;

const FORGED: Code = Code::ReportSignatureInvalid;

/// Fields of a report: offset, the bits to change in the first byte, and exactly what that is refused for.
const FIELDS: &[(&str, usize, u8, &[Code])] = &[
    ("VERSION", 0x00, 0x10, &[Code::EvidenceMalformed]),
    // The mitigation vectors are reserved before version 5.
    ("VERSION, 5 to 4", 0x00, 0x01, &[Code::EvidenceMalformed]),
    ("GUEST_SVN", 0x04, 1, &[FORGED]),
    ("POLICY.ABI_MINOR", 0x08, 1, &[FORGED]),
    ("POLICY.SMT", 0x0a, 0x01, &[FORGED]),
    ("POLICY.RESERVED_ONE", 0x0a, 0x02, &[FORGED, Code::GuestPolicyUnknown]),
    ("POLICY.MIGRATE_MA", 0x0a, 0x04, &[FORGED, Code::MigrationAllowed]),
    ("POLICY.DEBUG", 0x0a, 0x08, &[FORGED, Code::DebugAllowed]),
    ("POLICY.RESERVED", 0x0f, 0x80, &[FORGED, Code::GuestPolicyUnknown]),
    ("FAMILY_ID", 0x10, 1, &[FORGED]),
    ("IMAGE_ID", 0x20, 1, &[FORGED]),
    ("VMPL", 0x30, 1, &[FORGED, Code::VmplNotAccepted]),
    ("SIGNATURE_ALGO", 0x34, 3, &[Code::SignatureAlgorithmUnsupported, FORGED]),
    ("CURRENT_TCB.BOOT_LOADER", 0x38, 0x04, &[FORGED, Code::TcbTooOld]),
    ("CURRENT_TCB.RESERVED", 0x3a, 1, &[FORGED, Code::EvidenceMalformed]),
    ("PLATFORM_INFO", 0x40, 1, &[FORGED]),
    ("AUTHOR_KEY_EN", 0x48, 0x01, &[FORGED]),
    ("MASK_CHIP_KEY", 0x48, 0x02, &[FORGED]),
    ("SIGNING_KEY, to VLEK", 0x48, 0x04, &[Code::KeyCertificateMissing, Code::VlekNotAccepted]),
    ("SIGNING_KEY, to none", 0x48, 0x1c, &[Code::SigningKeyNone]),
    ("SIGNING_KEY, to a reserved value", 0x48, 0x08, &[Code::EvidenceMalformed]),
    ("RESERVED", 0x4c, 1, &[Code::EvidenceMalformed]),
    ("REPORT_DATA", 0x50, 1, &[FORGED, Code::ReportDataMismatch]),
    ("MEASUREMENT", 0x90, 1, &[FORGED, Code::MeasurementNotAccepted]),
    ("HOST_DATA", 0xc0, 1, &[FORGED]),
    ("ID_KEY_DIGEST", 0xe0, 1, &[FORGED]),
    ("AUTHOR_KEY_DIGEST", 0x110, 1, &[FORGED]),
    ("REPORT_ID", 0x140, 1, &[FORGED]),
    ("REPORT_ID_MA", 0x160, 1, &[FORGED]),
    ("REPORTED_TCB.BOOT_LOADER", 0x180, 0x08, &[Code::TcbMismatch, FORGED]),
    ("REPORTED_TCB.SNP", 0x186, 0x10, &[Code::TcbMismatch, FORGED, Code::TcbTooOld]),
    ("CPUID_FAM_ID", 0x188, 0x80, &[Code::ProductUnknown, FORGED]),
    // Another layout of TCB versions and another length of the chip's identifier.
    (
        "CPUID_FAM_ID, to Turin",
        0x188,
        0x03,
        &[Code::ProductMismatch, Code::ChipIdMismatch, FORGED, Code::EvidenceMalformed],
    ),
    ("CPUID_STEP", 0x18a, 1, &[FORGED]),
    ("RESERVED", 0x18b, 1, &[Code::EvidenceMalformed]),
    ("CHIP_ID", 0x1a0, 1, &[Code::ChipIdMismatch, FORGED]),
    ("COMMITTED_TCB.MICROCODE", 0x1e7, 0x80, &[FORGED, Code::TcbTooOld]),
    ("CURRENT_BUILD", 0x1e8, 1, &[FORGED]),
    ("RESERVED", 0x1eb, 1, &[Code::EvidenceMalformed]),
    ("COMMITTED_BUILD", 0x1ec, 1, &[FORGED]),
    ("LAUNCH_TCB.BOOT_LOADER", 0x1f0, 0x04, &[FORGED, Code::TcbTooOld]),
    ("LAUNCH_MIT_VECTOR", 0x1f8, 1, &[FORGED]),
    ("CURRENT_MIT_VECTOR", 0x200, 1, &[FORGED]),
    ("RESERVED", 0x208, 1, &[Code::EvidenceMalformed]),
    ("SIGNATURE.R", 0x2a0, 1, &[FORGED]),
    ("SIGNATURE.R, above 48 bytes", 0x2d0, 1, &[Code::EvidenceMalformed]),
    ("SIGNATURE.S", 0x2e8, 1, &[FORGED]),
    ("SIGNATURE.RESERVED", 0x330, 1, &[Code::EvidenceMalformed]),
];

fn set(codes: &[Code]) -> BTreeSet<Code> {
    codes.iter().copied().collect()
}

fn accepted() -> (Relying, Bundle) {
    let mut relying = Relying::party();
    let bundle = Vendor::local().attest("amd/milan");
    assert_eq!(relying.codes(&bundle), []);
    (relying, bundle)
}

#[test]
fn each_field_of_the_report() {
    let (mut relying, bundle) = accepted();
    let mut wrong = Vec::new();
    for (field, at, bits, expected) in FIELDS {
        let mut changed = bundle.clone();
        changed.evidence.bytes[*at] ^= bits;
        let codes = set(&relying.codes(&changed));
        if codes != set(expected) {
            wrong.push(format!("{field}: {codes:?}"));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn each_byte_of_the_report() {
    let (mut relying, bundle) = accepted();
    for at in 0..Report::LEN {
        let mut changed = bundle.clone();
        changed.evidence.bytes[at] ^= if at % 2 == 0 { 0x01 } else { 0x80 };
        let codes = relying.codes(&changed);
        let unread = codes == [Code::EvidenceMalformed];
        let unsigned = codes.iter().any(|code| {
            matches!(code, Code::ReportSignatureInvalid | Code::SigningKeyNone | Code::KeyCertificateMissing)
        });
        assert!(unread || unsigned, "byte {at:#x}: {codes:?}");
    }
}

#[test]
fn a_report_that_is_longer_or_shorter() {
    let (mut relying, bundle) = accepted();
    for len in [0, 1, Report::SIGNED_LEN, Report::LEN - 1, Report::LEN + 1] {
        let mut changed = bundle.clone();
        changed.evidence.bytes.resize(len, 0);
        assert_eq!(relying.codes(&changed), [Code::EvidenceMalformed], "{len} bytes");
    }
}

/// Changes each byte of an endorsement. A change is refused for what it did to the endorsement: it no longer
/// parses, is no longer what is looked for, or is no longer signed.
fn each_byte(endorsement: usize, reasons: &[Code]) {
    let (mut relying, bundle) = accepted();
    for at in 0..bundle.endorsements.items[endorsement].len() {
        let mut changed = bundle.clone();
        changed.endorsements.items[endorsement][at] ^= 1;
        let codes = relying.codes(&changed);
        let reason = codes.iter().any(|code| reasons.contains(code));
        assert!(reason, "byte {at} of endorsement {endorsement}: {codes:?}");
    }
}

#[test]
fn each_byte_of_the_keys_certificate() {
    use Code::{CertificateSignatureInvalid, EndorsementMalformed, IssuerMissing, KeyCertificateMissing};
    each_byte(
        KEY,
        &[EndorsementMalformed, CertificateSignatureInvalid, KeyCertificateMissing, IssuerMissing],
    );
}

#[test]
fn each_byte_of_the_intermediates_certificate() {
    use Code::{CertificateSignatureInvalid, EndorsementMalformed, IssuerMissing, RootMissing};
    each_byte(INTERMEDIATE, &[EndorsementMalformed, CertificateSignatureInvalid, IssuerMissing, RootMissing]);
}

#[test]
fn each_byte_of_the_roots_certificate() {
    use Code::{CertificateSignatureInvalid, EndorsementMalformed, RootMissing};
    each_byte(ROOT, &[EndorsementMalformed, CertificateSignatureInvalid, RootMissing]);
}

#[test]
fn each_byte_of_the_revocation_list() {
    use Code::{CrlMissing, CrlSignatureInvalid, EndorsementMalformed};
    each_byte(LIST, &[EndorsementMalformed, CrlSignatureInvalid, CrlMissing]);
}

#[test]
fn an_endorsement_left_out() {
    let (mut relying, bundle) = accepted();
    let missing = [
        (KEY, Code::KeyCertificateMissing),
        (INTERMEDIATE, Code::IssuerMissing),
        (ROOT, Code::RootMissing),
        (LIST, Code::CrlMissing),
    ];
    for (endorsement, code) in missing {
        let mut changed = bundle.clone();
        changed.endorsements.items.remove(endorsement);
        assert_eq!(relying.codes(&changed), [code]);
    }
}

#[test]
fn an_endorsement_exchanged_for_a_strangers() {
    let (mut relying, bundle) = accepted();
    let stranger = Vendor::stranger().attest("amd/milan");
    let exchanged: [(usize, &[Code]); 4] = [
        (KEY, &[Code::CertificateSignatureInvalid, Code::ChipIdMismatch, Code::ReportSignatureInvalid]),
        // The stranger's intermediate is not signed by the root and did not sign the key.
        (INTERMEDIATE, &[Code::CertificateSignatureInvalid; 2]),
        // The stranger's root signed neither the intermediate nor the list.
        (
            ROOT,
            &[
                Code::CertificateSignatureInvalid,
                Code::SimulatedNotAccepted,
                Code::CrlSignatureInvalid,
                Code::CrlMissing,
            ],
        ),
        (LIST, &[Code::CrlSignatureInvalid, Code::CrlMissing]),
    ];
    for (endorsement, expected) in exchanged {
        let mut changed = bundle.clone();
        changed.endorsements.items[endorsement] = stranger.endorsements.items[endorsement].clone();
        assert_eq!(relying.codes(&changed), expected, "endorsement {endorsement}");
        // Beside the genuine one it changes nothing, except a list, which must be genuine.
        let mut beside = bundle.clone();
        beside.endorsements.items.push(stranger.endorsements.items[endorsement].clone());
        let expected: &[Code] = if endorsement == LIST { &[Code::CrlSignatureInvalid] } else { &[] };
        assert_eq!(relying.codes(&beside), expected, "endorsement {endorsement} beside");
    }
}

#[test]
fn evidence_of_a_stranger() {
    let (mut relying, _) = accepted();
    let stranger = Vendor::stranger().attest("amd/milan");
    assert_eq!(relying.codes(&stranger), [Code::SimulatedNotAccepted]);
}

#[test]
fn evidence_of_another_chip_with_this_chips_certificate() {
    let (mut relying, bundle) = accepted();
    let mut other = Vendor::local().attest("amd/milan@chip=00112233");
    assert_eq!(relying.codes(&other), []);
    other.endorsements = bundle.endorsements.clone();
    assert_eq!(relying.codes(&other), [Code::ChipIdMismatch, Code::ReportSignatureInvalid]);
    // With both certificates the right one is found.
    other.endorsements.items.extend(Vendor::local().attest("amd/milan@chip=00112233").endorsements.items);
    assert_eq!(relying.codes(&other), []);
}

#[test]
fn a_key_certified_for_older_firmware() {
    let (mut relying, _) = accepted();
    // The platform reports an old TCB to get an old key, and the host then claims a new one.
    let mut old = Vendor::local().attest("amd/milan@reported.microcode=1");
    assert_eq!(relying.codes(&old), [Code::TcbTooOld]);
    old.evidence.bytes[0x187] = 219;
    assert_eq!(relying.codes(&old), [Code::TcbMismatch, Code::ReportSignatureInvalid]);
}

#[test]
fn too_many_or_too_large_endorsements() {
    let (mut relying, mut bundle) = accepted();
    let list = bundle.endorsements.items[LIST].clone();
    bundle.endorsements.items.resize(Bundle::MAX_ENDORSEMENTS, list.clone());
    assert_eq!(relying.codes(&bundle), []);
    bundle.endorsements.items.push(list);
    assert_eq!(relying.codes(&bundle), [Code::EndorsementsTooMany]);
    bundle.endorsements.items.truncate(LIST + 1);
    bundle.endorsements.items.push(vec![b'\n'; Bundle::MAX_ENDORSEMENT + 1]);
    assert_eq!(relying.codes(&bundle), [Code::EndorsementsTooMany]);
}
