// SPDX-License-Identifier: Apache-2.0

//! Simulated Arm CCA realms for one test program, and requests about them.

#![allow(dead_code, reason = "each test uses its own part")]

#[allow(clippy::duplicate_mod, reason = "a test may use several of these folders")]
#[path = "../../../../host/simulator/tests/common/kept.rs"]
mod kept;

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use enarx_evidence::Bundle;
use enarx_evidence::cca::{Measurement, PlatformClaims, RealmClaims};
use enarx_simulator::{Curve, SimulatedRealm, Simulator};
use enarx_verifier::advisory::Feed;
use enarx_verifier::{Code, Policy, ReferenceValue, Request, TrustAnchors, UnixTime, appraise};

pub(crate) const REPORT_DATA: [u8; 64] = [0x11; 64];
pub(crate) const MEASUREMENT: [u8; 48] = [0x22; 48];

pub(crate) const POLICY: &str = r#"
version = 1
[keep]
measurements = ["release"]
[simulated]
accept = true
roots = ["local"]
[cca]
software = ["firmware", "sha256:RMM"]
[collateral]
crl = "absent-accepted"
[[allow]]
id = "realms"
vendor = "arm"
tee = "cca"
"#;

pub(crate) fn simulator() -> &'static Simulator {
    static SIMULATOR: OnceLock<Simulator> = OnceLock::new();
    SIMULATOR.get_or_init(|| kept::simulator("local"))
}

pub(crate) fn anchors() -> TrustAnchors {
    let keys = [Curve::P256, Curve::P384].map(|curve| simulator().cca_platform_spki_sha256(curve).unwrap());
    keys.into_iter().fold(TrustAnchors::vendors(), |anchors, key| anchors.with_simulated("local", key))
}

pub(crate) fn now() -> UnixTime {
    UnixTime(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs())
}

pub(crate) fn policy(change: impl Fn(String) -> String) -> Policy {
    let text = change(POLICY.replace("RMM", &"cc".repeat(32)));
    Policy::parse(&text).unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn under(policy: &Policy, anchors: &TrustAnchors, bundle: &Bundle) -> Vec<Code> {
    advised(policy, anchors, &[], bundle)
}

pub(crate) fn advised(
    policy: &Policy,
    anchors: &TrustAnchors,
    advisories: &[Feed],
    bundle: &Bundle,
) -> Vec<Code> {
    let value = |name: &str, measurement: &[u8]| ReferenceValue {
        name: name.into(),
        measurement: measurement.into(),
    };
    let reference_values =
        [value("release", &MEASUREMENT), value("firmware", &[0xb2; 32]), value("firmware", &[0x31; 32])];
    let request = Request {
        bundle,
        report_data: &REPORT_DATA,
        anchors,
        reference_values: &reference_values,
        policy,
        advisories,
        now: now(),
    };
    appraise(&request).map_or_else(|refusals| refusals.codes().collect(), |_| vec![])
}

pub(crate) fn codes(bundle: &Bundle) -> Vec<Code> {
    under(&policy(|text| text), &anchors(), bundle)
}

pub(crate) fn attest(
    realm: &SimulatedRealm,
    change: impl FnOnce(&mut PlatformClaims, &mut RealmClaims),
) -> Bundle {
    simulator().attest_realm(realm, &REPORT_DATA, &MEASUREMENT, change).unwrap()
}

pub(crate) fn sound() -> Bundle {
    attest(&SimulatedRealm::default(), |_, _| {})
}

pub(crate) fn digest(byte: u8) -> Measurement {
    Measurement::new(&[byte; 32]).unwrap()
}
