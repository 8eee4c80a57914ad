// SPDX-License-Identifier: Apache-2.0

//! Accepted attestation documents of simulated Nitro enclaves with one thing changed: what a document says, before or
//! after it is signed, each byte of it, and each certificate inside it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[allow(clippy::duplicate_mod, reason = "a test may use several of these folders")]
#[path = "../../../host/simulator/tests/common/kept.rs"]
mod kept;

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use enarx_evidence::Bundle;
use enarx_evidence::cose::{Algorithm, Sign1};
use enarx_evidence::nitro::{Claims, Document, Field, Pcr};
use enarx_simulator::{SimulatedEnclave, Simulator};
use enarx_verifier::{Code, Policy, Request, TrustAnchors, UnixTime, appraise};

const REPORT_DATA: [u8; 64] = [0x11; 64];
const MEASUREMENT: [u8; 48] = [0x22; 48];

const POLICY: &str = r#"
version = 1
[keep]
measurements = ["sha384:MEASUREMENT"]
[simulated]
accept = true
roots = ["local"]
[[allow]]
id = "enclaves"
vendor = "aws"
tee = "nitro"
"#;

fn simulator() -> &'static Simulator {
    static SIMULATOR: OnceLock<Simulator> = OnceLock::new();
    SIMULATOR.get_or_init(|| kept::simulator("local"))
}

fn anchors() -> TrustAnchors {
    TrustAnchors::vendors().with_simulated("local", simulator().nitro_root_spki_sha256().unwrap())
}

fn now() -> UnixTime {
    UnixTime(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs())
}

fn policy(change: impl Fn(String) -> String) -> Policy {
    let text = change(POLICY.replace("MEASUREMENT", &hex::encode(MEASUREMENT)));
    Policy::parse(&text).unwrap_or_else(|error| panic!("{error}"))
}

fn under(policy: &Policy, now: UnixTime, bundle: &Bundle) -> Vec<Code> {
    let request = Request {
        bundle,
        report_data: &REPORT_DATA,
        anchors: &anchors(),
        reference_values: &[],
        policy,
        advisories: &[],
        now,
    };
    appraise(&request).map_or_else(|refusals| refusals.codes().collect(), |_| vec![])
}

fn codes(bundle: &Bundle) -> Vec<Code> {
    under(&policy(|text| text), now(), bundle)
}

fn attest(enclave: &SimulatedEnclave, change: impl FnOnce(&mut Claims)) -> Bundle {
    simulator().attest_enclave(enclave, &REPORT_DATA, &MEASUREMENT, change).unwrap()
}

