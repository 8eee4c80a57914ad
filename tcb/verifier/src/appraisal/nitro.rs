// SPDX-License-Identifier: Apache-2.0

//! What a policy asks of AWS Nitro Enclaves beside their measurements.

use super::Property;
use crate::policy::Policy;
use crate::refusal::{Findings, Subject};
use crate::{Code, NitroClaims};

pub(super) fn check(claims: &NitroClaims, policy: &Policy, findings: &mut Findings) {
    let (debug, code) = (policy.guest().debug, Code::DebugAllowed);
    Property::of(policy, "guest.debug", debug, Subject::NitroDebug, code).check(claims.debug(), findings);
}
