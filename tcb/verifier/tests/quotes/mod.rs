// SPDX-License-Identifier: Apache-2.0

//! Simulated platforms of Intel's for one test program, and requests about them.

#![allow(dead_code, reason = "each test uses its own part")]

#[allow(clippy::duplicate_mod, reason = "a test may use several of these folders")]
#[path = "../../../../host/simulator/tests/common/kept.rs"]
mod kept;

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use enarx_evidence::Bundle;
use enarx_evidence::dcap::{Body, SgxReport, TdReport};
use enarx_evidence::x509::PublicKey;
use enarx_simulator::{DcapContent, SimulatedQuote, Simulator};
use enarx_verifier::advisory::Feed;
use enarx_verifier::crypto::{RustCrypto, SignatureVerifier, Signed};
use enarx_verifier::{
    AttestationResult, Code, Policy, Refusals, Request, TrustAnchors, UnixTime, appraise_with,
};

pub(crate) const REPORT_DATA: [u8; 64] = [0x11; 64];
pub(crate) const MEASUREMENT: [u8; 48] = [0x22; 48];

/// A policy that accepts every sound platform.
pub(crate) const POLICY: &str = r#"
version = 1
[keep]
measurements = ["sha384:TD", "sha256:ENCLAVE"]
[simulated]
accept = true
roots = ["local"]
[[allow]]
id = "tds"
vendor = "intel"
tee = "tdx"
[[allow]]
id = "enclaves"
vendor = "intel"
tee = "sgx"
"#;

pub(crate) fn policy(change: impl Fn(String) -> String) -> Policy {
    let (td, enclave) = (hex::encode(MEASUREMENT), hex::encode(&MEASUREMENT[..32]));
    let text = change(POLICY.replace("TD", &td).replace("ENCLAVE", &enclave));
    Policy::parse(&text).unwrap_or_else(|error| panic!("{error}"))
}

/// The policy with more text at its end.
pub(crate) fn policy_with(text: &str) -> Policy {
    policy(|policy| format!("{policy}\n{text}"))
}

/// The vendor that the anchors know as `local`.
pub(crate) fn local() -> &'static Simulator {
    static LOCAL: OnceLock<Simulator> = OnceLock::new();
    LOCAL.get_or_init(|| kept::simulator("local"))
}

/// Another one with the same names, which nobody knows.
pub(crate) fn stranger() -> &'static Simulator {
    static STRANGER: OnceLock<Simulator> = OnceLock::new();
    STRANGER.get_or_init(|| kept::simulator("stranger"))
}

pub(crate) fn anchors() -> TrustAnchors {
    TrustAnchors::vendors().with_simulated("local", local().dcap_root_spki_sha256().unwrap())
}

pub(crate) fn now() -> UnixTime {
    UnixTime(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs())
}

pub(crate) fn attest(platform: &SimulatedQuote, change: impl FnOnce(&mut DcapContent)) -> Bundle {
    local().attest_quote(platform, &REPORT_DATA, &MEASUREMENT, change).unwrap()
}

/// A TD on a sound platform: a quote of version 5, a report of version 1.5.
pub(crate) fn sound_td() -> Bundle {
    attest(&SimulatedQuote::default(), |_| {})
}

pub(crate) fn td(content: &mut DcapContent) -> &mut TdReport {
    match &mut content.quote.body {
        Body::Td(report) => report,
        Body::Sgx(_) => panic!("not a TD"),
    }
}

pub(crate) fn enclave(content: &mut DcapContent) -> &mut SgxReport {
    match &mut content.quote.body {
        Body::Sgx(report) => report,
        Body::Td(_) => panic!("not an enclave"),
    }
}

pub(crate) fn set(codes: &[Code]) -> BTreeSet<Code> {
    codes.iter().copied().collect()
}

/// Asks about bundles, remembering which signatures are good: a test asks about one thousands of times.
pub(crate) struct Relying {
    pub(crate) policy: Policy,
    pub(crate) anchors: TrustAnchors,
    pub(crate) advisories: Vec<Feed>,
    pub(crate) now: UnixTime,
    memory: RefCell<Memory>,
}

impl Relying {
    pub(crate) fn party() -> Self {
        Self::under(policy(|text| text))
    }

    pub(crate) fn under(policy: Policy) -> Self {
        Self { policy, anchors: anchors(), advisories: vec![], now: now(), memory: RefCell::default() }
    }

    pub(crate) fn appraise(&self, bundle: &Bundle) -> Result<AttestationResult, Refusals> {
        let request = Request {
            bundle,
            report_data: &REPORT_DATA,
            anchors: &self.anchors,
            reference_values: &[],
            policy: &self.policy,
            advisories: &self.advisories,
            now: self.now,
        };
        appraise_with(&request, &mut *self.memory.borrow_mut())
    }

    /// The codes of a refusal; empty if accepted.
    pub(crate) fn codes(&self, bundle: &Bundle) -> BTreeSet<Code> {
        self.appraise(bundle).map_or_else(|refusals| refusals.codes().collect(), |_| BTreeSet::new())
    }
}

#[derive(Default)]
struct Memory {
    answers: HashMap<Vec<Vec<u8>>, bool>,
}

impl SignatureVerifier for Memory {
    fn verify(&mut self, signed: &Signed<'_>) -> bool {
        let PublicKey::P256(key) = signed.key else { return RustCrypto.verify(signed) };
        let question = vec![key.to_vec(), signed.message.to_vec(), signed.signature.to_vec()];
        *self.answers.entry(question).or_insert_with(|| RustCrypto.verify(signed))
    }
}
