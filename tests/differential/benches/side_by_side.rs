// SPDX-License-Identifier: Apache-2.0

//! How long an appraisal takes beside `dcap-qvl` and `sev`, and beside the bare signature verifications that it cannot
//! do without: `cargo bench --features backends --manifest-path tests/differential/Cargo.toml`.
//!
//! Evidence is simulated, so that everybody can run it. Everything is measured in turns in one run, each in batches of
//! one call or a few, and the tenth fastest of a hundred batches are compared: what else the machine does only ever adds
//! time, and hits some batches of each and not others. The medians are printed beside them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a program for developers")]

use std::hint::black_box;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use dcap_qvl::configs::{RingConfig, RustCryptoConfig};
use dcap_qvl::verify::QuoteVerifier;
use enarx_differential::backend::{AwsLc, Ring};
use enarx_differential::{Case, Item, amd, intel};
use enarx_evidence::dcap::{Quote, QuoteVersion, TcbLevel};
use enarx_evidence::snp::{Generation, Report};
use enarx_evidence::x509::PublicKey;
use enarx_evidence::{Bundle, Format};
use enarx_simulator::{DcapContent, SimulatedQuote, Simulator};
use enarx_verifier::crypto::{Remembering, RustCrypto, Scheme, SignatureVerifier, Signed};
use enarx_verifier::{Policy, ReferenceValue, Request, TrustAnchors, UnixTime, appraise_with};
use sev::certs::snp::Verifiable as _;
use sev::firmware::guest::AttestationReport;
use sev::parser::ByteParser as _;

const REPORT_DATA: [u8; 64] = [1; 64];
const MEASUREMENT: [u8; 48] = [2; 48];
/// How long one batch of one contender takes, about, and how many batches there are.
const BATCH: Duration = Duration::from_millis(1);
const BATCHES: usize = 401;
/// The batch, by how long they took, that is compared.
const FAST: usize = BATCHES / 10;

const POLICY: &str = r#"
version = 1
[keep]
measurements = ["release"]
[simulated]
accept = true
roots = ["local"]
[intel]
advisories = "not-checked"
[[allow]]
id = "amd"
vendor = "amd"
tee = "sev-snp"
minimum_tcb = "not-checked"
[[allow]]
id = "tdx"
vendor = "intel"
tee = "tdx"
[[allow]]
id = "sgx"
vendor = "intel"
tee = "sgx"
"#;

fn main() {
    let dir = tempfile::tempdir().unwrap();
    let simulator = Simulator::open(dir.path()).unwrap();
    println!("microseconds: fastest tenth of {BATCHES} batches each, in turns (median)");
    let td = SimulatedQuote { version: QuoteVersion::V4, extended: false, ..SimulatedQuote::default() };
    quote("TDX, quote of version 4", &simulator, &td);
    quote("SGX, quote of version 3", &simulator, &SimulatedQuote::enclave());
    report(&simulator);
}

/// What is measured, and how long it took each time.
struct Contender<'a> {
    name: &'static str,
    run: Box<dyn FnMut() + 'a>,
    took: Vec<f64>,
}

struct Race<'a>(Vec<Contender<'a>>);

impl<'a> Race<'a> {
    fn add(&mut self, name: &'static str, run: impl FnMut() + 'a) {
        self.0.push(Contender { name, run: Box::new(run), took: Vec::new() });
    }

    fn run(&mut self, title: &str, ratios: &[(&str, &str)]) {
        println!("\n{title}");
        for _ in 0..BATCHES {
            for contender in &mut self.0 {
                let (start, mut count) = (Instant::now(), 0_u32);
                while start.elapsed() < BATCH {
                    (contender.run)();
                    count += 1;
                }
                contender.took.push(start.elapsed().as_secs_f64() * 1e6 / f64::from(count));
            }
        }
        for contender in &mut self.0 {
            contender.took.sort_unstable_by(f64::total_cmp);
            let (fast, median) = (contender.took[FAST], contender.took[BATCHES / 2]);
            println!("  {:<42} {fast:>8.1} ({median:.1})", contender.name);
        }
        for (one, other) in ratios {
            println!("  {one} / {other}: {:.2}", self.fast(one) / self.fast(other));
        }
    }

    fn fast(&self, name: &str) -> f64 {
        self.0.iter().find(|contender| contender.name == name).unwrap().took[FAST]
    }
}

/// The backends by the names of their rows.
fn backends() -> [(&'static str, Box<dyn SignatureVerifier>); 3] {
    [("RustCrypto", Box::new(RustCrypto)), ("ring", Box::new(Ring)), ("AWS-LC", Box::new(AwsLc))]
}

fn row(kind: &str, backend: &str) -> &'static str {
    Box::leak(format!("{kind}, {backend}").into_boxed_str())
}

