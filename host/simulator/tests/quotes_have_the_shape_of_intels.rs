// SPDX-License-Identifier: Apache-2.0

//! Quotes and collateral of simulated platforms look like Intel's to who reads them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use enarx_evidence::dcap::{Body, Certification, PckExtensions, Quote, QuoteVersion, TeeType};
use enarx_evidence::endorsement::{Document, documents};
use enarx_evidence::{Bundle, Format};
use enarx_simulator::{PckAuthority, SimulatedQuote, Simulator, SimulatorError};
use tempfile::TempDir;

fn attest(simulator: &Simulator, platform: &SimulatedQuote) -> Result<Bundle, SimulatorError> {
    simulator.attest_quote(platform, &[1; 64], &[2; 48], |_| {})
}

#[test]
fn a_quote_has_its_chain_and_endorsements_the_rest() {
    let dir = TempDir::new().unwrap();
    let simulator = Simulator::open(dir.path()).unwrap();
    let bundle = attest(&simulator, &SimulatedQuote::default()).unwrap();
    assert_eq!(bundle.evidence.format, Format::Tdx);
    let quote = Quote::parse(&bundle.evidence.bytes).unwrap();
    let Body::Td(report) = &quote.body else { panic!("not a TD") };
    assert_eq!((report.report_data, report.mr_td), ([1; 64], [2; 48]));

    let Certification::PckChain(chain) = &quote.signature.certification else { panic!("no chain") };
    let names = documents(chain, 3).unwrap().iter().map(|der| name(der)).collect::<Vec<_>>();
    let expected =
        ["Simulated SGX PCK Certificate", "Simulated SGX PCK Platform CA", "Simulated SGX Root CA"];
    assert_eq!(names, expected);

    let kinds = bundle.endorsements.items.iter().map(|item| match Document::parse(item).unwrap() {
        Document::TcbInfo(_) => "TCB info".to_owned(),
        Document::EnclaveIdentity(_) => "identity".to_owned(),
        Document::Certificate(certificate) => certificate.common_name().to_owned(),
        Document::RevocationList(list) => format!("list of {}", list.issuer_common_name()),
        Document::ReferenceManifest(_) => "manifest".to_owned(),
    });
    let expected = [
        "TCB info",
        "identity",
        "Simulated SGX TCB Signing",
        "list of Simulated SGX Root CA",
        "list of Simulated SGX PCK Platform CA",
    ];
    assert_eq!(kinds.collect::<Vec<_>>(), expected);
}

fn name(der: &[u8]) -> String {
    match Document::parse(der).unwrap() {
        Document::Certificate(certificate) => certificate.common_name().to_owned(),
        _ => panic!("not a certificate"),
    }
}

#[test]
fn only_registered_platforms_have_an_instance() {
    let dir = TempDir::new().unwrap();
    let simulator = Simulator::open(dir.path()).unwrap();
    for authority in [PckAuthority::Platform, PckAuthority::Processor] {
        let platform = SimulatedQuote { authority, ..SimulatedQuote::default() };
        let bundle = attest(&simulator, &platform).unwrap();
        let quote = Quote::parse(&bundle.evidence.bytes).unwrap();
        let Certification::PckChain(chain) = &quote.signature.certification else { panic!("no chain") };
        let leaf = documents(chain, 3).unwrap().remove(0);
        let Document::Certificate(leaf) = Document::parse(&leaf).unwrap() else { panic!("no leaf") };
        let extensions = PckExtensions::find(&leaf.extensions).unwrap().unwrap();
        let registered = authority == PckAuthority::Platform;
        assert_eq!(extensions.platform_instance_id.is_some(), registered);
        assert_eq!(extensions.configuration.is_some(), registered);
        assert_eq!(extensions.fmspc, platform.family.fmspc());
    }
}

#[test]
fn the_root_stays() {
    let dir = TempDir::new().unwrap();
    let root = Simulator::open(dir.path()).unwrap().dcap_root_spki_sha256().unwrap();
    assert_eq!(Simulator::open(dir.path()).unwrap().dcap_root_spki_sha256().unwrap(), root);
    let other = TempDir::new().unwrap();
    assert_ne!(Simulator::open(other.path()).unwrap().dcap_root_spki_sha256().unwrap(), root);
}

#[test]
fn quotes_that_do_not_exist_are_not_made() {
    let dir = TempDir::new().unwrap();
    let simulator = Simulator::open(dir.path()).unwrap();
    let sound = SimulatedQuote::default();
    let impossible = [
        SimulatedQuote { version: QuoteVersion::V3, extended: false, ..sound.clone() },
        SimulatedQuote { version: QuoteVersion::V4, ..sound.clone() },
        SimulatedQuote { tee: TeeType::Sgx, ..sound },
    ];
    for platform in impossible {
        let refused = attest(&simulator, &platform).unwrap_err();
        assert!(matches!(refused, SimulatorError::Impossible { .. }), "{refused}");
    }
}
