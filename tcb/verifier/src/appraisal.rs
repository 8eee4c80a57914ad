// SPDX-License-Identifier: Apache-2.0

//! Appraisal: what genuine evidence says, against a policy.
//!
//! Every rule of the policy is applied even if the evidence is not genuine, so that one answer names everything
//! that has to change. That can only add refusals: a result is made in one place, at the end of [`appraise`],
//! from an account in which nothing refused.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use enarx_evidence::Format;
use enarx_evidence::snp::{self, SigningKey, TcbVersion};

use crate::crypto::SignatureVerifier;
use crate::policy::{
    AllowRule, Measurement, MinimumTcb, Policy, Product, SimulatedRoot, Switch, Tee, Vocabulary,
};
use crate::refusal::{Findings, Subject};
use crate::result::{Decision, Verified};
use crate::snp as sev_snp;
use crate::{
    AttestationResult, Claims, Code, ReferenceValue, Refusals, Request, Root, SnpClaims, TrustAnchors,
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
        Format::SevSnp => sev_snp::examine(verification, crypto, findings),
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
    let Request { bundle, report_data, reference_values, policy, now, .. } = *request;
    let anchors = anchors(request.anchors, policy);
    let verification = Verification { bundle, report_data, anchors: &anchors, crl: policy.crl(), now };
    let mut findings = Findings::default();
    let examined = examine(&verification, crypto, &mut findings);
    let mut accepted = (String::new(), String::new());
    if let Some(Examined { claims, root }) = &examined {
        simulated(root.as_ref(), policy, &mut findings);
        let Claims::SevSnp(claims) = claims;
        let platform = Platform::of_snp(claims);
        let rule = platform.check(policy, &mut findings);
        snp_guest(claims, policy, &mut findings);
        let name = measurement(&claims.report.measurement, reference_values, policy, &mut findings);
        accepted = (rule, name);
    }
    let verified = Verified::new(examined, findings.into_checks()?)?;
    let (rule, measurement) = accepted;
    let decision = Decision { rule, measurement, policy_digest: policy.digest(), appraised_at: now };
    Ok(AttestationResult::new(verified, decision))
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
    findings.check(Subject::Simulated, Code::SimulatedNotAccepted, accepted, expected, found);
}

/// A platform as rules see it.
struct Platform {
    tee: Tee,
    /// What it may be: one product, or several that the evidence does not tell apart. Then it counts as each.
    products: Vec<Product>,
    /// Every TCB version that has to reach the minimum.
    tcbs: [(Subject, TcbVersion); 4],
}

impl Platform {
    fn of_snp(claims: &SnpClaims) -> Self {
        let of_generation = |product: &snp::Product| product.generation() == claims.generation;
        let products = match claims.product {
            Some(product) => Vec::from([product.into()]),
            None => snp::Product::ALL.into_iter().filter(of_generation).map(Product::from).collect(),
        };
        let tcbs = [
            (Subject::CurrentTcb, claims.current_tcb),
            (Subject::CommittedTcb, claims.committed_tcb),
            (Subject::LaunchTcb, claims.launch_tcb),
            (Subject::ReportedTcb, claims.reported_tcb),
        ];
        Self { tee: Tee::SevSnp, products, tcbs }
    }

    /// Applies the rules for platforms; the name of the rule that allows it.
    fn check(&self, policy: &Policy, findings: &mut Findings) -> String {
        let mut rules = BTreeSet::new();
        for product in &self.products {
            let allowing = policy.allowing(self.tee, *product).collect::<Vec<_>>();
            self.check_allowed(*product, &allowing, findings);
            let denied = self.check_denied(*product, policy, findings);
            // A product that is denied needs no minimum, and one that no rule allows has none.
            let unneeded = allowing.is_empty() || (denied && policy.minimum_tcb(*product).is_none());
            if !unneeded {
                self.check_tcb(*product, &allowing, policy, findings);
            }
            rules.extend(allowing.first().map(|rule| rule.id.clone()));
        }
        rules.into_iter().collect::<Vec<_>>().join(", ")
    }

    fn check_allowed(&self, product: Product, allowing: &[&AllowRule], findings: &mut Findings) {
        let found = allowing.first().map_or(String::from("none"), |rule| format!("rule `{}`", rule.id));
        let expected = format_args!("a rule that allows {} {}", self.tee.name(), product.name());
        let allowed = !allowing.is_empty();
        findings.check(Subject::Allowed, Code::PlatformNotAllowed, allowed, expected, found);
    }

