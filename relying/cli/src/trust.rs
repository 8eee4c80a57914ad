// SPDX-License-Identifier: Apache-2.0

//! What the tenant trusts: the policy, the vendors' roots, named simulated roots, and the Keep program that came with
//! this `enarx`.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use enarx_evidence::Bundle;
use enarx_simulator::Simulator;
use enarx_verifier::advisory::Feed;
use enarx_verifier::policy::{Crl, Policy, TcbInfo};
use enarx_verifier::{AttestationResult, ReferenceValue, Request, TrustAnchors, UnixTime, appraise};

use crate::failure::{Failure, Outcome, chain};
use crate::policy::PolicyFile;
use crate::release;
use crate::state::State;

/// The name by which policies mean the simulator of this machine.
pub(crate) const LOCAL: &str = "local";

/// Everything that evidence is held against.
pub(crate) struct Trust {
    policy: PolicyFile,
    anchors: TrustAnchors,
    reference_values: Vec<ReferenceValue>,
    advisories: Vec<Feed>,
}

/// The measurement of a Keep program, which takes some milliseconds and so is taken while other things are done.
pub(crate) struct Release(Option<std::thread::JoinHandle<Outcome<Vec<ReferenceValue>>>>);

impl Release {
    /// Starts to measure the Keep programs that came with this `enarx`, or the one given.
    pub(crate) fn measure(given: Option<&Path>) -> Self {
        let given = given.map(Path::to_owned);
        let measure = move || release::reference_values(given.as_deref());
        Self(std::thread::Builder::new().name("enarx-measure".to_owned()).spawn(measure).ok())
    }

    /// Waits for it.
    fn values(self) -> Outcome<Vec<ReferenceValue>> {
        let measured = self.0.and_then(|measuring| measuring.join().ok());
        measured.unwrap_or_else(|| Err(Failure::usage("could not measure the Keep program")))
    }
}

impl Trust {
    /// A policy with what its names mean on this machine.
    pub(crate) fn new(policy: PolicyFile, state: &State, release: Release) -> Outcome<Self> {
        let mut anchors = TrustAnchors::vendors();
        // Nothing is made here: a machine without a simulator has no local root.
        for root in
            Simulator::roots(&state.simulator_folder()).map_err(|error| Failure::usage(chain(&error)))?
        {
            anchors = anchors.with_simulated(LOCAL, root);
        }
        let advisories = state.advisories().feeds()?;
        Ok(Self { policy, anchors, reference_values: release.values()?, advisories })
    }

    /// Denies beside the policy what one more feed of advisories denies.
    pub(crate) fn listen_to(&mut self, feed: Feed) {
        self.advisories.push(feed);
    }

    /// The feeds of advisories that are past their last day, which the tenant accepts.
    pub(crate) fn expired_advisories(&self, now: UnixTime) -> impl Iterator<Item = &Feed> {
        self.advisories.iter().filter(move |feed| feed.expired(now))
    }

    /// The policy with its files.
    pub(crate) fn file(&self) -> &PolicyFile {
        &self.policy
    }

    /// The policy.
    pub(crate) fn policy(&self) -> &Policy {
        self.policy.policy()
    }

    /// The roots that are known: the vendors', and that of this machine's simulator.
    pub(crate) fn anchors(&self) -> &TrustAnchors {
        &self.anchors
    }

    /// What the policy asks of revocation lists.
    pub(crate) fn crl(&self) -> Crl {
        self.policy().crl()
    }

    /// What the policy asks of Intel's TCB info and enclave identities.
    pub(crate) fn tcb_info(&self) -> TcbInfo {
        self.policy().tcb_info()
    }

    /// Holds evidence against all of this, now.
    pub(crate) fn appraise(&self, bundle: &Bundle, report_data: &[u8; 64]) -> Outcome<AttestationResult> {
        let request = self.request(bundle, report_data, &self.anchors, UnixTime(now()));
        appraise(&request).map_err(Failure::refused)
    }

    /// The question whether the policy accepts evidence under some roots at some time.
    pub(crate) fn request<'a>(
        &'a self,
        bundle: &'a Bundle,
        report_data: &'a [u8; 64],
        anchors: &'a TrustAnchors,
        now: UnixTime,
    ) -> Request<'a> {
        let (policy, reference_values) = (self.policy(), &self.reference_values);
        let advisories = &self.advisories;
        Request { bundle, report_data, anchors, reference_values, policy, advisories, now }
    }
}

/// Seconds since 1970 by this machine's clock, which its tenant trusts.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
