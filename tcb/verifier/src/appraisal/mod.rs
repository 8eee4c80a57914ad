// SPDX-License-Identifier: Apache-2.0

//! Appraisal: what genuine evidence says, against a policy.
//!
//! Every rule of the policy is applied even if the evidence is not genuine, so that one answer names everything
//! that has to change. That can only add refusals: a result is made in one place, at the end of [`appraise`],
//! from an account in which nothing refused.

mod advisories;
mod cca;
mod dcap;
mod measurement;
mod nitro;
mod rules;
mod snp;
mod tpm;
mod workload;

pub(crate) use workload::check as check_workload;

use alloc::format;
use alloc::string::String;

use enarx_evidence::Format;

use crate::advisory::Feed;
use crate::crypto::SignatureVerifier;
use crate::policy::{Collateral, Policy, SimulatedRoot, Switch, Tee};
use crate::refusal::{Findings, Subject};
use crate::result::{AppliedFeed, Decision, Rehearsed, Verified};
use crate::{
    AttestationResult, AzureMachine, Claims, Code, PolicyEntry, ReferenceValue, Refusal, Refusals, Request,
    Root, Supposition, TrustAnchors, UnixTime, Verification,
};

/// What verification leaves to appraise. Without a root nothing is proved.
pub(crate) struct Examined {
    pub(crate) claims: Claims,
    pub(crate) root: Option<Root>,
}

/// Verifies evidence of any format.
pub(crate) fn examine(
    verification: &Verification<'_>,
    crypto: &mut dyn SignatureVerifier,
    findings: &mut Findings,
) -> Option<Examined> {
    match verification.bundle.evidence.format {
        Format::SevSnp => crate::snp::examine(verification, crypto, findings),
        Format::Tdx | Format::Sgx => crate::dcap::examine(verification, crypto, findings),
        Format::Cca => crate::cca::examine(verification, crypto, findings),
        Format::Nitro => crate::nitro::examine(verification, crypto, findings),
        Format::Tpm => crate::tpm::examine(verification, crypto, findings),
        Format::AzureSnp => crate::azure::examine_snp(verification, crypto, findings),
        Format::AzureTdx => crate::azure::examine_tdx(verification, crypto, findings),
        Format::NvGpu => crate::nvgpu::examine(verification, crypto, findings),
        other => {
            let expected = "evidence of a kind that is known here";
            findings.refuse(Subject::Evidence, Code::EvidenceFormatUnsupported, expected, other);
            None
        }
    }
}

/// Verifies evidence and applies the policy.
pub(crate) fn appraise(
    request: &Request<'_>,
    crypto: &mut dyn SignatureVerifier,
) -> Result<AttestationResult, Refusals> {
    let (examined, accepted, findings) = examine_and_apply(request, crypto);
    let verified = Verified::new(examined, *request.report_data, findings.into_checks()?)?;
    let Accepted { rule, measurement } = accepted;
    let Request { policy, advisories, now, .. } = *request;
    let feeds = advisories.iter().map(AppliedFeed::new).collect();
    let decision = Decision { rule, measurement, policy_digest: policy.digest(), feeds, appraised_at: now };
    Ok(AttestationResult::new(verified, decision))
}

/// The same as if simulated roots that the anchors name were acceptable. There is no [`AttestationResult`] of it.
pub(crate) fn rehearse(
    request: &Request<'_>,
    crypto: &mut dyn SignatureVerifier,
) -> Result<Rehearsed, Refusals> {
    let (examined, Accepted { rule, measurement }, mut findings) = examine_and_apply(request, crypto);
    // A root that nobody names is refused with the same code, but by no entry of the policy.
    let by_policy =
        |refusal: &Refusal| refusal.code == Code::SimulatedNotAccepted && refusal.policy.is_some();
    findings.waive(by_policy, "any root, since this is a rehearsal");
    let verified = Verified::new(examined, *request.report_data, findings.into_checks()?)?;
    Ok(Rehearsed { rule, measurement, checks: verified.checks().to_vec() })
}

/// What a policy would say to genuine evidence that says this.
pub(crate) fn suppose(supposition: &Supposition<'_>) -> Result<Rehearsed, Refusals> {
    let Supposition { claims, policy, leaving_out, now } = *supposition;
    let mut findings = Findings::default();
    let terms = Terms { reference_values: &[], policy, advisories: &[], now };
    let Accepted { rule, measurement } = apply(claims, None, &terms, &mut findings);
    findings.waive(|refusal| leaving_out.contains(&refusal.code), "anything, since it is left out");
    Ok(Rehearsed { rule, measurement, checks: findings.into_checks()? })
}

/// What claims are held against.
struct Terms<'a> {
    reference_values: &'a [ReferenceValue],
    policy: &'a Policy,
    advisories: &'a [Feed],
    now: UnixTime,
}