    fn check_denied(&self, product: Product, policy: &Policy, findings: &mut Findings) -> bool {
        let expected = format!("no rule that denies {} {}", self.tee.name(), product.name());
        let mut denied = false;
        for rule in policy.denying(self.tee, product) {
            denied = true;
            let reason = rule.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
            let found = format_args!("rule `{}`{reason}", rule.id);
            findings.refuse(Subject::Denied, Code::ProductDenied, &expected, found);
        }
        if !denied {
            findings.check(Subject::Denied, Code::ProductDenied, true, &expected, "none");
        }
        denied
    }

    /// The minimum applies unless every rule that allows the product says that it does not.
    fn check_tcb(&self, product: Product, allowing: &[&AllowRule], policy: &Policy, findings: &mut Findings) {
        let checked = allowing.iter().any(|rule| rule.minimum_tcb == MinimumTcb::Checked);
        let minimum = policy.minimum_tcb(product);
        if checked && minimum.is_none() {
            let expected = format_args!("a minimum TCB of {}", product.name());
            findings.refuse(Subject::ReportedTcb, Code::TcbMinimumMissing, expected, "none in the policy");
        }
        for (subject, tcb) in &self.tcbs {
            match minimum.filter(|_| checked) {
                Some(minimum) => {
                    let expected = format_args!("at least {minimum}");
                    findings.check(*subject, Code::TcbTooOld, tcb.at_least(minimum), expected, tcb);
                }
                None if !checked => {
                    findings.check(*subject, Code::TcbTooOld, true, "any, as the policy says", tcb);
                }
                None => {}
            }
        }
    }
}

/// What the guest was launched to allow, and who asked for the report (56860, sections 4.3 and 7.3).
fn snp_guest(claims: &SnpClaims, policy: &Policy, findings: &mut Findings) {
    let (report, guest) = (&claims.report, policy.guest());
    let bits = report.policy;
    let unknown = bits.unknown();
    let found = format_args!("{:#x}", bits.0);
    let expected = "permissions that are known";
    findings.check(Subject::GuestPolicy, Code::GuestPolicyUnknown, unknown == 0, expected, found);

    let vlek = report.key_info.signing_key == SigningKey::Vlek;
    switch(Subject::Debug, Code::DebugAllowed, guest.debug, bits.debug(), findings);
    switch(Subject::Migration, Code::MigrationAllowed, guest.migration, bits.migrate_ma(), findings);
    switch(Subject::Smt, Code::SmtAllowed, guest.smt, bits.smt(), findings);
    switch(Subject::Vlek, Code::VlekNotAccepted, guest.vlek, vlek, findings);

    let level = u8::try_from(report.vmpl).ok();
    let accepted = level.is_some_and(|level| guest.vmpl.contains(&level));
    let expected = format_args!("one of {:?}", guest.vmpl);
    let found = match report.vmpl {
        snp::Report::VMPL_HOST => String::from("the host"),
        level => format!("{level}"),
    };
    findings.check(Subject::Vmpl, Code::VmplNotAccepted, accepted, expected, found);
}

/// A property that a policy accepts or refuses.
fn switch(subject: Subject, code: Code, policy: Switch, present: bool, findings: &mut Findings) {
    let accepted = policy == Switch::Accept || !present;
    let expected = if policy == Switch::Accept { "yes or no" } else { "no" };
    let found = if present { "yes" } else { "no" };
    findings.check(subject, code, accepted, expected, found);
}

/// The measurement against reference values; by which entry of the policy it is accepted.
fn measurement(
    found: &[u8; 48],
    values: &[ReferenceValue],
    policy: &Policy,
    findings: &mut Findings,
) -> String {
    let mut matched = None;
    let mut names = Vec::new();
    for accepted in policy.measurements() {
        let (name, matches) = match accepted {
            Measurement::Sha384(digest) => (format!("sha384:{}", hex::encode(digest)), digest == found),
            Measurement::Reference(name) => {
                let mut named = values.iter().filter(|value| value.name == *name).peekable();
                if named.peek().is_none() {
                    let expected = format_args!("a reference value `{name}`");
                    findings.refuse(Subject::Measurement, Code::ReferenceValueMissing, expected, "none");
                }
                (format!("`{name}`"), named.any(|value| value.measurement == found))
            }
        };
        if matches && matched.is_none() {
            matched = Some(name.clone());
        }
        names.push(name);
    }
    let expected = if names.is_empty() { String::from("none") } else { names.join(" or ") };
    let accepted = matched.is_some();
    let text = format_args!("{}", hex::encode(found));
    findings.check(Subject::Measurement, Code::MeasurementNotAccepted, accepted, expected, text);
    matched.unwrap_or_default()
}