/// Ours with every backend, with and without a memory, and the floors.
fn ours<'a>(race: &mut Race<'a>, request: &'a Request<'a>, signatures: usize) {
    let needed = Statements::of(request);
    assert_eq!(needed.all.len(), signatures, "another number of signatures than an appraisal needs");
    for (name, mut backend) in backends() {
        let needed = needed.clone();
        race.add(row("floor", name), move || needed.verify(true, &mut *backend));
    }
    for (name, mut backend) in backends() {
        race.add(row("enarx", name), move || {
            black_box(appraise_with(black_box(request), &mut *backend)).unwrap();
        });
    }
    for (name, mut backend) in backends() {
        let needed = needed.clone();
        race.add(row("floor, chain remembered", name), move || needed.verify(false, &mut *backend));
    }
    remembering(race, request, "RustCrypto", RustCrypto);
    remembering(race, request, "ring", Ring);
    remembering(race, request, "AWS-LC", AwsLc);
}

fn remembering<'a>(
    race: &mut Race<'a>,
    request: &'a Request<'a>,
    name: &str,
    backend: impl SignatureVerifier + 'a,
) {
    let mut backend = Remembering::new(backend);
    race.add(row("enarx, chain remembered", name), move || {
        black_box(appraise_with(black_box(request), &mut backend)).unwrap();
    });
}

const RATIOS: &[(&str, &str)] = &[
    ("enarx, RustCrypto", "floor, RustCrypto"),
    ("enarx, ring", "floor, ring"),
    ("enarx, AWS-LC", "floor, AWS-LC"),
    ("enarx, chain remembered, RustCrypto", "floor, chain remembered, RustCrypto"),
    ("enarx, chain remembered, ring", "floor, chain remembered, ring"),
    ("enarx, chain remembered, AWS-LC", "floor, chain remembered, AWS-LC"),
];

fn quote(title: &str, simulator: &Simulator, platform: &SimulatedQuote) {
    let many = |content: &mut DcapContent| levels(&mut content.tcb_info.levels);
    let bundle = simulator.attest_quote(platform, &REPORT_DATA, &MEASUREMENT, many).unwrap();
    let quote = Quote::parse(&bundle.evidence.bytes).unwrap();
    let anchors = TrustAnchors::none().with_simulated("local", simulator.dcap_root_spki_sha256().unwrap());
    let sgx = bundle.evidence.format == Format::Sgx;
    let measurement = if sgx { MEASUREMENT[..32].to_vec() } else { MEASUREMENT.to_vec() };
    let references = [ReferenceValue { name: "release".into(), measurement }];
    let policy = Policy::parse(POLICY).unwrap();
    let request = request(&bundle, &anchors, &references, &policy);

    let case = intel::simulated(&bundle, REPORT_DATA, request.now.0);
    let collateral = intel::collateral(&case).unwrap();
    let root = intel::root(&quote);
    let ring = QuoteVerifier::new(root.clone()).with_config::<RingConfig>();
    let rust_crypto = QuoteVerifier::new(root).with_config::<RustCryptoConfig>();
    let bytes = &bundle.evidence.bytes;

    let mut race = Race(Vec::new());
    race.add("parse the quote, enarx", || {
        black_box(Quote::parse(black_box(bytes))).unwrap();
    });
    race.add("parse the quote, dcap-qvl", || {
        black_box(dcap_qvl::verify::Quote::parse(black_box(bytes))).unwrap();
    });
    ours(&mut race, &request, 10);
    race.add("dcap-qvl, RustCrypto", || {
        black_box(rust_crypto.verify(black_box(bytes), &collateral, request.now.0)).unwrap();
    });
    race.add("dcap-qvl, ring", || {
        black_box(ring.verify(black_box(bytes), &collateral, request.now.0)).unwrap();
    });
    race.run(
        title,
        &[
            RATIOS,
            &[
                ("dcap-qvl, RustCrypto", "enarx, RustCrypto"),
                ("dcap-qvl, ring", "enarx, ring"),
                ("dcap-qvl, ring", "enarx, AWS-LC"),
                ("dcap-qvl, ring", "enarx, chain remembered, ring"),
                ("dcap-qvl, RustCrypto", "enarx, chain remembered, RustCrypto"),
                ("dcap-qvl, ring", "enarx, chain remembered, AWS-LC"),
                ("parse the quote, dcap-qvl", "parse the quote, enarx"),
            ],
        ]
        .concat(),
    );
}

/// As many levels as Intel's documents have, of which the platform reaches the first.
fn levels(levels: &mut Vec<TcbLevel>) {
    let last = levels.last().cloned().unwrap();
    let advisories = (0..20).map(|number| format!("INTEL-SA-{number:05}")).collect::<Vec<_>>();
    levels.extend((0..16).map(|_| TcbLevel { advisories: advisories.clone(), ..last.clone() }));
}

