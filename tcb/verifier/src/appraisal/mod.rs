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

use crate::crypto::SignatureVerifier;
use crate::policy::{Collateral, Policy, SimulatedRoot, Switch};
use crate::refusal::{Findings, Subject};
use crate::result::{AppliedFeed, Decision, Verified};
use crate::{
    AttestationResult, AzureMachine, Claims, Code, PolicyEntry, Refusals, Request, Root, TrustAnchors,
    Verification,
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
    let Request { bundle, report_data, reference_values, policy, advisories, now, .. } = *request;
    let anchors = anchors(request.anchors, policy);
    let Collateral { crl, tcb_info, freshness } = *policy.collateral();
    let verification = Verification { bundle, report_data, anchors: &anchors, crl, tcb_info, freshness, now };
    let mut findings = Findings::default();
    let examined = examine(&verification, crypto, &mut findings);
    let mut accepted = (String::new(), String::new());
    if let Some(Examined { claims, root }) = &examined {
        simulated(root.as_ref(), policy, &mut findings);
        let ruling = rules::check(claims, policy, now, &mut findings);
        match claims {
            Claims::SevSnp(claims) => snp::check(claims, &ruling, policy, &mut findings),
            Claims::Tdx(claims) | Claims::Sgx(claims) => dcap::check(claims, policy, now, &mut findings),
            Claims::Cca(claims) => cca::check(claims, &ruling, reference_values, policy, &mut findings),
            Claims::Nitro(claims) => nitro::check(claims, policy, &mut findings),
            Claims::Tpm(claims) => tpm::check(&claims.quote, policy, &mut findings),
            Claims::AzureSnp(claims) => {
                snp::check_under_paravisor(&claims.hardware, &ruling, policy, &mut findings);
                machine(&claims.machine, policy, &mut findings);
            }
            // The rules and the measurement are all that is asked of devices.
            Claims::NvGpu(_) => {}
            Claims::AzureTdx(claims) => {
                dcap::check(&claims.hardware, policy, now, &mut findings);
                machine(&claims.machine, policy, &mut findings);
            }
        }
        let name = measurement::check(claims, reference_values, policy, &mut findings);
        advisories::check(claims, advisories, now, &mut findings);
        accepted = (ruling.allowed_by, name);
    }
    let verified = Verified::new(examined, *report_data, findings.into_checks()?)?;
    let (rule, measurement) = accepted;
    let feeds = advisories.iter().map(AppliedFeed::new).collect();
    let decision = Decision { rule, measurement, policy_digest: policy.digest(), feeds, appraised_at: now };
    Ok(AttestationResult::new(verified, decision))
}

/// The virtual TPM of a machine. What certified its key is in the result, so it has to be acceptable too.
fn machine(machine: &AzureMachine, policy: &Policy, findings: &mut Findings) {
    simulated(machine.certificate_root.as_ref(), policy, findings);
    tpm::check(&machine.quote, policy, findings);
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