/// A change of what a document says, and exactly what that is refused for if the hypervisor signs it, and if it does
/// not.
type Change = (&'static str, fn(&mut Claims), &'static [Code], &'static [Code]);

const FORGED: Code = Code::ReportSignatureInvalid;

fn register(claims: &mut Claims, index: u8, byte: u8) {
    claims.pcrs.insert(index, Pcr::new(&[byte; 48]).unwrap());
}

const CHANGES: &[Change] = &[
    ("module_id", |claims| claims.module_id.push('0'), &[], &[FORGED]),
    ("timestamp", |claims| claims.timestamp += 1, &[], &[FORGED]),
    (
        "timestamp, before the key",
        |claims| claims.timestamp -= 3_600_000,
        &[Code::TimestampOutsideValidity],
        &[FORGED, Code::TimestampOutsideValidity],
    ),
    (
        "timestamp, after now",
        |claims| claims.timestamp += 3_600_000,
        &[Code::TimestampInFuture],
        &[FORGED, Code::TimestampInFuture],
    ),
    (
        "timestamp, after the key",
        |claims| claims.timestamp += 4 * 3_600_000,
        &[Code::TimestampOutsideValidity, Code::TimestampInFuture],
        &[FORGED, Code::TimestampOutsideValidity, Code::TimestampInFuture],
    ),
    (
        "timestamp, in seconds",
        |claims| claims.timestamp /= 1000,
        &[Code::TimestampOutsideValidity],
        &[FORGED, Code::TimestampOutsideValidity],
    ),
    (
        "pcr0",
        |claims| register(claims, 0, 7),
        &[Code::MeasurementNotAccepted],
        &[FORGED, Code::MeasurementNotAccepted],
    ),
    (
        "pcr0, missing",
        |claims| drop(claims.pcrs.remove(&0)),
        &[Code::EvidenceMalformed],
        &[Code::EvidenceMalformed],
    ),
    (
        "pcr0, of another digest",
        |claims| drop(claims.pcrs.insert(0, Pcr::new(&[7; 32]).unwrap())),
        &[Code::EvidenceMalformed],
        &[Code::EvidenceMalformed],
    ),
    // The image is measured as a whole by pcr0; these two are compared if the policy names them.
    ("pcr1", |claims| register(claims, 1, 7), &[], &[FORGED]),
    ("pcr2", |claims| register(claims, 2, 7), &[], &[FORGED]),
    (
        "pcr2, missing",
        |claims| drop(claims.pcrs.remove(&2)),
        &[Code::EvidenceMalformed],
        &[Code::EvidenceMalformed],
    ),
    ("pcr3", |claims| register(claims, 3, 7), &[], &[FORGED]),
    ("pcr4", |claims| register(claims, 4, 7), &[], &[FORGED]),
    (
        "pcr5",
        |claims| register(claims, 5, 7),
        &[Code::RegisterNotAccepted],
        &[FORGED, Code::RegisterNotAccepted],
    ),
    ("pcr8", |claims| register(claims, 8, 7), &[], &[FORGED]),
    (
        "pcr16",
        |claims| register(claims, 16, 7),
        &[Code::RegisterNotAccepted],
        &[FORGED, Code::RegisterNotAccepted],
    ),
    (
        "certificate, unreadable",
        |claims| claims.certificate.truncate(100),
        &[Code::EndorsementMalformed],
        &[Code::EndorsementMalformed],
    ),
    (
        "certificate, of the instance",
        |claims| claims.certificate = claims.cabundle[3].clone(),
        &[Code::KeyUnsupported, FORGED],
        &[Code::KeyUnsupported, FORGED],
    ),
    (
        "cabundle, without the root",
        |claims| drop(claims.cabundle.remove(0)),
        &[Code::RootMissing],
        &[Code::RootMissing, FORGED],
    ),
    (
        "cabundle, without the region",
        |claims| drop(claims.cabundle.remove(1)),
        &[Code::RootMissing],
        &[Code::RootMissing, FORGED],
    ),
    (
        "cabundle, without the instance",
        |claims| drop(claims.cabundle.remove(3)),
        &[Code::IssuerMissing],
        &[Code::IssuerMissing, FORGED],
    ),
    // The chain is built by names, so their order means nothing.
    ("cabundle, in another order", |claims| claims.cabundle.reverse(), &[], &[FORGED]),
    ("public_key", |claims| claims.public_key = Field::Bytes(vec![4; 65]), &[], &[FORGED]),
    ("nonce", |claims| claims.nonce = Field::Bytes(vec![4; 8]), &[], &[FORGED]),
    (
        "user_data",
        |claims| claims.user_data = Field::Bytes(vec![0x12; 64]),
        &[Code::ReportDataMismatch],
        &[FORGED, Code::ReportDataMismatch],
    ),
    (
        "user_data, with something after it",
        |claims| claims.user_data = Field::Bytes([&REPORT_DATA[..], &[0]].concat()),
        &[Code::ReportDataMismatch],
        &[FORGED, Code::ReportDataMismatch],
    ),
    (
        "user_data, shorter",
        |claims| claims.user_data = Field::Bytes(vec![0x11; 63]),
        &[Code::ReportDataMismatch],
        &[FORGED, Code::ReportDataMismatch],
    ),
    (
        "user_data, null",
        |claims| claims.user_data = Field::Null,
        &[Code::ReportDataMismatch],
        &[FORGED, Code::ReportDataMismatch],
    ),
    (
        "user_data, absent",
        |claims| claims.user_data = Field::Absent,
        &[Code::ReportDataMismatch],
        &[FORGED, Code::ReportDataMismatch],
    ),
];

#[test]
fn each_field() {
    let bundle = attest(&SimulatedEnclave::default(), |_| {});
    assert_eq!(codes(&bundle), []);
    for (field, change, signed, forged) in CHANGES {
        assert_eq!(codes(&attest(&SimulatedEnclave::default(), change)), *signed, "{field}, signed");
        let document = Document::parse(&bundle.evidence.bytes).unwrap();
        let mut claims = document.claims.clone();
        change(&mut claims);
        let payload = claims.encode();
        let mut changed = bundle.clone();
        changed.evidence.bytes = Sign1 { payload: &payload, ..document.message }.encode();
        assert_eq!(codes(&changed), *forged, "{field}, forged");
    }
}

#[test]
fn the_message_around_the_document() {
    let bundle = attest(&SimulatedEnclave::default(), |_| {});
    let message = Document::parse(&bundle.evidence.bytes).unwrap().message;
    let with = |message: Sign1<'_>| {
        let mut changed = bundle.clone();
        changed.evidence.bytes = message.encode();
        codes(&changed)
    };
    // The tag is not signed, and means nothing.
    assert_eq!(with(Sign1 { tagged: true, ..message }), []);
    assert_eq!(with(Sign1 { unprotected: &[0xa1, 0x04, 0x40], ..message }), [Code::EvidenceMalformed]);
    let other = Algorithm::Es256.protected_header();
    let expected = [Code::SignatureAlgorithmUnsupported, FORGED];
    assert_eq!(with(Sign1 { protected: &other, ..message }), expected);
    let mut signature = message.signature.to_vec();
    for at in [0, 47, 48, 95] {
        signature[at] ^= 1;
        assert_eq!(with(Sign1 { signature: &signature, ..message }), [FORGED], "byte {at}");
        signature[at] ^= 1;
    }
    for len in [0, 95] {
        assert_eq!(with(Sign1 { signature: &signature[..len], ..message }), [FORGED], "{len} bytes");
    }
    signature.push(0);
    assert_eq!(with(Sign1 { signature: &signature, ..message }), [FORGED]);
}

