// SPDX-License-Identifier: Apache-2.0

//! Hostile input: no parser panics, runs long or reads bytes as something that it would not write.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test says what it skipped")]

mod entry;

use std::time::{Duration, Instant};

use enarx_evidence::snp::CertTable;
use enarx_evidence::x509::{Document, documents};
use enarx_evidence::{Bundle, Fault};
use proptest::collection::vec;
use proptest::prelude::*;

/// Bytes that look like DER more often than random ones: tags that occur, short and long lengths.
fn der_like() -> impl Strategy<Value = Vec<u8>> {
    let tag =
        prop::sample::select(vec![0x01_u8, 0x02, 0x03, 0x04, 0x05, 0x06, 0x17, 0x18, 0x30, 0x31, 0xa0, 0xa3]);
    let leaf = (tag, vec(any::<u8>(), 0..40)).prop_map(|(tag, contents)| value(tag, &contents));
    leaf.prop_recursive(6, 64, 6, |inner| {
        let tag = prop::sample::select(vec![0x30_u8, 0x30, 0x31, 0xa0, 0xa3, 0x04]);
        (tag, vec(inner, 0..6)).prop_map(|(tag, values)| value(tag, &values.concat()))
    })
}

fn value(tag: u8, contents: &[u8]) -> Vec<u8> {
    let len = contents.len();
    let header = match len {
        0..=0x7f => vec![tag, u8::try_from(len).unwrap()],
        0x80..=0xff => vec![tag, 0x81, u8::try_from(len).unwrap()],
        _ => [vec![tag, 0x82], u16::try_from(len).unwrap().to_be_bytes().to_vec()].concat(),
    };
    [&header, contents].concat()
}

/// What Intel's documents consist of.
const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    " ",
    "\"",
    "\"tcbInfo\":",
    "\"enclaveIdentity\":",
    "\"signature\":",
    "\"version\":",
    "2",
    "3",
    "\"id\":\"TDX\"",
    "\"tcbLevels\":[",
    "\"issueDate\":\"2025-06-19T10:16:03Z\"",
    "\"fmspc\":\"00906ED50000\"",
    "-0",
    "1e9",
    "\\u0041",
    "null",
    "\"tcb\":{\"isvsvn\":4}",
    "\"tcbStatus\":\"UpToDate\"",
];

proptest! {
    #[test]
    fn random(bytes in vec(any::<u8>(), 0..1500)) {
        entry::report(&bytes);
        entry::bundle(&bytes);
        entry::certificate_table(&bytes);
        entry::endorsement(&bytes);
        entry::tpm_evidence(&bytes);
        entry::azure_evidence(&bytes);
        entry::gpu_report(&bytes);
        entry::quote(&bytes);
        entry::pck_extension(&bytes);
        entry::collateral(&bytes);
    }

    #[test]
    fn nested(bytes in der_like()) {
        entry::endorsement(&bytes);
        entry::pck_extension(&bytes);
    }

    #[test]
    fn almost_json(words in vec(prop::sample::select(WORDS), 0..60)) {
        let text = words.concat();
        entry::collateral(text.as_bytes());
        entry::endorsement(text.as_bytes());
    }

    #[test]
    fn almost_a_report(version in 0_u8..8, mut bytes in vec(any::<u8>(), 0x4a0), zeros in any::<bool>()) {
        bytes[..4].copy_from_slice(&[version, 0, 0, 0]);
        if zeros {
            for reserved in [0x48..0x50, 0x18b..0x1a0, 0x1eb..0x1ec, 0x1ef..0x1f0, 0x208..0x2a0, 0x2d0..0x2e8, 0x318..0x4a0] {
                bytes[reserved].fill(0);
            }
        }
        entry::report(&bytes);
    }

    #[test]
    fn almost_a_tpm_structure(
        start in prop::sample::select(vec!["ff544347801800000000", "0014000b0020", "00010004", "a100a300", "a200a300"]),
        bytes in vec(prop_oneof![Just(0), any::<u8>()], 0..200),
    ) {
        entry::tpm_evidence(&[hex::decode(start).unwrap(), bytes].concat());
    }

    #[test]
    fn almost_an_hcl_report(kind in 0_u8..6, len in 0_u8..100, bytes in vec(any::<u8>(), 0..120)) {
        let mut report = vec![0; 1236];
        report[..12].copy_from_slice(&[b'H', b'C', b'L', b'A', 1, 0, 0, 0, 0xd4_u8.wrapping_add(len), 4, 0, 0]);
        report[12] = 2;
        report[32] = if kind == 4 { 0x81 } else { 3 };
        report[1216] = 20 + len;
        report[1220] = 1;
        report[1224] = kind;
        report[1228] = 1;
        report[1232] = len;
        entry::azure_evidence(&[report, bytes].concat());
    }

    #[test]
    fn almost_runtime_data(
        pieces in vec(prop::sample::select(vec![
            r#"{"keys":["#, r#"{"kid":"HCLAkPub","kty":"RSA","e":"AQAB","n":"gQ"}"#, "]", "}", ",", r#""user-data":"00""#,
            r#""vm-configuration":{"secure-boot":true}"#, "[", "{", "null", "1e999", "\"\\ud800\"",
        ]), 0..20),
    ) {
        entry::azure_evidence(pieces.concat().as_bytes());
    }

    #[test]
    fn almost_a_gpu_report(nonce in any::<[u8; 32]>(), blocks in 0_u8..4, rest in vec(0_u8..8, 0..300)) {
        let start = [vec![0x11, 0xe0, 1, 0xff], nonce.to_vec(), vec![0, 0x11, 0x60, 0, 0, blocks]].concat();
        entry::gpu_report(&[start, rest].concat());
    }

    #[test]
    fn almost_a_reference_manifest(
        pieces in vec(prop::sample::select(vec![
            "<SoftwareIdentity xmlns=\"http://standards.iso.org/iso/19770/-2/2015/schema.xsd\"", " xmlns:a=\"u:1\"", " a=\"1\"",
            " a:b='2'", ">", "/>", "<a", "<a:b", "</a>", "</a:b>", "</SoftwareIdentity>", "text", "<?xml ?>", "<!--", "&",
        ]), 0..40),
    ) {
        entry::reference_manifest(pieces.concat().as_bytes());
    }

    #[test]
    fn almost_pem(lines in vec(prop_oneof![
        Just("-----BEGIN CERTIFICATE-----".to_owned()),
        Just("-----END CERTIFICATE-----".to_owned()),
        Just("-----BEGIN ".to_owned()),
        Just("-----".to_owned()),
        "[A-Za-z0-9+/=]{0,64}",
    ], 0..40)) {
        entry::endorsement(lines.join("\n").as_bytes());
    }
}

