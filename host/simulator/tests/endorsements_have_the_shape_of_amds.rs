// SPDX-License-Identifier: Apache-2.0

//! The simulated certificates, lists and reports against what publications 57230 and 56860 say of AMD's.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use common::simulator;
use der::{Decode as _, Encode as _};
use enarx_evidence::Bundle;
use enarx_evidence::snp::cert::KeyExtensions;
use enarx_evidence::snp::{Generation, Product, Report, SigningKey, TcbVersion};
use enarx_simulator::{SimulatedPlatform, SimulatorError};
use x509_cert::Certificate;
use x509_cert::crl::CertificateList;

const RSASSA_PSS: &str = "1.2.840.113549.1.1.10";
const RSA: &str = "1.2.840.113549.1.1.1";
const EC: &str = "1.2.840.10045.2.1";

fn bundle(platform: &SimulatedPlatform) -> Bundle {
    simulator().attest(platform, &[1; 64], &[2; 48], &[3; 32]).unwrap()
}

fn certificates(bundle: &Bundle) -> [Certificate; 3] {
    [0, 1, 2].map(|item| Certificate::from_der(&bundle.endorsements.items[item]).unwrap())
}

/// Object identifiers and criticality of all extensions, sorted.
fn extensions(certificate: &Certificate) -> Vec<(String, bool)> {
    let extensions = certificate.tbs_certificate().extensions().unwrap();
    let mut found: Vec<_> =
        extensions.iter().map(|extension| (extension.extn_id.to_string(), extension.critical)).collect();
    found.sort();
    found
}

fn years(certificate: &Certificate) -> u64 {
    let validity = certificate.tbs_certificate().validity();
    let [begin, end] =
        [validity.not_before, validity.not_after].map(|time| time.to_unix_duration().as_secs());
    (end - begin) / (365 * 24 * 60 * 60)
}

fn serial(certificate: &Certificate) -> String {
    hex::encode(certificate.tbs_certificate().serial_number().as_bytes())
}

#[test]
fn authorities_of_every_generation() {
    let (key_usage, constraints, subject_key, authority_key, distribution) =
        ("2.5.29.15", "2.5.29.19", "2.5.29.14", "2.5.29.35", "2.5.29.31");
    for (product, serials) in [
        (Product::Milan, ["010000", "010001", "010101"]),
        (Product::Genoa, ["020000", "020001", "020101"]),
        (Product::Turin, ["030000", "030001", "030101"]),
    ] {
        let mut platform = SimulatedPlatform::new(product);
        let [vcek, ask, ark] = certificates(&bundle(&platform));
        platform.signing_key = SigningKey::Vlek;
        let [vlek, asvk, _] = certificates(&bundle(&platform));
        assert_eq!([&ark, &ask, &asvk].map(serial), serials);
        assert_eq!([&vcek, &vlek].map(serial), ["00", "00"]);
        assert_eq!([&ark, &ask, &asvk, &vcek, &vlek].map(years), [25, 25, 25, 7, 1]);
        let root = [(subject_key, false), (key_usage, true), (constraints, true), (distribution, false)];
        let named = |all: &[(&str, bool)]| {
            let mut all: Vec<_> = all.iter().map(|(oid, critical)| ((*oid).to_owned(), *critical)).collect();
            all.sort();
            all
        };
        assert_eq!(extensions(&ark), named(&root));
        let intermediate = named(&[&root[..], &[(authority_key, false)]].concat());
        assert_eq!(extensions(&ask), intermediate);
        assert_eq!(extensions(&asvk), intermediate);
    }
}

#[test]
fn algorithms() {
    let bundle = bundle(&SimulatedPlatform::new(Product::Genoa));
    let all = certificates(&bundle);
    let [vcek, ask, ark] = &all;
    for certificate in &all {
        assert_eq!(certificate.signature_algorithm().oid.to_string(), RSASSA_PSS);
        assert_eq!(certificate.signature_algorithm(), certificate.tbs_certificate().signature());
        assert_eq!(certificate.signature().raw_bytes().len(), 512);
    }
    for (certificate, algorithm, bits) in [(vcek, EC, 8 * 97), (ask, RSA, 4208), (ark, RSA, 4208)] {
        let key = certificate.tbs_certificate().subject_public_key_info();
        assert_eq!(key.algorithm.oid.to_string(), algorithm);
        assert_eq!(key.subject_public_key.bit_len(), bits);
    }
}