/// By what a policy accepts.
#[derive(Default)]
struct Accepted {
    rule: String,
    measurement: String,
}

fn examine_and_apply(
    request: &Request<'_>,
    crypto: &mut dyn SignatureVerifier,
) -> (Option<Examined>, Accepted, Findings) {
    let Request { bundle, report_data, reference_values, policy, advisories, now, .. } = *request;
    let anchors = anchors(request.anchors, policy);
    let Collateral { crl, tcb_info, freshness } = *policy.collateral();
    let verification = Verification { bundle, report_data, anchors: &anchors, crl, tcb_info, freshness, now };
    let mut findings = Findings::default();
    let examined = examine(&verification, crypto, &mut findings);
    let terms = Terms { reference_values, policy, advisories, now };
    let accepted = examined
        .as_ref()
        .map(|Examined { claims, root }| apply(claims, root.as_ref(), &terms, &mut findings));
    (examined, accepted.unwrap_or_default(), findings)
}

/// Applies every rule of the policy, and of the advisories beside it, to what evidence says.
fn apply(claims: &Claims, root: Option<&Root>, terms: &Terms<'_>, findings: &mut Findings) -> Accepted {
    let Terms { reference_values, policy, advisories, now } = *terms;
    simulated(root, policy, findings);
    let ruling = rules::check(claims, policy, now, findings);
    let tee = claims.tee();
    match claims {
        Claims::SevSnp(claims) => snp::check(claims, &ruling, policy, findings),
        Claims::Tdx(claims) | Claims::Sgx(claims) => dcap::check(claims, policy, now, findings),
        Claims::Cca(claims) => cca::check(claims, &ruling, reference_values, policy, findings),
        Claims::Nitro(claims) => nitro::check(claims, policy, findings),
        Claims::Tpm(claims) => tpm::check(tee, &claims.quote, policy, findings),
        Claims::AzureSnp(claims) => {
            snp::check_under_paravisor(&claims.hardware, &ruling, policy, findings);
            machine(tee, &claims.machine, policy, findings);
        }
        // The rules and the measurement are all that is asked of devices.
        Claims::NvGpu(_) => {}
        Claims::AzureTdx(claims) => {
            dcap::check(&claims.hardware, policy, now, findings);
            machine(tee, &claims.machine, policy, findings);
        }
    }
    let measurement = measurement::check(claims, reference_values, policy, findings);
    advisories::check(claims, advisories, now, findings);
    Accepted { rule: ruling.allowed_by, measurement }
}

/// The virtual TPM of a machine. What certified its key is in the result, so it has to be acceptable too.
fn machine(tee: Tee, machine: &AzureMachine, policy: &Policy, findings: &mut Findings) {
    simulated(machine.certificate_root.as_ref(), policy, findings);
    tpm::check(tee, &machine.quote, policy, findings);
}

/// The caller's anchors, and the simulated roots that the policy itself names by their key.
fn anchors(known: &TrustAnchors, policy: &Policy) -> TrustAnchors {
    policy.simulated_roots().iter().fold(known.clone(), |anchors, root| match root {
        SimulatedRoot::Sha256(digest) => {
            anchors.with_simulated(&format!("sha256:{}", hex::encode(digest)), *digest)
        }
        SimulatedRoot::Named(_) => anchors,
    })
}

fn simulated(root: Option<&Root>, policy: &Policy, findings: &mut Findings) {
    let Some(Root::Simulated { name, spki_sha256 }) = root else { return };
    let accepted = policy.simulated_roots().iter().any(|accepted| match accepted {
        SimulatedRoot::Named(accepted) => accepted == name,
        SimulatedRoot::Sha256(accepted) => accepted == spki_sha256,
    });
    let expected = "a vendor's root, or one that the policy names";
    let found = format_args!("the simulated root `{name}`, sha256:{}", hex::encode(spki_sha256));
    let (entry, code) = (policy.entry("simulated.roots"), Code::SimulatedNotAccepted);
    findings.check_by(entry, Subject::Simulated, code, accepted, expected, found);
}

/// A property that a policy accepts or refuses, and what to call it.
struct Property {
    subject: Subject,
    code: Code,
    /// The entry of the policy that decides, and what it says.
    entry: PolicyEntry,
    switch: Switch,
}

impl Property {
    /// A property that is decided by an entry of this path.
    fn of(policy: &Policy, path: &str, switch: Switch, subject: Subject, code: Code) -> Self {
        Self { subject, code, entry: policy.entry(path), switch }
    }

    /// Notes whether evidence has the property and may have it.
    fn check(self, present: bool, findings: &mut Findings) {
        let accepts = self.switch == Switch::Accept;
        let expected = if accepts { "yes or no" } else { "no" };
        let found = if present { "yes" } else { "no" };
        findings.check_by(self.entry, self.subject, self.code, accepts || !present, expected, found);
    }
}
