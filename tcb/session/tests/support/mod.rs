// SPDX-License-Identifier: Apache-2.0

//! The two ends with a host between them that the test plays, and a tenant that breaks the rules.
#![allow(dead_code, unreachable_pub, reason = "every test file is a crate of its own and uses another part")]

pub mod hostile;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::{SystemTime, UNIX_EPOCH};

use enarx_evidence::snp::Generation;
use enarx_evidence::{Bundle, Endorsements, Evidence, Format};
use enarx_session::keep::{self, Identity, Keep};
use enarx_session::tenant::{self, Offer, Payload, Peer};
use enarx_session::wire::Limits;
use enarx_session::{Delivered, OwnerKey, SessionError};
use enarx_simulator::Simulator;
use enarx_verifier::{
    AttestationResult, Policy, ReferenceValue, Refusals, Request, TrustAnchors, UnixTime, appraise,
};
use zeroize::Zeroizing;

pub const ENGINE: &str = "an engine statement";
pub const LAUNCH: &[u8] = b"a launch configuration";
pub const WORKLOAD: [u8; 32] = [7; 32];
pub const MEASUREMENT: [u8; 48] = [0x5a; 48];

const POLICY: &str = r#"
version = 1
[keep]
measurements = ["keep"]
[simulated]
accept = true
roots = ["local"]
[[allow]]
id = "any-amd"
vendor = "amd"
tee = "sev-snp"
minimum_tcb = "not-checked"
"#;

/// Its keys are made once and kept between runs, because RSA keys take seconds.
static SIMULATOR: LazyLock<Simulator> =
    LazyLock::new(|| Simulator::open(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("simulator")).unwrap());

pub fn policy() -> Policy {
    Policy::parse(POLICY).unwrap()
}

/// Evidence of a simulated platform, in the real format.
pub fn attest(report_data: &[u8; 64]) -> Bundle {
    SIMULATOR.attest(&"amd/milan".parse().unwrap(), report_data, &MEASUREMENT, &[0; 32]).unwrap()
}

/// Bytes in place of evidence, for tests in which nobody looks.
pub fn no_evidence() -> Bundle {
    Bundle {
        evidence: Evidence { format: Format::SevSnp, bytes: vec![1; 1184] },
        endorsements: Endorsements::default(),
    }
}

pub fn appraise_as(bundle: &Bundle, report_data: &[u8; 64]) -> Result<AttestationResult, Refusals> {
    let anchors = TrustAnchors::vendors()
        .with_simulated("local", SIMULATOR.root_spki_sha256(Generation::Milan).unwrap());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    appraise(&Request {
        bundle,
        report_data,
        anchors: &anchors,
        reference_values: &[ReferenceValue { name: "keep".into(), measurement: MEASUREMENT.to_vec() }],
        policy: &policy(),
        advisories: &[],
        now: UnixTime(now),
    })
}

pub fn accept(offer: &Offer) -> AttestationResult {
    appraise_as(&offer.bundle, &offer.report_data).unwrap()
}

pub fn new_keep() -> Arc<Keep> {
    new_keep_with(Limits::default())
}

pub fn new_keep_with(limits: Limits) -> Arc<Keep> {
    Keep::new(Identity::generate().unwrap(), ENGINE.into(), LAUNCH.to_vec(), limits).unwrap()
}

pub fn owner() -> OwnerKey {
    OwnerKey::generate().unwrap()
}

pub fn payload(bytes: &[u8]) -> Payload {
    Payload {
        bytes: Zeroizing::new(bytes.to_vec()),
        workload: WORKLOAD,
        attach: true,
        time_base_ms: 1_800_000_000_000,
    }
}

/// Bytes that compression, repetition or a constant would not produce.
pub fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[7]
        })
        .collect()
}

/// What both ends saw.
#[derive(Debug, Default)]
pub struct Seen {
    pub tenant: VecDeque<tenant::Event>,
    pub keep: VecDeque<keep::Event>,
    pub tenant_error: Option<SessionError>,
    pub keep_error: Option<SessionError>,
}

impl Seen {
    pub fn offer(&mut self) -> Offer {
        let position = self.tenant.iter().position(|event| matches!(event, tenant::Event::Offer(_)));
        match self.tenant.remove(position.expect("an offer")) {
            Some(tenant::Event::Offer(offer)) => *offer,
            _ => unreachable!(),
        }
    }