#[test]
fn keys_of_reports_are_certified_for_tcb_and_chip() {
    for product in Product::ALL {
        let platform = SimulatedPlatform::new(product);
        let generation = product.generation();
        let bundle = bundle(&platform);
        let report = Report::parse(&bundle.evidence.bytes).unwrap();
        let [vcek, ..] = certificates(&bundle);
        let found = vcek.tbs_certificate().extensions().unwrap();
        assert!(
            found.iter().all(|extension| KeyExtensions::knows(&extension.extn_id) && !extension.critical)
        );
        let values = found.iter().map(|extension| (extension.extn_id, extension.extn_value.as_bytes()));
        let extensions = KeyExtensions::parse(values).unwrap().unwrap();
        assert_eq!(extensions.tcb, platform.reported_tcb);
        assert_eq!(extensions.csp_id, None);
        let hwid = extensions.hwid.unwrap();
        assert_eq!(hwid.len(), if generation == Generation::Turin { 8 } else { 64 });
        assert_eq!(hwid, report.chip_id[..hwid.len()]);
        assert!(report.chip_id[hwid.len()..].iter().all(|byte| *byte == 0));
        let name = if generation == Generation::Milan { "Milan-B0" } else { generation.product_name() };
        assert_eq!(extensions.product_name, name);
    }
}

#[test]
fn lists_are_of_the_root_and_current() {
    let bundle = bundle(&SimulatedPlatform::new(Product::Milan));
    let [.., ark] = certificates(&bundle);
    let list: CertificateList = CertificateList::from_der(&bundle.endorsements.items[3]).unwrap();
    assert_eq!(&list.tbs_cert_list.issuer, ark.tbs_certificate().subject());
    assert_eq!(list.tbs_cert_list.revoked_certificates, None);
    let (begin, end) = (list.tbs_cert_list.this_update, list.tbs_cert_list.next_update.unwrap());
    let [begin, end] = [begin, end].map(|time| time.to_unix_duration().as_secs());
    assert_eq!(end - begin, 90 * 24 * 60 * 60);
}

#[test]
fn nothing_bears_a_name_of_amd() {
    for platform in ["amd/milan", "amd/genoa@vlek", "amd/turin"] {
        let bundle = bundle(&platform.parse().unwrap());
        for certificate in certificates(&bundle) {
            let subject = certificate.tbs_certificate().subject().to_string();
            let expected = "O=Enarx simulated TEE vendor";
            assert!(subject.contains(expected) && subject.contains("CN=Simulated "), "{subject}");
        }
        for item in &bundle.endorsements.items {
            let text = String::from_utf8_lossy(item);
            assert!(!text.contains("Advanced Micro Devices") && !text.contains("amd.com"));
        }
    }
}

#[test]
fn the_root_is_the_one_that_is_announced() {
    let bundle = bundle(&SimulatedPlatform::new(Product::Turin));
    let [.., ark] = certificates(&bundle);
    assert_eq!(simulator().root_der(Generation::Turin).unwrap(), ark.to_der().unwrap());
}

#[test]
fn a_report_says_what_the_platform_was_told_to_say() {
    let platform: SimulatedPlatform =
        "amd/turin@debug,migration,no-smt,vmpl=3,current.snp=9,committed.snp=8,launch.snp=7,reported.snp=6"
            .parse()
            .unwrap();
    let report = Report::parse(&bundle(&platform).evidence.bytes).unwrap();
    assert!(report.policy.debug() && report.policy.migrate_ma() && !report.policy.smt());
    assert_eq!(report.policy.unknown(), 0);
    assert_eq!(report.vmpl, 3);
    assert_eq!((report.report_data, report.measurement, report.host_data), ([1; 64], [2; 48], [3; 32]));
    let layout = Generation::Turin.tcb_layout();
    let levels = [report.current_tcb, report.committed_tcb, report.launch_tcb, report.reported_tcb];
    assert_eq!(levels.map(|tcb| tcb.decode(layout).unwrap().snp), [9, 8, 7, 6]);
    assert_eq!(report.cpuid, Some(Product::Turin.cpuid()));
}

#[test]
fn an_unsigned_report_comes_without_a_key_certificate() {
    let bundle = bundle(&"amd/milan@unsigned".parse().unwrap());
    let report = Report::parse(&bundle.evidence.bytes).unwrap();
    assert_eq!(report.key_info.signing_key, SigningKey::None);
    assert_eq!((report.signature.r, report.signature.s), ([0; 48], [0; 48]));
    assert_eq!(bundle.endorsements.items.len(), 2);
}

#[test]
fn a_tcb_of_another_generation_is_impossible() {
    let tcb = TcbVersion { fmc: Some(1), ..SimulatedPlatform::new(Product::Milan).reported_tcb };
    let platform = SimulatedPlatform::new(Product::Milan).with_tcb(tcb);
    let error = simulator().attest(&platform, &[1; 64], &[2; 48], &[3; 32]).unwrap_err();
    assert!(matches!(error, SimulatorError::Impossible { .. }));
    assert_eq!(
        error.to_string(),
        "the simulated platform is impossible: its TCB `fmc=1,bootloader=4,tee=0,snp=27,microcode=219` is not one \
         of `milan`, since exactly Turin has an FMC level"
    );
}
