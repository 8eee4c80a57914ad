// SPDX-License-Identifier: Apache-2.0

//! What a policy asks of an Arm CCA platform: that its root of trust is closed, and which firmware it has.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use enarx_evidence::cca::LifecycleState;

use super::rules::Ruling;
use super::switch;
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
            MinimumTcb::Checked => software(claims, values, policy.platform_software(), findings),
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
    switch(Subject::CcaDebug, Code::DebugAllowed, policy.guest().debug, debug, findings);
    let closed = debug || lifecycle.state() == Some(LifecycleState::Secured);
    let code = Code::LifecycleNotSecured;
    findings.check(Subject::CcaLifecycle, code, closed, "secured", lifecycle);
}

/// Every component has a measurement that the policy accepts.
fn software(
    claims: &CcaClaims,
    values: &[ReferenceValue],
    accepted: &BTreeSet<Measurement>,
    findings: &mut Findings,
) {
    let mut digests = Vec::new();
    for measurement in accepted {
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
        let known = digests.contains(&measurement);
        let name = component.kind.as_deref().unwrap_or("a component without a name");
        let expected = format_args!("{name}, with a measurement of `[cca]`, `software`");
        let found = hex::encode(measurement);
        let code = Code::PlatformSoftwareNotAccepted;
        findings.check(Subject::CcaSoftware, code, known, expected, found);
    }
}
