// SPDX-License-Identifier: Apache-2.0

//! Writes seeds for the fuzz targets: evidence of every format, and the parts of it, each to where its parser is fuzzed.
//!
//! ```text
//! cargo run --package enarx-simulator --example seeds -- fuzz/corpus
//! ```

#![allow(clippy::expect_used, reason = "a chore ends with its first failure")]

use std::path::{Path, PathBuf};
use std::{env, fs};

use enarx_evidence::azure::{AzureEvidence, HclReport};
use enarx_evidence::cca::Token;
use enarx_evidence::dcap::{Certification, Collateral, PckExtensions, Quote, QuoteVersion};
use enarx_evidence::endorsement::{Document, documents};
use enarx_evidence::nitro;
use enarx_evidence::tpm::{AttestationKey, TpmEvidence};
use enarx_evidence::{Bundle, Format};
use enarx_simulator::{
    Curve, SimulatedEnclave, SimulatedGpu, SimulatedMachine, SimulatedPlatform, SimulatedQuote,
    SimulatedRealm, SimulatedTpm, Simulator, SimulatorError, TpmKey,
};
use sha2::{Digest as _, Sha256};

/// A small image of a unikernel.
#[path = "../../../tcb/measure/tests/elf/mod.rs"]
mod elf;

const REPORT_DATA: [u8; 64] = [0x11; 64];
const MEASUREMENT: [u8; 48] = [0x22; 48];

/// What a policy may say, for the parser of policies.
const POLICY: &str = include_str!("../../../tcb/verifier/src/policy/template.toml");
/// What a table of cases for a policy may say.
const CASES: &str = include_str!("../../../examples/policies/no-milan.cases.toml");
/// What a feed of advisories may say.
const FEED: &str = include_str!("../../../tcb/verifier/src/advisory/template.toml");
/// What a manifest may say.
const MANIFEST: &str = include_str!("../../../tcb/package/src/manifest/template.toml");

fn main() {
    let corpus = PathBuf::from(env::args_os().nth(1).expect("the folder for seeds as first argument"));
    let state = tempfile::tempdir().expect("a temporary directory");
    let simulator = Simulator::open(state.path()).expect("a simulator");
    let seeds = Seeds { corpus };
    for bundle in bundles(&simulator).expect("evidence") {
        for target in ["bundle", "appraisal", "believing_appraisal"] {
            seeds.put(target, &bundle.encode());
        }
        seeds.parts(&bundle);
        seeds.endorsements(&bundle);
    }
    seeds.put("policy", POLICY.as_bytes());
    seeds.put("policy_cases", CASES.as_bytes());
    seeds.put("advisory_feed", FEED.as_bytes());
    seeds.put("manifest", MANIFEST.as_bytes());
    let image = elf::Elf { code: vec![0xf4; 40], pages: vec![elf::PAGES.to_vec()], ..elf::Elf::default() };
    seeds.put("image", &image.build());
}

/// Evidence of every format, and of the variants that are parsed differently.
fn bundles(simulator: &Simulator) -> Result<Vec<Bundle>, SimulatorError> {
    let (data, measurement) = (&REPORT_DATA, &MEASUREMENT);
    let mut bundles = Vec::new();
    for text in ["amd/milan@version=2", "amd/genoa@vlek,version=3", "amd/turin", "amd/siena@hidden-chip"] {
        let platform: SimulatedPlatform = text.parse().expect("a platform");
        bundles.push(simulator.attest(&platform, data, measurement, &[0x33; 32])?);
    }
    let td = SimulatedQuote::default();
    let older = SimulatedQuote { version: QuoteVersion::V4, extended: false, ..td.clone() };
    for quote in [td, older, SimulatedQuote::enclave()] {
        bundles.push(simulator.attest_quote(&quote, data, measurement, |_| {})?);
    }
    for key_form in [enarx_simulator::KeyForm::Cose, enarx_simulator::KeyForm::Certificate] {
        let realm = SimulatedRealm { key_form, ..SimulatedRealm::default() };
        bundles.push(simulator.attest_realm(&realm, data, measurement, |_, _| {})?);
    }
    bundles.push(simulator.attest_enclave(&SimulatedEnclave::default(), data, measurement, |_| {})?);
    for key in [TpmKey::RsaPss, TpmKey::Ecdsa(Curve::P256)] {
        bundles.push(simulator.attest_tpm(&SimulatedTpm { key, ..SimulatedTpm::default() }, data, |_| {})?);
    }
    let machine = SimulatedMachine { certified: true };
    let milan = SimulatedPlatform::new(enarx_evidence::snp::Product::Milan);
    bundles.push(simulator.attest_azure_snp(&milan, &machine, data, measurement, |_| {})?);
    bundles.push(simulator.attest_azure_tdx(&machine, data, measurement, |_| {}, |_| {})?);
    bundles.push(simulator.attest_gpu(&SimulatedGpu::default(), data, |_| {})?);
    Ok(bundles)
}

