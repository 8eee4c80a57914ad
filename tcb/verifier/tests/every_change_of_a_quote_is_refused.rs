// SPDX-License-Identifier: Apache-2.0

//! Accepted quotes of simulated platforms of Intel's with one thing changed after everything was signed: each field and
//! byte of the quote, each certificate, revocation list and document.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod quotes;

use enarx_evidence::Bundle;
use enarx_evidence::dcap::{Certification, EncryptedPpid, Family, Quote};
use enarx_evidence::x509::documents;
use enarx_simulator::SimulatedQuote;
use enarx_verifier::Code;
use quotes::{Relying, attest, set, sound_td, stranger};

/// Where the parts of a quote of version 5 about a TD with a report of version 1.5 are.
const BODY: usize = 54;
const SIGNATURE_DATA: usize = BODY + 648;
const QE_REPORT: usize = SIGNATURE_DATA + 4 + 128 + 6;
const CERTIFICATION: usize = QE_REPORT + 384 + 64 + 2 + 32;

const FORGED: Code = Code::QuoteSignatureInvalid;
const FORGED_QE: Code = Code::QeReportSignatureInvalid;

/// Changes after signing: a field, where it is, which bits are flipped, and exactly what that is refused for.
const FIELDS: &[(&str, usize, u8, &[Code])] = &[
    ("VERSION, to 4", 0, 1, &[Code::EvidenceMalformed]),
    ("ATTESTATION_KEY_TYPE", 2, 1, &[Code::EvidenceMalformed]),
    ("TEE_TYPE, to SGX", 4, 0x81, &[Code::EvidenceMalformed]),
    ("RESERVED", 8, 1, &[Code::EvidenceMalformed]),
    ("QE_VENDOR_ID", 12, 1, &[Code::QeVendorUnknown, FORGED]),
    ("USER_DATA", 28, 1, &[FORGED]),
    ("BODY_TYPE, to 1.0", 48, 1, &[Code::EvidenceMalformed]),
    ("BODY_SIZE", 50, 1, &[Code::EvidenceMalformed]),
    ("MRSEAM", BODY + 16, 1, &[FORGED]),
    ("MRSIGNERSEAM", BODY + 64, 1, &[FORGED, Code::TdxModuleSignerMismatch]),
    ("SEAMATTRIBUTES", BODY + 112, 1, &[FORGED, Code::TdxModuleAttributesMismatch]),
    ("TDATTRIBUTES.DEBUG", BODY + 120, 1, &[FORGED, Code::DebugAllowed]),
    ("XFAM", BODY + 128, 1, &[FORGED, Code::ExtendedStateUnknown]),
    ("MRTD", BODY + 136, 1, &[FORGED, Code::MeasurementNotAccepted]),
    ("RTMR0", BODY + 328, 1, &[FORGED, Code::RegisterNotAccepted]),
    ("REPORTDATA", BODY + 520, 1, &[FORGED, Code::ReportDataMismatch]),
    ("TEE_TCB_SVN_2", BODY + 584, 1, &[FORGED]),
    ("MRSERVICETD", BODY + 600, 1, &[FORGED, Code::ServiceTdNotAccepted]),
    ("signature data size", SIGNATURE_DATA, 1, &[Code::EvidenceMalformed]),
    ("signature, r", SIGNATURE_DATA + 4, 1, &[FORGED]),
    ("signature, s", SIGNATURE_DATA + 4 + 63, 1, &[FORGED]),
    ("attestation key", SIGNATURE_DATA + 68, 1, &[FORGED, Code::AttestationKeyMismatch]),
    ("certification data type", SIGNATURE_DATA + 132, 1, &[Code::EvidenceMalformed]),
    ("certification data size", SIGNATURE_DATA + 134, 1, &[Code::EvidenceMalformed]),
    ("QE MRSIGNER", QE_REPORT + 128, 1, &[FORGED_QE, Code::QeSignerMismatch]),
    ("QE MRENCLAVE", QE_REPORT + 64, 1, &[FORGED_QE]),
    ("QE RESERVED", QE_REPORT + 96, 1, &[Code::EvidenceMalformed]),
    ("QE REPORTDATA", QE_REPORT + 320, 1, &[FORGED_QE, Code::AttestationKeyMismatch]),
    ("QE signature", QE_REPORT + 384, 1, &[FORGED_QE]),
    ("QE authentication data size", QE_REPORT + 448, 1, &[Code::EvidenceMalformed]),
    ("QE authentication data", QE_REPORT + 450, 1, &[Code::AttestationKeyMismatch]),
    // A leaf certificate alone, which is in no use.
    ("PCK certification type", CERTIFICATION, 1, &[Code::PckCertificateMissing]),
    ("PCK certification size", CERTIFICATION + 2, 1, &[Code::EvidenceMalformed]),
];

