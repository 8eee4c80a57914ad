// SPDX-License-Identifier: Apache-2.0

//! The rules of a policy about platforms: which are allowed, and which are denied whatever allows them.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::policy::{AllowRule, MinimumTcb, Policy, Product, Tee, Vocabulary as _};
use crate::refusal::{Findings, Subject};
use crate::{Claims, Code};

/// What the rules say about a platform.
pub(super) struct Ruling {
    /// The rules that allow it.
    pub(super) allowed_by: String,
    /// What it may be, and whether it then has to reach the minimum TCB of the product.
    pub(super) minimums: Vec<(Product, MinimumTcb)>,
}

/// Applies the rules to each product that the platform may be.
pub(super) fn check(claims: &Claims, policy: &Policy, findings: &mut Findings) -> Ruling {
    let tee = claims.tee();
    let mut allowed_by = BTreeSet::new();
    let mut minimums = Vec::new();
    for product in claims.products() {
        let allowing = policy.allowing(tee, product).collect::<Vec<_>>();
        check_allowed(tee, product, &allowing, findings);
        let denied = check_denied(tee, product, policy, findings);
        // A product that is denied needs no minimum, and one that no rule allows has none.
        if !allowing.is_empty() && (!denied || policy.minimum_tcb(product).is_some()) {
            let checked = allowing.iter().any(|rule| rule.minimum_tcb == MinimumTcb::Checked);
            let minimum = if checked { MinimumTcb::Checked } else { MinimumTcb::NotChecked };
            minimums.push((product, minimum));
        }
        allowed_by.extend(allowing.first().map(|rule| rule.id.clone()));
    }
    Ruling { allowed_by: allowed_by.into_iter().collect::<Vec<_>>().join(", "), minimums }
}

fn check_allowed(tee: Tee, product: Product, allowing: &[&AllowRule], findings: &mut Findings) {
    let found = allowing.first().map_or(String::from("none"), |rule| format!("rule `{}`", rule.id));
    let expected = format_args!("a rule that allows {} {}", tee.name(), product.name());
    let allowed = !allowing.is_empty();
    findings.check(Subject::Allowed, Code::PlatformNotAllowed, allowed, expected, found);
}

fn check_denied(tee: Tee, product: Product, policy: &Policy, findings: &mut Findings) -> bool {
    let expected = format!("no rule that denies {} {}", tee.name(), product.name());
    let mut denied = false;
    for rule in policy.denying(tee, product) {
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
