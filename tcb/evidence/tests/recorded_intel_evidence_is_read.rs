// SPDX-License-Identifier: Apache-2.0

//! Quotes and collateral of real platforms, where they are recorded: each is read, written back as it was, and
//! says what it is known to say.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test says what it skipped")]

use std::path::{Path, PathBuf};

use enarx_evidence::dcap::{Body, Certification, Collateral, PckExtensions, Quote, QuoteVersion, TeeType};
use enarx_evidence::endorsement::{Document, documents};

fn recorded() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors");
    let dir = PathBuf::from(std::env::var("ENARX_VECTORS").unwrap_or_else(|_| beside.to_owned()));
    let there = dir.join("tdx").is_dir();
    if !there {
        println!("skipped: no recorded evidence in {}", dir.display());
    }
    there.then_some(dir)
}

/// All files with a name below a directory.
fn named(dir: &Path, name: &str) -> Vec<PathBuf> {
    let cases = std::fs::read_dir(dir).unwrap().map(|case| case.unwrap().path().join(name));
    cases.filter(|path| path.is_file()).collect()
}

#[test]
fn every_quote_is_read_and_written_back() {
    let Some(dir) = recorded() else { return };
    let mut read = 0;
    for tee in ["tdx", "sgx"] {
        for path in named(&dir.join(tee), "quote.bin") {
            let bytes = std::fs::read(&path).unwrap();
            let quote = Quote::parse(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert_eq!(quote.encode(), bytes, "{}", path.display());
            let expected = if tee == "tdx" { TeeType::Tdx } else { TeeType::Sgx };
            assert_eq!(quote.body.tee(), expected, "{}", path.display());
            read += 1;
        }
    }
    assert!(read >= 35, "{read} quotes");
}

#[test]
fn every_certification_names_its_platform() {
    let Some(dir) = recorded() else { return };
    let known = [
        ("tdx/v4-spr-go-tdx-guest", "50806f000000", 39),
        ("tdx/v5-emr-go-tdx-guest", "90c06f000000", 0),
        ("sgx/v3-coffeelake-swhardening-oe", "00906ed50000", 0),
    ];
    for (case, fmspc, trailing) in known {
        let quote = Quote::parse(&std::fs::read(dir.join(case).join("quote.bin")).unwrap()).unwrap();
        assert_eq!(quote.trailing.len(), trailing, "{case}");
        let Certification::PckChain(pem) = &quote.signature.certification else { panic!("{case}") };
        let chain = documents(pem, 3).unwrap();
        let extensions = chain.iter().filter_map(|der| match Document::parse(der).unwrap() {
            Document::Certificate(certificate) => PckExtensions::find(&certificate.extensions).unwrap(),
            _ => None,
        });
        let fmspcs = extensions.map(|extensions| hex::encode(extensions.fmspc)).collect::<Vec<_>>();
        assert_eq!(fmspcs, [fmspc], "{case}");
    }
}

#[test]
fn a_report_says_what_is_known_of_it() {
    let Some(dir) = recorded() else { return };
    let quote = Quote::parse(&std::fs::read(dir.join("tdx/v5-emr-go-tdx-guest/quote.bin")).unwrap()).unwrap();
    assert_eq!(quote.header.version, QuoteVersion::V5);
    let Body::Td(report) = &quote.body else { panic!("not a TD") };
    assert_eq!(hex::encode(report.tee_tcb_svn), "0b010400000000000000000000000000");
    assert_eq!(
        hex::encode(report.mr_td),
        "7348651a34b2d2d3462822e3a750ec6110125f36757c78480bbfc69cc0d21fb001a1ced3ee19747dda8f750c3bc8f876"
    );
    assert!(report.td_attributes.sept_ve_disable() && !report.td_attributes.under_debug());
    assert_eq!((report.td_attributes.unknown(), report.xfam.unknown()), (0, 0));
    let extension = report.extension.as_ref().unwrap();
    assert_eq!(hex::encode(extension.tee_tcb_svn_2), "0d010400000000000000000000000000");
    assert_eq!(extension.mr_service_td, [0; 48]);
}

#[test]
fn an_encrypted_identifier_is_read() {
    let Some(dir) = recorded() else { return };
    let case = dir.join("sgx/v3-encrypted-ppid-fortanix/quote.bin");
    let quote = Quote::parse(&std::fs::read(case).unwrap()).unwrap();
    assert!(matches!(quote.signature.certification, Certification::EncryptedPpid(_)));
}

#[test]
fn every_document_is_read() {
    let Some(dir) = recorded() else { return };
    let mut read = 0;
    for (dir, name) in [
        (dir.join("tdx"), "tcb_info.json"),
        (dir.join("tdx"), "qe_identity.json"),
        (dir.join("sgx"), "tcb_info.json"),
        (dir.join("sgx"), "qe_identity.json"),
    ] {
        for path in named(&dir, name) {
            let bytes = std::fs::read(&path).unwrap();
            let collateral = Collateral::parse(&bytes);
            let collateral = collateral.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert_eq!(Collateral::parse(&collateral.encode()).unwrap(), collateral, "{}", path.display());
            read += 1;
        }
    }
    assert!(read >= 60, "{read} documents");
}

#[test]
fn a_list_in_hexadecimal_digits_is_the_list() {
    let Some(dir) = recorded() else { return };
    let der = std::fs::read(dir.join("tdx/v4-emr-uptodate-phala/pck_crl.der")).unwrap();
    for digits in [hex::encode(&der), hex::encode_upper(&der), format!("{}\n", hex::encode(&der))] {
        assert_eq!(documents(digits.as_bytes(), 1).unwrap(), [&*der]);
    }
    let odd = &hex::encode(&der)[1..];
    assert!(documents(format!("30{odd}").as_bytes(), 1).is_err());
}
