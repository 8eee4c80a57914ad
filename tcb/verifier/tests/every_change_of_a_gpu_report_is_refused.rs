// SPDX-License-Identifier: Apache-2.0

//! Accepted reports of simulated devices of NVIDIA with one thing changed: what a report says, before or after it is
//! signed, bytes of it, and of each of its certificates and lists.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod machines;

use enarx_evidence::Bundle;
use enarx_evidence::nvgpu::{OpaqueData, OpaqueField, Report};
use enarx_simulator::{GpuContent, SimulatedGpu};
use enarx_verifier::Code;
use machines::{REPORT_DATA, Relying, local, set, stranger};

const FORGED: Code = Code::ReportSignatureInvalid;

const DRIVER: OpaqueField = OpaqueField::DriverVersion;

const KEY: usize = 0;
const BOOT_ROM: usize = 1;
const PROVISIONER: usize = 2;
const FAMILY: usize = 3;
const ROOT: usize = 4;
const LIST_OF_FAMILY: usize = 5;
const LIST_OF_ROOT: usize = 6;

fn attest(change: impl FnOnce(&mut GpuContent)) -> Bundle {
    local().attest_gpu(&SimulatedGpu::default(), &REPORT_DATA, change).unwrap()
}

/// The fields with one replaced, or left out.
fn opaque(report: &mut Report, field: OpaqueField, value: Option<Vec<u8>>) {
    let others = report.opaque.iter().filter(|(kind, _)| *kind != field.number());
    let others = others.map(|(kind, value)| (kind, value.to_vec())).collect::<Vec<_>>();
    let changed = value.map(|value| (field.number(), value));
    report.opaque = OpaqueData::of(others.into_iter().chain(changed));
}