#[test]
fn each_field_of_the_quote() {
    let (relying, bundle) = (Relying::party(), sound_td());
    let mut wrong = Vec::new();
    for (field, at, bits, expected) in FIELDS {
        let mut changed = bundle.clone();
        changed.evidence.bytes[*at] ^= bits;
        let codes = relying.codes(&changed);
        if codes != set(expected) {
            wrong.push(format!("{field}: {codes:?}"));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn each_byte_of_the_quote() {
    let (relying, bundle) = (Relying::party(), sound_td());
    let reasons = set(&[
        Code::EvidenceMalformed,
        FORGED,
        FORGED_QE,
        Code::AttestationKeyMismatch,
        Code::PckCertificateMissing,
    ]);
    for at in 0..CERTIFICATION + 6 {
        let mut changed = bundle.clone();
        changed.evidence.bytes[at] ^= if at % 2 == 0 { 0x01 } else { 0x80 };
        let codes = relying.codes(&changed);
        assert!(!codes.is_disjoint(&reasons), "byte {at}: {codes:?}");
    }
}

#[test]
fn each_byte_of_the_certificates_in_the_quote() {
    let (relying, bundle) = (Relying::party(), sound_td());
    let reasons = set(&[
        Code::EndorsementMalformed,
        Code::PckCertificateMissing,
        Code::CertificateSignatureInvalid,
        Code::IssuerMissing,
        Code::RootMissing,
        FORGED_QE,
    ]);
    let bytes = &bundle.evidence.bytes;
    let end = bytes.len() - 70;
    for at in CERTIFICATION + 6..end {
        let mut changed = bundle.clone();
        changed.evidence.bytes[at] ^= 1;
        let codes = relying.codes(&changed);
        // Between certificates there may be anything.
        let between = bytes[at] == 0 || bytes[..=at].ends_with(b"-----END CERTIFICATE-----\n");
        assert_eq!(codes.is_empty(), between, "byte {at}: {codes:?}");
        assert!(between || !codes.is_disjoint(&reasons), "byte {at}: {codes:?}");
    }
}

#[test]
fn a_quote_that_is_shorter() {
    let (relying, bundle) = (Relying::party(), sound_td());
    let whole = bundle.evidence.bytes.len() - 70;
    for len in [0, 1, 48, 53, BODY, SIGNATURE_DATA, SIGNATURE_DATA + 4, QE_REPORT, CERTIFICATION, whole - 1] {
        let mut changed = bundle.clone();
        changed.evidence.bytes.truncate(len);
        assert_eq!(relying.codes(&changed), set(&[Code::EvidenceMalformed]), "{len} bytes");
    }
    let mut changed = bundle;
    changed.evidence.bytes.truncate(whole);
    assert_eq!(relying.codes(&changed), set(&[]));
}

/// The order of the endorsements.
const INFO: usize = 0;
const IDENTITY: usize = 1;
const SIGNER: usize = 2;
const ROOT_LIST: usize = 3;
const PCK_LIST: usize = 4;

/// Changes each byte of an endorsement. A change is refused for what it did to the endorsement.
fn each_byte(endorsement: usize, reasons: &[Code]) {
    let (relying, bundle) = (Relying::party(), sound_td());
    for at in 0..bundle.endorsements.items[endorsement].len() {
        let mut changed = bundle.clone();
        changed.endorsements.items[endorsement][at] ^= 1;
        let codes = relying.codes(&changed);
        assert!(!codes.is_disjoint(&set(reasons)), "byte {at} of endorsement {endorsement}: {codes:?}");
    }
}

#[test]
fn each_byte_of_tcb_info() {
    each_byte(INFO, &[Code::EndorsementMalformed, Code::TcbInfoSignatureInvalid]);
}

#[test]
fn each_byte_of_the_identity() {
    each_byte(IDENTITY, &[Code::EndorsementMalformed, Code::QeIdentitySignatureInvalid]);
}

#[test]
fn each_byte_of_the_signers_certificate() {
    use Code::{CertificateSignatureInvalid, EndorsementMalformed, IssuerMissing, TcbSignerMissing};
    each_byte(SIGNER, &[EndorsementMalformed, CertificateSignatureInvalid, IssuerMissing, TcbSignerMissing]);
}

#[test]
fn each_byte_of_the_revocation_lists() {
    for list in [ROOT_LIST, PCK_LIST] {
        each_byte(list, &[Code::EndorsementMalformed, Code::CrlSignatureInvalid, Code::CrlMissing]);
    }
}

#[test]
fn an_endorsement_left_out() {
    let (relying, bundle) = (Relying::party(), sound_td());
    let missing: [(usize, &[Code]); 5] = [
        (INFO, &[Code::TcbInfoMissing, Code::TcbStatusNotAccepted]),
        (IDENTITY, &[Code::QeIdentityMissing]),
        (SIGNER, &[Code::TcbSignerMissing]),
        (ROOT_LIST, &[Code::CrlMissing]),
        (PCK_LIST, &[Code::CrlMissing]),
    ];
    for (endorsement, codes) in missing {
        let mut changed = bundle.clone();
        changed.endorsements.items.remove(endorsement);
        assert_eq!(relying.codes(&changed), set(codes), "endorsement {endorsement}");
    }
}

#[test]
fn a_certificate_of_the_quote_left_out() {
    let (relying, bundle) = (Relying::party(), sound_td());
    let expected = [Code::PckCertificateMissing, Code::IssuerMissing, Code::RootMissing];
    for (position, code) in expected.into_iter().enumerate() {
        let mut changed = bundle.clone();
        let mut quote = Quote::parse(&changed.evidence.bytes).unwrap();
        let Certification::PckChain(chain) = &mut quote.signature.certification else { panic!("no chain") };
        let text = String::from_utf8(chain.clone()).unwrap();
        let mut blocks = text.split_inclusive("-----END CERTIFICATE-----\n").collect::<Vec<_>>();
        blocks.remove(position);
        *chain = blocks.concat().into_bytes();
        changed.evidence.bytes = quote.encode();
        // Without the root, the chain of the key that signs collateral ends early as well.
        let expected = if position == 2 { vec![Code::RootMissing, Code::IssuerMissing] } else { vec![code] };
        assert_eq!(relying.codes(&changed), set(&expected), "certificate {position}");
    }
}

#[test]
fn an_endorsement_exchanged_for_a_strangers() {
    let (relying, bundle) = (Relying::party(), sound_td());
    let platform = SimulatedQuote::default();
    let foreign =
        stranger().attest_quote(&platform, &quotes::REPORT_DATA, &quotes::MEASUREMENT, |_| {}).unwrap();
    let exchanged: [(usize, &[Code]); 5] = [
        (INFO, &[Code::TcbInfoSignatureInvalid]),
        (IDENTITY, &[Code::QeIdentitySignatureInvalid]),
        (
            SIGNER,
            &[
                Code::TcbInfoSignatureInvalid,
                Code::QeIdentitySignatureInvalid,
                Code::CertificateSignatureInvalid,
            ],
        ),
        (ROOT_LIST, &[Code::CrlSignatureInvalid, Code::CrlMissing]),
        (PCK_LIST, &[Code::CrlSignatureInvalid, Code::CrlMissing]),
    ];
    for (endorsement, expected) in exchanged {
        let mut changed = bundle.clone();
        changed.endorsements.items[endorsement] = foreign.endorsements.items[endorsement].clone();
        assert_eq!(relying.codes(&changed), set(expected), "endorsement {endorsement}");
    }
}

#[test]
fn evidence_of_a_stranger() {
    let relying = Relying::party();
    let platform = SimulatedQuote::default();
    let foreign =
        stranger().attest_quote(&platform, &quotes::REPORT_DATA, &quotes::MEASUREMENT, |_| {}).unwrap();
    assert_eq!(relying.codes(&foreign), set(&[Code::SimulatedNotAccepted]));
}

/// What one vendor says about platforms says nothing about another's, even if both are trusted.
#[test]
fn collateral_of_another_vendor() {
    let platform = SimulatedQuote::default();
    let other =
        stranger().attest_quote(&platform, &quotes::REPORT_DATA, &quotes::MEASUREMENT, |_| {}).unwrap();
    let mut relying =
        Relying::under(quotes::policy(|text| text.replace("[\"local\"]", "[\"local\", \"other\"]")));
    let root = stranger().dcap_root_spki_sha256().unwrap();
    relying.anchors = quotes::anchors().with_simulated("other", root);
    assert_eq!(relying.codes(&other), set(&[]));

    let mut mixed = sound_td();
    let lists = mixed.endorsements.items.split_off(ROOT_LIST);
    mixed.endorsements.items = other.endorsements.items[..=ROOT_LIST].to_vec();
    mixed.endorsements.items.extend(lists);
    let Certification::PckChain(chain) = Quote::parse(&other.evidence.bytes).unwrap().signature.certification
    else {
        panic!("no chain");
    };
    mixed.endorsements.items.push(documents(&chain, 3).unwrap().pop().unwrap().into_owned());
    // The two roots have one name, so each has to refuse the other's list as well.
    let expected = [Code::TcbSignerMismatch, Code::CrlSignatureInvalid];
    assert_eq!(relying.codes(&mixed), set(&expected));
}

/// The quote may say only which platform it is, and the host send the certificates.
#[test]
fn certificates_beside_the_quote() {
    let (relying, mut bundle) = (Relying::party(), sound_td());
    let mut quote = Quote::parse(&bundle.evidence.bytes).unwrap();
    let ppid = EncryptedPpid { ciphertext: [7; 384], cpu_svn: [0; 16], pce_svn: 13, pce_id: 0 };
    let named = Certification::EncryptedPpid(Box::new(ppid));
    let Certification::PckChain(chain) = std::mem::replace(&mut quote.signature.certification, named) else {
        panic!("no chain");
    };
    bundle.evidence.bytes = quote.encode();
    assert_eq!(relying.codes(&bundle), set(&[Code::PckCertificateMissing]));
    bundle.endorsements.items.push(chain);
    assert_eq!(relying.codes(&bundle), set(&[]));
}

#[test]
fn the_quote_of_another_platform() {
    let relying = Relying::party();
    let (one, other) = (sound_td(), sound_td());
    // Each has keys of its own: the certificates of one do not vouch for the other.
    let chain = |bundle: &Bundle| Quote::parse(&bundle.evidence.bytes).unwrap().signature.certification;
    let mut quote = Quote::parse(&one.evidence.bytes).unwrap();
    quote.signature.certification = chain(&other);
    let mut mixed = other.clone();
    mixed.evidence.bytes = quote.encode();
    assert_eq!(relying.codes(&mixed), set(&[FORGED_QE]));
    // Nor does its report of the quoting enclave.
    quote.signature.qe = Quote::parse(&other.evidence.bytes).unwrap().signature.qe;
    mixed.evidence.bytes = quote.encode();
    assert_eq!(relying.codes(&mixed), set(&[Code::AttestationKeyMismatch]));
    quote.signature.attestation_key = Quote::parse(&other.evidence.bytes).unwrap().signature.attestation_key;
    mixed.evidence.bytes = quote.encode();
    assert_eq!(relying.codes(&mixed), set(&[FORGED]));
}

#[test]
fn evidence_of_the_other_kind() {
    let relying = Relying::party();
    let mut bundle = sound_td();
    bundle.evidence.format = enarx_evidence::Format::Sgx;
    assert_eq!(relying.codes(&bundle), set(&[Code::EvidenceMalformed]));
    let mut bundle = attest(&SimulatedQuote::enclave(), |_| {});
    bundle.evidence.format = enarx_evidence::Format::Tdx;
    assert_eq!(relying.codes(&bundle), set(&[Code::EvidenceMalformed]));
}

#[test]
fn order_and_repetition_of_endorsements_mean_nothing() {
    let (relying, mut bundle) = (Relying::party(), sound_td());
    let doubled = [bundle.endorsements.items.clone(), bundle.endorsements.items.clone()].concat();
    bundle.endorsements.items = doubled;
    for _ in 0..bundle.endorsements.items.len() {
        bundle.endorsements.items.rotate_left(1);
        assert_eq!(relying.codes(&bundle), set(&[]));
    }
    // Documents about other platforms, of the other kind of enclave, and about this one but signed by nobody here.
    let (td, enclave) = (SimulatedQuote::default(), SimulatedQuote::enclave());
    let other = SimulatedQuote { family: Family::GraniteRapids, ..td.clone() };
    for platform in [other, enclave, td] {
        let beside = attest(&platform, |content| content.identity.evaluation_data_number = 99);
        bundle.endorsements.items.extend_from_slice(&beside.endorsements.items[..2]);
    }
    assert_eq!(relying.codes(&bundle), set(&[]));
}
