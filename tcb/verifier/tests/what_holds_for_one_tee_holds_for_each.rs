// SPDX-License-Identifier: Apache-2.0

//! What every TEE has in common, tried with each: evidence is for one session, of a root that the policy accepts, of a
//! platform that it allows and does not deny, and exactly as long as it is.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[allow(clippy::duplicate_mod, reason = "a test may use several of these folders")]
#[path = "../../../host/simulator/tests/common/kept.rs"]
mod kept;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use enarx_evidence::snp::Generation;
use enarx_evidence::{Bundle, Format};
use enarx_simulator::{
    Curve, SimulatedEnclave, SimulatedGpu, SimulatedMachine, SimulatedQuote, SimulatedRealm, SimulatedTpm,
    Simulator,
};
use enarx_verifier::crypto::{RustCrypto, SignatureVerifier, Signed};
use enarx_verifier::policy::Policy;
use enarx_verifier::{
    Claims, Code, Request, TrustAnchors, UnixTime, Verification, appraise, appraise_with, verify,
};

const REPORT_DATA: [u8; 64] = [0x11; 64];
const MEASUREMENT: [u8; 48] = [0x22; 48];

fn simulator() -> &'static Simulator {
    static SIMULATOR: OnceLock<Simulator> = OnceLock::new();
    SIMULATOR.get_or_init(|| kept::simulator("local"))
}

fn anchors() -> TrustAnchors {
    let simulator = simulator();
    let roots = [
        simulator.root_spki_sha256(Generation::Milan),
        simulator.dcap_root_spki_sha256(),
        simulator.cca_platform_spki_sha256(Curve::P384),
        simulator.nitro_root_spki_sha256(),
        simulator.tpm_root_spki_sha256(),
        simulator.gpu_root_spki_sha256(),
    ];
    let add = |anchors: TrustAnchors, root: [u8; 32]| anchors.with_simulated("local", root);
    roots.map(Result::unwrap).into_iter().fold(TrustAnchors::vendors(), add)
}

fn now() -> UnixTime {
    UnixTime(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs())
}

/// Vendor and TEE as policies name them, and sound evidence.
type Kind = (&'static str, &'static str, Bundle);

fn all() -> &'static [Kind; 9] {
    static ALL: OnceLock<[Kind; 9]> = OnceLock::new();
    let (data, measurement) = (&REPORT_DATA, &MEASUREMENT);
    let (milan, machine) = ("amd/milan".parse().unwrap(), SimulatedMachine::default());
    let s = simulator();
    ALL.get_or_init(|| {
        [
            ("amd", "sev-snp", s.attest(&milan, data, measurement, &[0; 32])),
            ("intel", "tdx", s.attest_quote(&SimulatedQuote::default(), data, measurement, |_| {})),
            ("intel", "sgx", s.attest_quote(&SimulatedQuote::enclave(), data, measurement, |_| {})),
            ("arm", "cca", s.attest_realm(&SimulatedRealm::default(), data, measurement, |_, _| {})),
            ("aws", "nitro", s.attest_enclave(&SimulatedEnclave::default(), data, measurement, |_| {})),
            ("tpm", "tpm", s.attest_tpm(&SimulatedTpm::default(), data, |_| {})),
            ("amd", "azure-snp", s.attest_azure_snp(&milan, &machine, data, measurement, |_| {})),
            ("intel", "azure-tdx", s.attest_azure_tdx(&machine, data, measurement, |_| {}, |_| {})),
            ("nvidia", "nvgpu", s.attest_gpu(&SimulatedGpu::default(), data, |_| {})),
        ]
        .map(|(vendor, tee, bundle)| (vendor, tee, bundle.unwrap()))
    })
}

/// A policy that accepts exactly this evidence, by what it says when verified.
fn accepting(vendor: &str, tee: &str, bundle: &Bundle) -> String {
    let verification = Verification {
        bundle,
        report_data: &REPORT_DATA,
        anchors: &anchors(),
        crl: enarx_verifier::policy::Crl::Required,
        tcb_info: enarx_verifier::policy::TcbInfo::Required,
        freshness: enarx_verifier::policy::Freshness::default(),
        now: now(),
    };
    let verified = verify(&verification).unwrap_or_else(|refusals| panic!("{tee}: {refusals}"));
    let digest = |bytes: &[u8]| format!("\"sha{}:{}\"", bytes.len() * 8, hex::encode(bytes));
    let claims = verified.claims();
    let mut text =
        format!("version = 1\n[keep]\nmeasurements = [{}]\n[keep.registers]\n", digest(claims.measurement()));
    for register in claims.registers().iter().filter(|register| register.value.iter().any(|byte| *byte != 0))
    {
        writeln!(text, "{} = [{}]", register.name, digest(register.value)).unwrap();
    }
    if let Claims::Cca(claims) = claims {
        let components = claims.platform.components.iter();
        let software = components.map(|component| digest(component.measurement.as_bytes()));
        writeln!(text, "[cca]\nsoftware = [{}]", software.collect::<Vec<_>>().join(", ")).unwrap();
    }
    write!(text, "[simulated]\naccept = true\nroots = [\"local\"]\n").unwrap();
    text + &rule(vendor, tee)
}

fn rule(vendor: &str, tee: &str) -> String {
    let unchecked = if vendor == "amd" { "minimum_tcb = \"not-checked\"\n" } else { "" };
    format!("[[allow]]\nid = \"{vendor}\"\nvendor = \"{vendor}\"\ntee = \"{tee}\"\n{unchecked}")
}

