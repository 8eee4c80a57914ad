// SPDX-License-Identifier: Apache-2.0

//! How many SEV-SNP appraisals one core makes in a second, against the bare signature verifications that they
//! cannot do without: `cargo bench -p enarx-verifier --bench snp`.
//!
//! Uncached, an appraisal verifies five signatures: those of VCEK, ASK, ARK and revocation list (RSA-4096) and
//! that of the report (P-384). With a memory of certificate signatures it verifies the report's alone. The ratio
//! says how much everything else costs: parsing, comparing, the policy, the account of every check.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a program for developers")]

use std::hint::black_box;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use enarx_evidence::Bundle;
use enarx_evidence::snp::{Generation, Report};
use enarx_evidence::x509::{Certificate, Document, PublicKey};
use enarx_simulator::Simulator;
use enarx_verifier::crypto::{Hash, Remembering, RustCrypto, Scheme, SignatureVerifier, Signed};
use enarx_verifier::{Policy, ReferenceValue, Request, TrustAnchors, UnixTime, appraise_with};

/// How long each thing is measured.
const TIME: Duration = Duration::from_secs(2);
/// Each is measured this often, in turns with what it is compared to; the best counts, since noise only adds.
const ROUNDS: usize = 5;
/// What SPECIFICATION.md promises.
const AIM: f64 = 1.3;

const POLICY: &str = r#"
version = 1
[keep]
measurements = ["release"]
[simulated]
accept = true
roots = ["local"]
[[allow]]
id = "milan"
vendor = "amd"
tee = "sev-snp"
products = ["milan"]
[minimum_tcb.milan]
bootloader = 4
tee = 0
snp = 27
microcode = 219
"#;

fn main() {
    let dir = tempfile::tempdir().unwrap();
    let simulator = Simulator::open(dir.path()).unwrap();
    let (report_data, measurement) = ([1; 64], [2; 48]);
    let bundle =
        simulator.attest(&"amd/milan".parse().unwrap(), &report_data, &measurement, &[0; 32]).unwrap();
    let anchors = TrustAnchors::vendors()
        .with_simulated("local", simulator.root_spki_sha256(Generation::Milan).unwrap());
    let reference_values = [ReferenceValue { name: "release".into(), measurement: measurement.to_vec() }];
    let policy = Policy::parse(POLICY).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let request = Request {
        bundle: &bundle,
        report_data: &report_data,
        anchors: &anchors,
        reference_values: &reference_values,
        policy: &policy,
        advisories: &[],
        now: UnixTime(now),
    };
    let appraise = |crypto: &mut dyn SignatureVerifier| {
        black_box(appraise_with(black_box(&request), crypto)).unwrap();
    };
    let signatures = Signatures::of(&bundle);
    let mut remembering = Remembering::new(RustCrypto);

    println!("SEV-SNP appraisals, one core, simulated Milan");
    compare("uncached", || signatures.verify_all(), || appraise(&mut RustCrypto));
    compare("cached", || signatures.verify_report(), || appraise(&mut remembering));
}

fn compare(name: &str, mut bare: impl FnMut(), mut appraisal: impl FnMut()) {
    let (mut least_bare, mut least_appraisal) = (f64::MAX, f64::MAX);
    for _ in 0..ROUNDS {
        least_bare = least_bare.min(seconds_per(&mut bare));
        least_appraisal = least_appraisal.min(seconds_per(&mut appraisal));
    }
    let ratio = least_appraisal / least_bare;
    println!(
        "{name:>9}: {:>8.1} appraisals/s, {:>8.1} bare verifications/s, ratio {ratio:.3} (aim: {AIM})",
        1.0 / least_appraisal,
        1.0 / least_bare,
    );
}

fn seconds_per(run: &mut impl FnMut()) -> f64 {
    let (start, mut count) = (Instant::now(), 0_u32);
    while start.elapsed() < TIME / u32::try_from(ROUNDS).unwrap() {
        run();
        count += 1;
    }
    start.elapsed().as_secs_f64() / f64::from(count)
}

/// The signatures of a bundle, taken apart beforehand.
struct Signatures {
    /// Issuer's modulus and exponent, message, signature.
    rsa: Vec<[Vec<u8>; 4]>,
    point: [u8; 97],
    report: Report,
    signed: Vec<u8>,
}

impl Signatures {
    /// The simulator gives out VCEK, ASK, ARK and revocation list, in this order.
    fn of(bundle: &Bundle) -> Self {
        let documents =
            bundle.endorsements.items.iter().map(|item| Document::parse(item).unwrap()).collect::<Vec<_>>();
        let [
            Document::Certificate(key),
            Document::Certificate(intermediate),
            Document::Certificate(root),
            Document::RevocationList(list),
        ] = documents.as_slice()
        else {
            panic!("another order of endorsements");
        };
        let PublicKey::P384(point) = key.key else { panic!("another kind of key") };
        let rsa = vec![
            rsa(intermediate, key.tbs, key.signature),
            rsa(root, intermediate.tbs, intermediate.signature),
            rsa(root, root.tbs, root.signature),
            rsa(root, list.tbs, list.signature),
        ];
        let signed = bundle.evidence.bytes.iter().copied().take(Report::SIGNED_LEN).collect();
        Self { rsa, point: *point, report: Report::parse(&bundle.evidence.bytes).unwrap(), signed }
    }

    fn verify_all(&self) {
        for [modulus, exponent, message, signature] in &self.rsa {
            let (key, scheme) = (PublicKey::Rsa { modulus, exponent }, Scheme::RsaPss(Hash::Sha384));
            assert!(RustCrypto.verify(&Signed { key, scheme, message: black_box(message), signature }));
        }
        self.verify_report();
    }

    fn verify_report(&self) {
        let signature = [self.report.signature.r, self.report.signature.s].concat();
        let (key, scheme) = (PublicKey::P384(&self.point), Scheme::Ecdsa(Hash::Sha384));
        let message = black_box(&self.signed);
        assert!(RustCrypto.verify(&Signed { key, scheme, message, signature: &signature }));
    }
}

fn rsa(issuer: &Certificate<'_>, message: &[u8], signature: &[u8]) -> [Vec<u8>; 4] {
    let PublicKey::Rsa { modulus, exponent } = issuer.key else { panic!("another kind of key") };
    [modulus, exponent, message, signature].map(<[u8]>::to_vec)
}
