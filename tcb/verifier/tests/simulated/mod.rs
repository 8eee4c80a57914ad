// SPDX-License-Identifier: Apache-2.0

//! A simulated vendor for one test program, and requests about its platforms.

#![allow(dead_code, reason = "each test uses its own part")]

#[allow(clippy::duplicate_mod, reason = "a test may use several of these folders")]
#[path = "../../../../host/simulator/tests/common/kept.rs"]
mod kept;

use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use enarx_evidence::Bundle;
use enarx_evidence::snp::Generation;
use enarx_simulator::{SimulatedPlatform, Simulator};
use enarx_verifier::advisory::Feed;
use enarx_verifier::crypto::{RustCrypto, SignatureVerifier, Signed};
use enarx_verifier::{
    AttestationResult, Code, Policy, ReferenceValue, Refusals, Request, TrustAnchors, UnixTime, appraise_with,
};

pub(crate) const REPORT_DATA: [u8; 64] = [0x11; 64];
pub(crate) const MEASUREMENT: [u8; 48] = [0x22; 48];

/// A policy that accepts every platform that the simulator makes without options.
pub(crate) const POLICY: &str = r#"
version = 1
[keep]
measurements = ["release"]
[simulated]
accept = true
roots = ["local"]
[[allow]]
id = "any"
vendor = "amd"
tee = "sev-snp"
[minimum_tcb.milan]
bootloader = 4
tee = 0
snp = 27
microcode = 219
[minimum_tcb.genoa]
bootloader = 10
tee = 0
snp = 27
microcode = 84
[minimum_tcb.siena]
bootloader = 10
tee = 0
snp = 27
microcode = 27
[minimum_tcb.turin]
fmc = 1
bootloader = 1
tee = 1
snp = 4
microcode = 81
"#;

/// A simulated vendor with its own keys.
pub(crate) struct Vendor {
    simulator: Simulator,
}

impl Vendor {
    fn of_name(name: &str) -> Self {
        Self { simulator: kept::simulator(name) }
    }

    /// The one that the anchors know as `local`.
    pub(crate) fn local() -> &'static Self {
        static LOCAL: OnceLock<Vendor> = OnceLock::new();
        LOCAL.get_or_init(|| Self::of_name("local"))
    }

    /// Another one with the same names, which nobody knows.
    pub(crate) fn stranger() -> &'static Self {
        static STRANGER: OnceLock<Vendor> = OnceLock::new();
        STRANGER.get_or_init(|| Self::of_name("stranger"))
    }

    pub(crate) fn attest(&self, platform: &str) -> Bundle {
        let platform = platform.parse::<SimulatedPlatform>().unwrap();
        self.simulator.attest(&platform, &REPORT_DATA, &MEASUREMENT, &[0; 32]).unwrap()
    }

    pub(crate) fn root(&self, generation: Generation) -> [u8; 32] {
        self.simulator.root_spki_sha256(generation).unwrap()
    }

    pub(crate) fn anchors(&self) -> TrustAnchors {
        let add = |anchors: TrustAnchors, generation| anchors.with_simulated("local", self.root(generation));
        Generation::ALL.into_iter().fold(TrustAnchors::vendors(), add)
    }
}

pub(crate) fn now() -> UnixTime {
    UnixTime(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs())
}

/// Requests that differ in one thing from one that is accepted.
pub(crate) struct Relying {
    pub(crate) anchors: TrustAnchors,
    pub(crate) policy: Policy,
    pub(crate) report_data: [u8; 64],
    pub(crate) reference_values: Vec<ReferenceValue>,
    pub(crate) advisories: Vec<Feed>,
    pub(crate) now: UnixTime,
    crypto: Memory,
}

impl Relying {
    pub(crate) fn party() -> Self {
        let release = ReferenceValue { name: "release".into(), measurement: MEASUREMENT.to_vec() };
        Self {
            anchors: Vendor::local().anchors(),
            policy: POLICY.parse_policy(),
            report_data: REPORT_DATA,
            reference_values: vec![release],
            advisories: vec![],
            now: now(),
            crypto: Memory::default(),
        }
    }

    /// With one text of the policy replaced by another.
    pub(crate) fn with_policy(from: &str, to: &str) -> Self {
        assert!(POLICY.contains(from), "{from}");
        Self::under(POLICY.replace(from, to).parse_policy())
    }

    pub(crate) fn under(policy: Policy) -> Self {
        Self { policy, ..Self::party() }
    }

    pub(crate) fn appraise(&mut self, bundle: &Bundle) -> Result<AttestationResult, Refusals> {
        let request = Request {
            bundle,
            report_data: &self.report_data,
            anchors: &self.anchors,
            reference_values: &self.reference_values,
            policy: &self.policy,
            advisories: &self.advisories,
            now: self.now,
        };
        appraise_with(&request, &mut self.crypto)
    }

    /// The codes of a refusal, in order; empty if accepted.
    pub(crate) fn codes(&mut self, bundle: &Bundle) -> Vec<Code> {
        self.appraise(bundle).map_or_else(|refusals| refusals.codes().collect(), |_| vec![])
    }
}

/// Remembers every answer, also no and also about reports: a test asks about one signature thousands of times.
#[derive(Default)]
struct Memory {
    answers: HashMap<String, bool>,
}

impl SignatureVerifier for Memory {
    fn verify(&mut self, signed: &Signed<'_>) -> bool {
        *self.answers.entry(format!("{signed:?}")).or_insert_with(|| RustCrypto.verify(signed))
    }
}

trait ParsePolicy {
    fn parse_policy(&self) -> Policy;
}

impl ParsePolicy for str {
    fn parse_policy(&self) -> Policy {
        Policy::parse(self).unwrap_or_else(|error| panic!("{error}"))
    }
}