fn codes(bundle: &Bundle, policy: &str, report_data: &[u8; 64], anchors: &TrustAnchors) -> BTreeSet<Code> {
    let policy = Policy::parse(policy).unwrap_or_else(|error| panic!("{error}:\n{policy}"));
    let now = now();
    let request = Request {
        bundle,
        report_data,
        anchors,
        reference_values: &[],
        policy: &policy,
        advisories: &[],
        now,
    };
    appraise(&request).map_or_else(|refusals| refusals.codes().collect(), |_| BTreeSet::new())
}

fn each(check: impl Fn(&str, &str, &Bundle, &str)) {
    for (vendor, tee, bundle) in all() {
        let policy = accepting(vendor, tee, bundle);
        assert_eq!(codes(bundle, &policy, &REPORT_DATA, &anchors()), BTreeSet::new(), "{tee}");
        check(vendor, tee, bundle, &policy);
    }
}

#[test]
fn evidence_is_for_one_session() {
    each(|_, tee, bundle, policy| {
        for other in [[0x12; 64], [0; 64], [0xff; 64]] {
            let refused = codes(bundle, policy, &other, &anchors());
            assert_eq!(refused, BTreeSet::from([Code::ReportDataMismatch]), "{tee}");
        }
        let (mut first, mut last) = (REPORT_DATA, REPORT_DATA);
        (first[0], last[63]) = (0, 0);
        for other in [first, last] {
            let refused = codes(bundle, policy, &other, &anchors());
            assert_eq!(refused, BTreeSet::from([Code::ReportDataMismatch]), "{tee}");
        }
    });
}

#[test]
fn simulation_is_accepted_by_name_only() {
    each(|_, tee, bundle, policy| {
        let refused = BTreeSet::from([Code::SimulatedNotAccepted]);
        let none = policy.replace("accept = true\nroots = [\"local\"]", "accept = false");
        assert_eq!(codes(bundle, &none, &REPORT_DATA, &anchors()), refused, "{tee}");
        let other = policy.replace("roots = [\"local\"]", "roots = [\"elsewhere\"]");
        assert_eq!(codes(bundle, &other, &REPORT_DATA, &anchors()), refused, "{tee}");
        // A root that nobody knows is none, whatever it calls itself.
        let unknown = codes(bundle, policy, &REPORT_DATA, &TrustAnchors::vendors());
        let reasons = [Code::SimulatedNotAccepted, Code::RootNotTrusted, Code::TpmKeyNotEndorsed];
        assert_eq!(unknown.len(), 1, "{tee}: {unknown:?}");
        assert!(unknown.iter().all(|code| reasons.contains(code)), "{tee}: {unknown:?}");
    });
}

#[test]
fn what_is_not_allowed_or_denied_is_refused() {
    each(|vendor, tee, bundle, policy| {
        let (other, another) = if vendor == "amd" { ("intel", "tdx") } else { ("amd", "sev-snp") };
        let without = policy.replace(&rule(vendor, tee), &rule(other, another));
        assert_eq!(
            codes(bundle, &without, &REPORT_DATA, &anchors()),
            BTreeSet::from([Code::PlatformNotAllowed]),
            "{tee}"
        );
        let denied = format!("{without}[[deny]]\nid = \"no\"\nvendor = \"{vendor}\"\n");
        assert_eq!(
            codes(bundle, &denied, &REPORT_DATA, &anchors()),
            BTreeSet::from([Code::PlatformNotAllowed, Code::ProductDenied]),
            "{tee}"
        );
    });
}

#[test]
fn evidence_has_one_length_and_one_format() {
    each(|_, tee, bundle, policy| {
        let refused = BTreeSet::from([Code::EvidenceMalformed]);
        let with = |change: &dyn Fn(&mut Bundle)| {
            let mut changed = bundle.clone();
            change(&mut changed);
            codes(&changed, policy, &REPORT_DATA, &anchors())
        };
        // Services that make quotes fill a buffer with what means nothing.
        let filled = matches!(bundle.evidence.format, Format::Tdx | Format::Sgx);
        let longer = with(&|bundle| bundle.evidence.bytes.push(0));
        assert_eq!(longer, if filled { BTreeSet::new() } else { refused.clone() }, "{tee}");
        assert_eq!(with(&|bundle| bundle.evidence.bytes.clear()), refused, "{tee}");
        let half = |bundle: &mut Bundle| bundle.evidence.bytes.truncate(bundle.evidence.bytes.len() / 2);
        assert_eq!(with(&half), refused, "{tee}");
        for (_, another, other) in all().iter().filter(|(_, another, _)| another != &tee) {
            let wrong = with(&|bundle| {
                bundle.evidence.format = other.evidence.format;
                bundle.endorsements.items.clear();
            });
            assert_eq!(wrong, refused, "{tee} as {another}");
        }
    });
}

/// Verifies signatures and notes which were asked for, each with its message.
#[derive(Default)]
struct Noting(Vec<(Vec<u8>, Vec<u8>)>);

impl SignatureVerifier for Noting {
    fn verify(&mut self, signed: &Signed<'_>) -> bool {
        self.0.push((signed.message.to_vec(), signed.signature.to_vec()));
        RustCrypto.verify(signed)
    }
}

#[test]
fn no_signature_is_verified_twice() {
    each(|_, tee, bundle, policy| {
        let policy = Policy::parse(policy).unwrap();
        let (report_data, anchors, now, reference_values) = (&REPORT_DATA, &anchors(), now(), &[]);
        let advisories = &[];
        let request =
            Request { bundle, report_data, anchors, reference_values, policy: &policy, advisories, now };
        let mut crypto = Noting::default();
        assert!(appraise_with(&request, &mut crypto).is_ok(), "{tee}");
        let asked = crypto.0.len();
        let different = crypto.0.into_iter().collect::<BTreeSet<_>>().len();
        assert_eq!(asked, different, "{tee}");
    });
}