#[test]
fn each_byte_of_the_document() {
    let bundle = attest(&SimulatedEnclave::default(), |_| {});
    // The certificates are most of it, and changed one by one below.
    for at in (0..bundle.evidence.bytes.len()).step_by(13) {
        let mut changed = bundle.clone();
        changed.evidence.bytes[at] ^= if at % 2 == 0 { 0x01 } else { 0x80 };
        let codes = codes(&changed);
        let unread = codes == [Code::EvidenceMalformed];
        let refused = [FORGED, Code::EndorsementMalformed, Code::KeyUnsupported];
        assert!(unread || refused.iter().any(|code| codes.contains(code)), "byte {at:#x}: {codes:?}");
    }
}

/// The hypervisor itself signs a document with a damaged certificate inside.
#[test]
fn each_certificate() {
    let reasons = [
        Code::CertificateSignatureInvalid,
        Code::EndorsementMalformed,
        Code::IssuerMissing,
        Code::RootMissing,
    ];
    for position in 0..5 {
        let len = {
            let bundle = attest(&SimulatedEnclave::default(), |_| {});
            let claims = Document::parse(&bundle.evidence.bytes).unwrap().claims;
            claims.cabundle.get(position).unwrap_or(&claims.certificate).len()
        };
        for at in (0..len).step_by(37) {
            let changed = attest(&SimulatedEnclave::default(), |claims| {
                let certificate = claims.cabundle.get_mut(position).unwrap_or(&mut claims.certificate);
                // Signatures have not always the same length.
                let at = at.min(certificate.len() - 1);
                certificate[at] ^= 1;
            });
            let codes = codes(&changed);
            assert!(codes.iter().any(|code| reasons.contains(code)), "byte {at} of {position}: {codes:?}");
        }
    }
}

#[test]
fn an_enclave_whose_certificate_is_that_of_an_authority() {
    let enclave = SimulatedEnclave { authority: true, ..SimulatedEnclave::default() };
    assert_eq!(codes(&attest(&enclave, |_| {})), [Code::KeyUnsupported]);
}

#[test]
fn debugging_is_refused_unless_the_policy_accepts_it() {
    let enclave = SimulatedEnclave { debug: true, ..SimulatedEnclave::default() };
    let bundle = attest(&enclave, |_| {});
    assert_eq!(codes(&bundle), [Code::DebugAllowed, Code::MeasurementNotAccepted]);
    let zero = |text: String| text.replace(&hex::encode(MEASUREMENT), &"0".repeat(96));
    assert_eq!(under(&policy(zero), now(), &bundle), [Code::DebugAllowed]);
    let accepting = policy(|text| zero(text) + "[guest]\ndebug = \"accept\"\n");
    assert_eq!(under(&accepting, now(), &bundle), []);
}

