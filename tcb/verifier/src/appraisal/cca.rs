// SPDX-License-Identifier: Apache-2.0

//! What a policy asks of an Arm CCA platform: that its root of trust is closed, and which firmware it has.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use enarx_evidence::cca::LifecycleState;

use super::Property;
use super::rules::Ruling;
use crate::policy::{Measurement, MinimumTcb, Policy};
use crate::refusal::{Findings, Subject};
use crate::{CcaClaims, Code, ReferenceValue};

pub(super) fn check(
    claims: &CcaClaims,
    ruling: &Ruling,
    values: &[ReferenceValue],
    policy: &Policy,
    findings: &mut Findings,
) {
    lifecycle(claims, policy, findings);
    for (_, minimum) in &ruling.minimums {
        match minimum {
            MinimumTcb::Checked => software(claims, values, policy, findings),
            MinimumTcb::NotChecked => {
                let code = Code::PlatformSoftwareNotAccepted;
                let found = format_args!("{} components", claims.platform.components.len());
                findings.check(Subject::CcaSoftware, code, true, "any, as the policy says", found);
            }
        }
    }
}

/// Debugging beside the root of trust is debugging; in every other state but one the root of trust itself is open,
/// and what it signs proves nothing.
fn lifecycle(claims: &CcaClaims, policy: &Policy, findings: &mut Findings) {
    let lifecycle = claims.platform.lifecycle;
    let debug = claims.debug();
    let code = Code::DebugAllowed;
    Property::of(policy, "guest.debug", policy.guest().debug, Subject::CcaDebug, code).check(debug, findings);
    let closed = debug || lifecycle.state() == Some(LifecycleState::Secured);
    let code = Code::LifecycleNotSecured;
    findings.check(Subject::CcaLifecycle, code, closed, "secured", lifecycle);
}

/// Every component has a measurement that the policy accepts, or was signed by somebody that it accepts.
fn software(claims: &CcaClaims, values: &[ReferenceValue], policy: &Policy, findings: &mut Findings) {
    let mut digests = Vec::new();
    for measurement in &policy.cca().software {
        match measurement {
            Measurement::Digest { digest, .. } => digests.push(digest.as_slice()),
            Measurement::Reference(name) => {
                let before = digests.len();
                let named = values.iter().filter(|value| value.name == *name);
                digests.extend(named.map(|value| value.measurement.as_slice()));
                if digests.len() == before {
                    let expected = format_args!("a reference value `{name}`");
                    findings.refuse(Subject::CcaSoftware, Code::ReferenceValueMissing, expected, "none");
                }
            }
        }
    }
    for component in &claims.platform.components {
        let measurement = component.measurement.as_bytes();
        let signed = is_signer(&policy.cca().signers, component.signer.as_bytes());
        let known = signed || digests.contains(&measurement);
        let name = component.kind.as_deref().unwrap_or("a component without a name");
        let signers = if policy.cca().signers.is_empty() { "" } else { ", or a signer of `signers`" };
        let expected = format_args!("{name}, with a measurement of `[cca]`, `software`{signers}");
        let signer = if signed { ", whose signer is accepted" } else { "" };
        let found = format_args!("{}{signer}", hex::encode(measurement));
        let (entry, code) = (policy.entry("cca.software"), Code::PlatformSoftwareNotAccepted);
        findings.check_by(entry, Subject::CcaSoftware, code, known, expected, found);
    }
}

fn is_signer(accepted: &BTreeSet<Measurement>, signer: &[u8]) -> bool {
    accepted.iter().any(|accepted| match accepted {
        Measurement::Digest { digest, .. } => digest == signer,
        Measurement::Reference(_) => false,
    })
}