fn report(simulator: &Simulator) {
    let platform = "amd/milan".parse().unwrap();
    let bundle = simulator.attest(&platform, &REPORT_DATA, &MEASUREMENT, &[0; 32]).unwrap();
    let root = simulator.root_spki_sha256(Generation::Milan).unwrap();
    let anchors = TrustAnchors::none().with_simulated("local", root);
    let references = [ReferenceValue { name: "release".into(), measurement: MEASUREMENT.to_vec() }];
    let policy = Policy::parse(POLICY).unwrap();
    let request = request(&bundle, &anchors, &references, &policy);
    let items = ["vek", "ask", "ark"].into_iter().zip(&bundle.endorsements.items);
    let items = items.map(|(name, bytes)| Item { name: name.into(), bytes: bytes.clone() });
    let case = Case {
        name: String::new(),
        format: Format::SevSnp,
        evidence: bundle.evidence.bytes.clone(),
        report_data: REPORT_DATA,
        items: items.collect(),
        now: request.now.0,
    };
    let roles = amd::Roles { vek: "vek".into(), ask: "ask".into(), ark: "ark".into() };
    let bytes = &bundle.evidence.bytes;

    let mut race = Race(Vec::new());
    race.add("parse the report, enarx", || {
        black_box(Report::parse(black_box(bytes))).unwrap();
    });
    race.add("parse the report, sev", || {
        black_box(AttestationReport::from_bytes(black_box(bytes))).unwrap();
    });
    ours(&mut race, &request, 5);
    race.add("sev, RustCrypto", || {
        let chain = amd::chain(black_box(&case), &roles).unwrap();
        let report = AttestationReport::from_bytes(black_box(bytes)).unwrap();
        (&chain, &report).verify().unwrap();
    });
    race.run(
        "SEV-SNP, simulated Milan",
        &[
            RATIOS,
            &[
                ("sev, RustCrypto", "enarx, RustCrypto"),
                ("sev, RustCrypto", "enarx, AWS-LC"),
                ("sev, RustCrypto", "enarx, chain remembered, RustCrypto"),
                ("sev, RustCrypto", "enarx, chain remembered, AWS-LC"),
                ("parse the report, sev", "parse the report, enarx"),
            ],
        ]
        .concat(),
    );
}

fn request<'a>(
    bundle: &'a Bundle,
    anchors: &'a TrustAnchors,
    reference_values: &'a [ReferenceValue],
    policy: &'a Policy,
) -> Request<'a> {
    let now = UnixTime(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs());
    Request { bundle, report_data: &REPORT_DATA, anchors, reference_values, policy, advisories: &[], now }
}

/// The signatures that an appraisal verifies, each once.
#[derive(Clone, Default)]
struct Statements {
    all: Vec<Statement>,
}

#[derive(Clone, PartialEq, Eq)]
struct Statement {
    key: Key,
    scheme: Scheme,
    message: Vec<u8>,
    signature: Vec<u8>,
    endorsement: bool,
}

#[derive(Clone, PartialEq, Eq)]
enum Key {
    Rsa(Vec<u8>, Vec<u8>),
    P256([u8; 65]),
    P384([u8; 97]),
}

impl Statements {
    fn of(request: &Request<'_>) -> Self {
        let mut statements = Self::default();
        if let Err(refusals) = appraise_with(request, &mut statements) {
            panic!("{refusals}");
        }
        statements
    }

    fn add(&mut self, signed: &Signed<'_>, endorsement: bool) -> bool {
        let key = match signed.key {
            PublicKey::Rsa { modulus, exponent } => Key::Rsa(modulus.to_vec(), exponent.to_vec()),
            PublicKey::P256(point) => Key::P256(*point),
            PublicKey::P384(point) => Key::P384(*point),
            _ => panic!("another kind of key"),
        };
        let (message, signature) = (signed.message.to_vec(), signed.signature.to_vec());
        let statement = Statement { key, scheme: signed.scheme, message, signature, endorsement };
        if !self.all.contains(&statement) {
            self.all.push(statement);
        }
        RustCrypto.verify(signed)
    }

    fn verify(&self, endorsements: bool, backend: &mut dyn SignatureVerifier) {
        for statement in self.all.iter().filter(|statement| endorsements || !statement.endorsement) {
            let key = match &statement.key {
                Key::Rsa(modulus, exponent) => PublicKey::Rsa { modulus, exponent },
                Key::P256(point) => PublicKey::P256(point),
                Key::P384(point) => PublicKey::P384(point),
            };
            let (message, signature) = (black_box(&statement.message), &statement.signature);
            assert!(backend.verify(&Signed { key, scheme: statement.scheme, message, signature }));
        }
    }
}

impl SignatureVerifier for Statements {
    fn verify(&mut self, signed: &Signed<'_>) -> bool {
        self.add(signed, false)
    }

    fn verify_endorsement(&mut self, signed: &Signed<'_>) -> bool {
        self.add(signed, true)
    }
}