    pub fn delivered(&mut self) -> Delivered {
        let position = self.keep.iter().position(|event| matches!(event, keep::Event::Delivered(_)));
        match self.keep.remove(position.expect("a delivery")) {
            Some(keep::Event::Delivered(delivered)) => delivered,
            _ => unreachable!(),
        }
    }

    pub fn nothing_went_wrong(&self) {
        assert_eq!((&self.tenant_error, &self.keep_error), (&None, &None));
    }
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    ToKeep,
    ToTenant,
}

/// The host: may answer each piece with any pieces.
pub type Host<'a> = &'a mut dyn FnMut(Way, Vec<u8>) -> Vec<Vec<u8>>;

/// An honest host.
pub fn honest(_: Way, bytes: Vec<u8>) -> Vec<Vec<u8>> {
    vec![bytes]
}

/// Lets both ends speak until neither has more to say. Evidence is given as `evidence` says.
pub fn speak_with(
    tenant: &mut tenant::Session,
    keep: &mut keep::Session,
    host: Host<'_>,
    evidence: &mut dyn FnMut(&[u8; 64]) -> Option<Bundle>,
    seen: &mut Seen,
) {
    loop {
        let mut still = true;
        seen.tenant_error = seen.tenant_error.take().or(drain_tenant(tenant, &mut seen.tenant));
        seen.keep_error = seen.keep_error.take().or(drain_keep(keep, evidence, &mut seen.keep));
        while let Some(bytes) = tenant.pull() {
            still = false;
            for piece in host(Way::ToKeep, bytes) {
                keep.push(&piece).unwrap();
            }
            seen.keep_error = seen.keep_error.take().or(drain_keep(keep, evidence, &mut seen.keep));
        }
        while let Some(bytes) = keep.pull() {
            still = false;
            for piece in host(Way::ToTenant, bytes) {
                tenant.push(&piece).unwrap();
            }
        }
        if still {
            return;
        }
    }
}

/// [`speak_with`] an honest host and the simulator.
pub fn speak(tenant: &mut tenant::Session, keep: &mut keep::Session) -> Seen {
    let mut seen = Seen::default();
    speak_with(tenant, keep, &mut honest, &mut |report_data| Some(attest(report_data)), &mut seen);
    seen
}

fn drain_tenant(session: &mut tenant::Session, events: &mut VecDeque<tenant::Event>) -> Option<SessionError> {
    loop {
        match session.next_event() {
            Ok(Some(event)) => events.push_back(event),
            Ok(None) => return None,
            Err(error) => return Some(error),
        }
    }
}

pub fn drain_keep(
    session: &mut keep::Session,
    evidence: &mut dyn FnMut(&[u8; 64]) -> Option<Bundle>,
    events: &mut VecDeque<keep::Event>,
) -> Option<SessionError> {
    loop {
        match session.next_event() {
            Ok(Some(keep::Event::EvidenceWanted { report_data })) => {
                if let Some(bundle) = evidence(&report_data) {
                    session.evidence(&bundle).unwrap();
                }
            }
            Ok(Some(event)) => events.push_back(event),
            Ok(None) => return None,
            Err(error) => return Some(error),
        }
    }
}

/// A Keep with its owner's session and the payload that it delivered.
pub struct Provisioned {
    pub keep: Arc<Keep>,
    pub owner: OwnerKey,
    pub tenant: tenant::Session,
    pub session: keep::Session,
    pub delivered: Delivered,
}

/// The whole way, honestly.
pub fn provision(bytes: &[u8]) -> Provisioned {
    let (keep, owner) = (new_keep(), owner());
    let mut tenant = tenant::Session::new(&owner, Peer::Fresh).unwrap();
    let mut session = keep::Session::new(&keep).unwrap();
    let mut seen = speak(&mut tenant, &mut session);
    seen.nothing_went_wrong();
    let result = accept(&seen.offer());
    tenant.release(&result, payload(bytes)).unwrap();
    let mut seen = speak(&mut tenant, &mut session);
    seen.nothing_went_wrong();
    assert!(matches!(seen.tenant.pop_back(), Some(tenant::Event::Provisioned)));
    let delivered = seen.delivered();
    Provisioned { keep, owner, tenant, session, delivered }
}