#[test]
fn every_prefix_of_a_certificate_is_refused() {
    let Some(certificate) = certificate() else { return };
    entry::endorsement(&certificate);
    assert!(matches!(Document::parse(&certificate), Ok(Document::Certificate(_))));
    for len in 0..certificate.len() {
        assert!(Document::parse(&certificate[..len]).is_err(), "{len} bytes");
    }
    let longer = [certificate.as_slice(), &[0]].concat();
    assert!(Document::parse(&longer).is_err());
}

/// A certificate of AMD's, if recorded evidence is there.
fn certificate() -> Option<Vec<u8>> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors");
    let dir = std::env::var("ENARX_VECTORS").unwrap_or_else(|_| beside.to_owned());
    let Ok(pem) = std::fs::read(format!("{dir}/roots/amd/milan-ask.pem")) else {
        println!("skipped: no recorded evidence in {dir}");
        return None;
    };
    Some(documents(&pem, 1).unwrap().remove(0).into_owned())
}

/// Input built to make a parser do as much work as possible, at the limit of its length.
#[test]
fn the_worst_input_takes_no_time() {
    let limit = Bundle::MAX_ENDORSEMENT;
    let inputs = [
        b"-----BEGIN ".repeat(limit / 11),
        b"-----BEGIN A-----\n-----END A-----\n".repeat(limit / 34),
        [0x30, 0x80].repeat(limit / 2),
        (0..limit / 4)
            .fold(Vec::new(), |inner, _| if inner.len() < 60_000 { value(0x30, &inner) } else { inner }),
        vec![b'-'; limit],
        vec![b'['; limit],
        b"<a>".repeat(limit / 3),
        [b"<S a=''".to_vec(), b" a:a=''".repeat(limit / 8)].concat(),
        b"3".repeat(limit),
        b"30".repeat(limit / 2),
        b"[".repeat(limit),
        b"{\"tcbInfo\":".repeat(limit / 11),
        [b"{\"tcbInfo\":{\"version\":3,\"tcbLevels\":[".to_vec(), b"{},".repeat(20_000)].concat(),
        [b"{\"tcbInfo\":".to_vec(), b"[".repeat(60_000)].concat(),
    ];
    let start = Instant::now();
    for input in &inputs {
        entry::endorsement(input);
        entry::bundle(input);
        entry::certificate_table(input);
        entry::tpm_evidence(input);
        entry::azure_evidence(input);
        entry::gpu_report(input);
        entry::reference_manifest(input);
        entry::quote(input);
        entry::pck_extension(input);
        entry::collateral(input);
    }
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn entries_of_a_table_cannot_multiply_its_bytes() {
    // Sixteen entries, each the whole table.
    let mut table = Vec::new();
    for _ in 0..CertTable::MAX_ENTRIES {
        table.extend_from_slice(&[7; 16]);
        table.extend_from_slice(&0_u32.to_le_bytes());
        table.extend_from_slice(&60_000_u32.to_le_bytes());
    }
    table.resize(60_000, 0);
    let refused = CertTable::parse(&table).unwrap_err();
    assert_eq!(refused.fault, Fault::TooLarge { limit: CertTable::MAX_BYTES });
}

#[test]
fn more_documents_than_the_limit_are_refused() {
    let block = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    assert_eq!(documents(block.repeat(3).as_bytes(), 3).unwrap().len(), 3);
    let refused = documents(block.repeat(4).as_bytes(), 3).unwrap_err();
    assert_eq!(refused.fault, Fault::TooLarge { limit: 3 });
}
