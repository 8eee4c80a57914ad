// SPDX-License-Identifier: Apache-2.0

//! Simulated platforms, and a key server for them that is as strict as AMD's about what it is asked.

#[path = "../../../simulator/tests/common/kept.rs"]
mod kept;

use std::sync::OnceLock;

use enarx_collateral::Source;
use enarx_evidence::snp::Report;
use enarx_evidence::{Bundle, Endorsements, Evidence, Format};
use enarx_simulator::{SimulatedPlatform, Simulator};
use pem_rfc7468::{LineEnding, encode_string};

use super::{Reply, Server};

/// One for all tests.
pub(crate) fn simulator() -> &'static Simulator {
    static SIMULATOR: OnceLock<Simulator> = OnceLock::new();
    SIMULATOR.get_or_init(|| kept::simulator("own"))
}

/// A platform's evidence and everything its vendor gives out for it.
#[derive(Clone)]
pub(crate) struct Platform {
    pub(crate) bundle: Bundle,
    pub(crate) report: Report,
    pub(crate) key: Vec<u8>,
    /// Intermediate, then root, as AMD orders them.
    pub(crate) chain: String,
    pub(crate) list: Vec<u8>,
}

pub(crate) const REPORT_DATA: [u8; 64] = [1; 64];
pub(crate) const MEASUREMENT: [u8; 48] = [2; 48];

pub(crate) fn platform(text: &str) -> Platform {
    let platform: SimulatedPlatform = text.parse().unwrap();
    let bundle = simulator().attest(&platform, &REPORT_DATA, &MEASUREMENT, &[3; 32]).unwrap();
    let [key, ask, ark, list] = bundle.endorsements.items.as_slice() else { panic!("not four documents") };
    let chain = pem(ask) + &pem(ark);
    let report = Report::parse(&bundle.evidence.bytes).unwrap();
    Platform { report, key: key.clone(), chain, list: list.clone(), bundle }
}

impl Platform {
    /// A recorded report and the documents for it.
    pub(crate) fn recorded(report: Vec<u8>, key: Vec<u8>, chain: String, list: Vec<u8>) -> Self {
        let parsed = Report::parse(&report).unwrap();
        let evidence = Evidence { format: Format::SevSnp, bytes: report };
        let bundle = Bundle { evidence, endorsements: Endorsements::default() };
        Self { bundle, report: parsed, key, chain, list }
    }

    /// The evidence alone, as it comes from a host that sends nothing along.
    pub(crate) fn bare(&self) -> Bundle {
        Bundle { endorsements: Endorsements::default(), ..self.bundle.clone() }
    }

    /// The path at which AMD has its VCEK, put together from the bytes of the report as the specification says.
    pub(crate) fn key_path(&self, product: &str) -> String {
        let bytes = self.report.encode();
        let levels = &bytes[0x180..0x188];
        let chip = &bytes[0x1a0..0x1e0];
        if product == "Turin" {
            let [fmc, bl, tee, snp, .., ucode] = levels else { panic!("eight bytes") };
            let levels =
                format!("fmcSPL={fmc:02}&blSPL={bl:02}&teeSPL={tee:02}&snpSPL={snp:02}&ucodeSPL={ucode:02}");
            return format!("/vcek/v1/{product}/{}?{levels}", hex::encode(&chip[..8]));
        }
        let [bl, tee, .., snp, ucode] = levels else { panic!("eight bytes") };
        let levels = format!("blSPL={bl:02}&teeSPL={tee:02}&snpSPL={snp:02}&ucodeSPL={ucode:02}");
        format!("/vcek/v1/{product}/{}?{levels}", hex::encode(chip))
    }

    /// What AMD's server answers, if it is the one of this platform.
    pub(crate) fn answer(&self, target: &str, key: &str, product: &str) -> Reply {
        let kind = |reply: Reply, kind: &str| reply.with("Content-Type", kind);
        if target == self.key_path(product) && key == "vcek" {
            return kind(Reply::ok(self.key.clone()), "application/octet-stream");
        }
        match target.strip_prefix(&format!("/{key}/v1/{product}/")) {
            Some("cert_chain") => kind(Reply::ok(self.chain.clone()), "application/x-pem-file"),
            Some("crl") => kind(Reply::ok(self.list.clone()), "application/octet-stream"),
            _ => Reply::status(404),
        }
    }

    /// A server that has it.
    pub(crate) async fn server(&self, key: &'static str, product: &'static str) -> Server {
        let platform = self.clone();
        Server::start(move |request| platform.answer(&request.target, key, product)).await
    }
}

pub(crate) fn pem(der: &[u8]) -> String {
    encode_string("CERTIFICATE", LineEnding::LF, der).unwrap()
}

/// A key server at a test's address.
pub(crate) fn kds(server: &Server) -> Source {
    Source::Kds { base: server.url() }
}