/// A change of what a report says, and exactly what that is refused for if the device signs it, and if it does not.
type Change = (&'static str, fn(&mut Report), &'static [Code], &'static [Code]);

const CHANGES: &[Change] = &[
    (
        "request.Nonce",
        |report| report.nonce[0] ^= 1,
        &[Code::ReportDataMismatch],
        &[FORGED, Code::ReportDataMismatch],
    ),
    ("SlotIDParam", |report| report.slot = 1, &[], &[FORGED]),
    ("response.Param", |report| report.parameters[1] = 1, &[], &[FORGED]),
    (
        "a measurement",
        |report| report.measurements.get_mut(&7).unwrap().value[0] ^= 1,
        &[Code::MeasurementNotAccepted],
        &[FORGED, Code::MeasurementNotAccepted],
    ),
    // The same bytes in the same order, of other measurements.
    (
        "a measurement, under another index",
        |report| {
            let last = report.measurements.remove(&64).unwrap();
            report.measurements.insert(65, last);
        },
        &[Code::MeasurementNotAccepted],
        &[FORGED, Code::MeasurementNotAccepted],
    ),
    (
        "a measurement, a byte of it in the next",
        |report| {
            let byte = report.measurements.get_mut(&7).unwrap().value.pop().unwrap();
            report.measurements.get_mut(&8).unwrap().value.insert(0, byte);
        },
        &[Code::MeasurementNotAccepted],
        &[FORGED, Code::MeasurementNotAccepted],
    ),
    (
        "a measurement, left out",
        |report| drop(report.measurements.remove(&64)),
        &[Code::MeasurementNotAccepted],
        &[FORGED, Code::MeasurementNotAccepted],
    ),
    ("response.Nonce", |report| report.device_nonce[0] ^= 1, &[], &[FORGED]),
    (
        "driver version",
        |report| opaque(report, OpaqueField::DriverVersion, Some(b"1.0\0".to_vec())),
        &[],
        &[FORGED],
    ),
    (
        "FWID",
        |report| opaque(report, OpaqueField::FirmwareId, Some(vec![7; 48])),
        &[Code::FirmwareIdMismatch],
        &[FORGED, Code::FirmwareIdMismatch],
    ),
    (
        "FWID, shorter",
        |report| opaque(report, OpaqueField::FirmwareId, Some(vec![0x46; 47])),
        &[Code::FirmwareIdMismatch],
        &[FORGED, Code::FirmwareIdMismatch],
    ),
    // Old drivers and switches do not name it; who signs decides.
    ("FWID, left out", |report| opaque(report, OpaqueField::FirmwareId, None), &[], &[FORGED]),
];

#[test]
fn what_a_report_says() {
    let relying = Relying::party();
    let sound = attest(|_| {});
    assert_eq!(relying.codes(&sound), set(&[]));
    for (what, change, signed, unsigned) in CHANGES {
        let bundle = attest(|content| change(&mut content.report));
        assert_eq!(relying.codes(&bundle), set(signed), "{what}, signed");
        let mut report = Report::parse(&sound.evidence.bytes).unwrap();
        change(&mut report);
        let mut forged = sound.clone();
        forged.evidence.bytes = report.encode();
        assert_eq!(relying.codes(&forged), set(unsigned), "{what}, unsigned");
    }
}

#[test]
fn bytes_of_a_report() {
    let (relying, bundle) = (Relying::party(), attest(|_| {}));
    // All of the request and of the ends; measurements are much alike.
    let len = bundle.evidence.bytes.len();
    for at in (0..100).chain((100..len - 250).step_by(17)).chain(len - 250..len) {
        let mut changed = bundle.clone();
        changed.evidence.bytes[at] ^= if at % 2 == 0 { 0x01 } else { 0x80 };
        let codes = relying.codes(&changed);
        let refused = codes == set(&[Code::EvidenceMalformed]) || codes.contains(&FORGED);
        assert!(refused, "byte {at}: {codes:?}");
    }
    for len in [0, 1, 37, 100, bundle.evidence.bytes.len() - 1, bundle.evidence.bytes.len() + 1] {
        let mut changed = bundle.clone();
        changed.evidence.bytes.resize(len, 0);
        assert_eq!(relying.codes(&changed), set(&[Code::EvidenceMalformed]), "{len} bytes");
    }
}

#[test]
fn whose_key_it_is() {
    let relying = Relying::party();
    let firmware = attest(|content| content.firmware_id = [7; 48]);
    assert_eq!(relying.codes(&firmware), set(&[Code::FirmwareIdMismatch]));
    // The certificate of an authority is not that of a device.
    let authority = attest(|content| content.authority = true);
    assert_eq!(relying.codes(&authority), set(&[Code::KeyCertificateMissing]));
    let revoked = attest(|content| content.provisioner_revoked = true);
    assert_eq!(relying.codes(&revoked), set(&[Code::CertificateRevoked]));
    let chip = |chip: &str| {
        let gpu = SimulatedGpu { chip: chip.into() };
        relying.codes(&local().attest_gpu(&gpu, &REPORT_DATA, |_| {}).unwrap())
    };
    assert_eq!(chip("GB100"), set(&[]));
    assert_eq!(chip("LS_10"), set(&[]));
    assert_eq!(chip("AD102"), set(&[Code::ProductUnknown]));
    let only_hopper =
        machines::policy(|text| text.replace("tee = \"nvgpu\"", "tee = \"nvgpu\"\nproducts = [\"hopper\"]"));
    let gpu = SimulatedGpu { chip: "GB100".into() };
    let blackwell = local().attest_gpu(&gpu, &REPORT_DATA, |_| {}).unwrap();
    assert_eq!(Relying::under(only_hopper).codes(&blackwell), set(&[Code::PlatformNotAllowed]));
}

#[test]
fn a_device_of_a_stranger() {
    let relying = Relying::party();
    let foreign = stranger().attest_gpu(&SimulatedGpu::default(), &REPORT_DATA, |_| {}).unwrap();
    assert_eq!(relying.codes(&foreign), set(&[Code::SimulatedNotAccepted]));
    let mut mixed = foreign.clone();
    mixed.endorsements = attest(|_| {}).endorsements;
    assert_eq!(relying.codes(&mixed), set(&[FORGED]));
}

#[test]
fn a_certificate_or_list_left_out() {
    let (relying, bundle) = (Relying::party(), attest(|_| {}));
    let missing = [
        (KEY, Code::KeyCertificateMissing),
        (BOOT_ROM, Code::IssuerMissing),
        (PROVISIONER, Code::RootMissing),
        (FAMILY, Code::RootMissing),
        (ROOT, Code::RootMissing),
        (LIST_OF_FAMILY, Code::CrlMissing),
        (LIST_OF_ROOT, Code::CrlMissing),
    ];
    for (endorsement, code) in missing {
        let mut changed = bundle.clone();
        changed.endorsements.items.remove(endorsement);
        assert_eq!(relying.codes(&changed), set(&[code]), "endorsement {endorsement}");
    }
}

#[test]
fn bytes_of_each_certificate_and_list() {
    use Code::{
        CertificateSignatureInvalid, CrlMissing, CrlSignatureInvalid, EndorsementMalformed, IssuerMissing,
        KeyCertificateMissing, RootMissing,
    };
    let (relying, bundle) = (Relying::party(), attest(|_| {}));
    let read = [EndorsementMalformed, CertificateSignatureInvalid, IssuerMissing];
    relying.bytes_of(&bundle, KEY, &[&read[..], &[KeyCertificateMissing]].concat());
    for endorsement in [BOOT_ROM, PROVISIONER, FAMILY, ROOT] {
        relying.bytes_of(&bundle, endorsement, &[&read[..], &[RootMissing]].concat());
    }
    for endorsement in [LIST_OF_FAMILY, LIST_OF_ROOT] {
        let reasons = [EndorsementMalformed, CrlSignatureInvalid, CrlMissing];
        relying.bytes_of(&bundle, endorsement, &reasons);
    }
}

#[test]
fn rules_and_results_name_the_versions_that_a_device_tells() {
    // What the simulated device says: the text of its driver, and its VBIOS 96.00.9F.00.01 byte by byte.
    let (device, silent) = (attest(|_| {}), attest(|content| opaque(&mut content.report, DRIVER, None)));
    let claims = Relying::party().appraise(&device).unwrap();
    let claims = serde_json::to_value(claims.claims()).unwrap();
    assert_eq!(
        (&claims["driver_version"], &claims["vbios_version"]),
        (&"550.90.07".into(), &"96.00.9F.00.01".into())
    );
    assert_eq!(claims["measurements"]["7"], "07".repeat(48));

    let allowing = |feature: &str| {
        let rule = format!("tee = \"nvgpu\"\n{feature}");
        Relying::under(machines::policy(|text| text.replace("tee = \"nvgpu\"", &rule)))
    };
    let denying = |feature: &str| {
        let rule = format!("[[deny]]\nid = \"d\"\nvendor = \"nvidia\"\n{feature}\n");
        Relying::under(machines::policy(|text| {
            text.replace("[keep.registers]", &format!("{rule}[keep.registers]"))
        }))
    };
    let (not_allowed, denied) = (set(&[Code::PlatformNotAllowed]), set(&[Code::ProductDenied]));
    for (own, other) in [
        ("drivers = [\"550.90.07\"]", "drivers = [\"550.90.0\"]"),
        ("firmwares = [\"96.00.9F.00.01\"]", "firmwares = [\"96.00.9F.00.02\"]"),
    ] {
        assert_eq!(allowing(own).codes(&device), set(&[]), "{own}");
        assert_eq!(allowing(other).codes(&device), not_allowed, "{other}");
        assert_eq!(denying(own).codes(&device), denied, "{own}");
        assert_eq!(denying(other).codes(&device), set(&[]), "{other}");
    }
    // A device that hides its driver is allowed by none that names one, and denied by each.
    assert_eq!(allowing("drivers = [\"550.90.07\"]").codes(&silent), not_allowed);
    assert_eq!(denying("drivers = [\"570.124.06\"]").codes(&silent), denied);
}