struct Seeds {
    corpus: PathBuf,
}

impl Seeds {
    /// One seed, named by its digest so that each is there once.
    fn put(&self, target: &str, seed: &[u8]) {
        let folder = self.corpus.join(target);
        fs::create_dir_all(&folder).expect("a folder for seeds");
        let name = hex::encode(Sha256::digest(seed));
        fs::write(Path::new(&folder).join(name), seed).expect("a seed");
    }

    fn parts(&self, bundle: &Bundle) {
        let bytes = bundle.evidence.bytes.as_slice();
        match bundle.evidence.format {
            Format::SevSnp => self.put("snp_report", bytes),
            Format::Tdx | Format::Sgx => {
                let quote = Quote::parse(bytes).expect("a quote");
                self.put("dcap_quote", bytes);
                if let Certification::PckChain(chain) = &quote.signature.certification {
                    self.documents(chain);
                }
            }
            Format::Cca => {
                let token = Token::parse(bytes).expect("a token");
                self.put("cca_token", bytes);
                for message in [token.platform, token.realm] {
                    self.put("cose_sign1", &message.encode());
                    self.put("cca_claims", message.payload);
                }
            }
            Format::Nitro => {
                let document = nitro::Document::parse(bytes).expect("a document");
                self.put("nitro_document", bytes);
                self.put("cose_sign1", bytes);
                self.put("nitro_claims", document.message.payload);
            }
            Format::Tpm => {
                let evidence = TpmEvidence::decode(bytes).expect("a quote");
                self.put("tpm_evidence", bytes);
                self.put("tpm_evidence", &evidence.quote.attest.encode());
                self.put("tpm_evidence", &evidence.quote.signature.encode());
                if let Some(AttestationKey::Public(public)) = &evidence.key {
                    self.put("tpm_evidence", &public.encode());
                }
            }
            Format::AzureSnp | Format::AzureTdx => {
                let HclReport { runtime_data, .. } = {
                    let report = AzureEvidence::decode(bytes).expect("evidence").hcl_report;
                    self.put("azure_evidence", &report.encode());
                    report
                };
                self.put("azure_evidence", bytes);
                self.put("azure_evidence", &runtime_data);
            }
            Format::NvGpu => self.put("gpu_report", bytes),
            _ => {}
        }
    }

    fn endorsements(&self, bundle: &Bundle) {
        for item in &bundle.endorsements.items {
            self.put("endorsement", item);
            if matches!(item.first(), Some(0xa0..=0xbf)) {
                self.put("cose_key", item);
            }
            if Collateral::looks_like(item) {
                self.put("dcap_collateral", item);
                let signed = match Collateral::parse(item).expect("collateral") {
                    Collateral::TcbInfo(info) => info.signed,
                    Collateral::EnclaveIdentity(identity) => identity.signed,
                };
                self.put("dcap_collateral", signed);
            }
            self.documents(item);
        }
    }

    /// The keys and extensions in certificates.
    fn documents(&self, item: &[u8]) {
        for document in documents(item, Bundle::MAX_ENDORSEMENTS).into_iter().flatten() {
            let Ok(Document::Certificate(certificate)) = Document::parse(&document) else { continue };
            let extensions = certificate.extensions.iter();
            extensions
                .filter(|extension| extension.oid == PckExtensions::OID)
                .for_each(|extension| self.put("pck_extension", extension.value));
            self.put("tpm_evidence", certificate.spki);
            self.put("cose_key", certificate.spki);
        }
    }
}
