// SPDX-License-Identifier: Apache-2.0

//! What a policy asks of AWS Nitro Enclaves beside their measurements.

use super::switch;
use crate::policy::Policy;
use crate::refusal::{Findings, Subject};
use crate::{Code, NitroClaims};

pub(super) fn check(claims: &NitroClaims, policy: &Policy, findings: &mut Findings) {
    switch(Subject::NitroDebug, Code::DebugAllowed, policy.guest().debug, claims.debug(), findings);
}