#[test]
fn registers_that_the_policy_names() {
    let role = |byte: &str| {
        policy(|text| format!("{text}[keep.registers]\npcr3 = [\"sha384:{}\"]\n", byte.repeat(48)))
    };
    let bundle = attest(&SimulatedEnclave::default(), |_| {});
    assert_eq!(under(&role("33"), now(), &bundle), []);
    assert_eq!(under(&role("34"), now(), &bundle), [Code::RegisterNotAccepted]);
    let without = attest(&SimulatedEnclave::default(), |claims| drop(claims.pcrs.remove(&3)));
    assert_eq!(under(&role("33"), now(), &without), [Code::RegisterNotAccepted]);
    let extended = attest(&SimulatedEnclave::default(), |claims| register(claims, 16, 7));
    let named = policy(|text| format!("{text}[keep.registers]\npcr16 = [\"sha384:{}\"]\n", "07".repeat(48)));
    assert_eq!(under(&named, now(), &extended), []);
    assert_eq!(under(&named, now(), &bundle), [Code::RegisterNotAccepted]);
}

#[test]
fn a_register_may_be_named_for_one_kind_of_tee() {
    let values = |byte: &str| format!("[\"sha384:{}\"]", byte.repeat(48));
    let with = |section: String| policy(|text| format!("{text}{section}"));
    let bundle = attest(&SimulatedEnclave::default(), |_| {});
    let extended = attest(&SimulatedEnclave::default(), |claims| register(claims, 11, 7));
    let both = |policy: &Policy| [under(policy, now(), &bundle), under(policy, now(), &extended)];
    let refused = || vec![Code::RegisterNotAccepted];
    // For all: an enclave without that value is refused, too.
    let all = with(format!("[keep.registers]\npcr11 = {}\n", values("07")));
    assert_eq!(both(&all), [refused(), vec![]]);
    // For others: it has to be zero, as if nothing were said.
    let others = with(format!("[keep.registers.tpm]\npcr11 = {}\n", values("07")));
    assert_eq!(both(&others), [vec![], refused()]);
    let own = with(format!("[keep.registers.nitro]\npcr11 = {}\n", values("07")));
    assert_eq!(both(&own), [refused(), vec![]]);
    // What is said for enclaves takes the place of what is said for all.
    let instead =
        with(format!("[keep.registers]\npcr11 = {}\nnitro.pcr11 = {}\n", values("08"), values("07")));
    assert_eq!(both(&instead), [refused(), vec![]]);
    assert_ne!(others.digest(), own.digest());
    assert_ne!(others.digest(), all.digest());
}

#[test]
fn time_root_and_rules() {
    let bundle = attest(&SimulatedEnclave::default(), |_| {});
    let later = |seconds| UnixTime(now().0 + seconds);
    assert_eq!(under(&policy(|text| text), later(3 * 3600 + 60), &bundle), [Code::CertificateExpired]);
    let earlier = UnixTime(now().0 - 3600);
    let expected = [[Code::CertificateNotYetValid; 4].as_slice(), &[Code::TimestampInFuture]].concat();
    assert_eq!(under(&policy(|text| text), earlier, &bundle), expected);

    let closed = policy(|text| text.replace("accept = true\nroots = [\"local\"]", "accept = false"));
    assert_eq!(under(&closed, now(), &bundle), [Code::SimulatedNotAccepted]);
    let other =
        policy(|text| text.replace("vendor = \"aws\"\ntee = \"nitro\"", "vendor = \"arm\"\ntee = \"cca\""));
    assert_eq!(under(&other, now(), &bundle), [Code::PlatformNotAllowed]);
}

#[test]
fn a_document_of_a_stranger() {
    let stranger = kept::simulator("stranger");
    let bundle =
        stranger.attest_enclave(&SimulatedEnclave::default(), &REPORT_DATA, &MEASUREMENT, |_| {}).unwrap();
    assert_eq!(codes(&bundle), [Code::SimulatedNotAccepted]);
    // The stranger's document in the name of the root that is known.
    let own = attest(&SimulatedEnclave::default(), |_| {});
    let root = Document::parse(&own.evidence.bytes).unwrap().claims.cabundle.remove(0);
    let change = |claims: &mut Claims| claims.cabundle[0] = root;
    let forged =
        stranger.attest_enclave(&SimulatedEnclave::default(), &REPORT_DATA, &MEASUREMENT, change).unwrap();
    assert_eq!(codes(&forged), [Code::CertificateSignatureInvalid]);
}
