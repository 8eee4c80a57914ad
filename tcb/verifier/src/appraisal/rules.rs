// SPDX-License-Identifier: Apache-2.0

//! The rules of a policy about platforms: which are allowed, and which are denied whatever allows them.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::policy::{
    AllowRule, Applies, Decided, MinimumTcb, Nearly, Place, Platform, Policy, Product, Vocabulary as _, day,
};
use crate::refusal::{Findings, PolicyEntry, Subject};
use crate::{Claims, Code, UnixTime};

/// How many rules are named that nearly allow a platform.
const MOST_NAMED: usize = 3;

/// What the rules say about a platform.
pub(super) struct Ruling {
    /// The rules that allow it.
    pub(super) allowed_by: String,
    /// What it may be, and whether it then has to reach the minimum TCB of the product.
    pub(super) minimums: Vec<(Product, MinimumTcb)>,
}

/// Applies the rules to each product that the platform may be.
pub(super) fn check(claims: &Claims, policy: &Policy, now: UnixTime, findings: &mut Findings) -> Ruling {
    let (tee, features) = (claims.tee(), claims.features());
    let mut allowed_by = BTreeSet::new();
    let mut minimums = Vec::new();
    for product in claims.products() {
        let platform = Platform { tee, product, features: &features };
        let decided = policy.decide(&platform, now);
        check_allowed(&platform, &decided, findings);
        check_denied(&platform, &decided, findings);
        let allowing = &decided.allowed_by;
        // A product that is denied needs no minimum, and one that no rule allows has none.
        if !allowing.is_empty() && (decided.is_accepted() || policy.floor(product).is_some()) {
            let checked = allowing.iter().any(|rule| rule.minimum_tcb == MinimumTcb::Checked);
            let minimum = if checked { MinimumTcb::Checked } else { MinimumTcb::NotChecked };
            minimums.push((product, minimum));
        }
        allowed_by.extend(allowing.first().map(|rule| rule.id.clone()));
    }
    Ruling { allowed_by: allowed_by.into_iter().collect::<Vec<_>>().join(", "), minimums }
}

fn entry(kind: &str, id: &str, place: &Place) -> PolicyEntry {
    PolicyEntry::new(format!("{kind}.{id}"), Some(place))
}

fn check_allowed(platform: &Platform<'_>, decided: &Decided<'_>, findings: &mut Findings) {
    let expected = format!("a rule that allows {} {}", platform.tee.name(), platform.product.name());
    match decided.allowed_by.first() {
        Some(rule) => {
            let (entry, found) = (entry("allow", &rule.id, &rule.place), format!("rule `{}`", rule.id));
            findings.check_by(entry, Subject::Allowed, Code::PlatformNotAllowed, true, expected, found);
        }
        None => match decided.nearly.first() {
            Some((rule, _)) => {
                let (entry, found) = (entry("allow", &rule.id, &rule.place), nearly(&decided.nearly));
                findings.check_by(entry, Subject::Allowed, Code::PlatformNotAllowed, false, expected, found);
            }
            None => findings.refuse(Subject::Allowed, Code::PlatformNotAllowed, expected, "none"),
        },
    }
}

/// The rules that would allow a platform but for something.
fn nearly(rules: &[(&AllowRule, Nearly)]) -> String {
    let why = |(rule, why): &(&AllowRule, Nearly)| {
        let id = &rule.id;
        match why {
            Nearly::Expired(end) => format!("rule `{id}` expired on {}", day(*end)),
            Nearly::Other(feature) => format!("rule `{id}` is about other `{}`", feature.name()),
            Nearly::Untold(feature) => {
                format!("rule `{id}` asks for `{}`, which the evidence does not tell", feature.name())
            }
        }
    };
    let named = rules.iter().take(MOST_NAMED).map(why).collect::<Vec<_>>().join("; ");
    match rules.len().saturating_sub(MOST_NAMED) {
        0 => format!("none: {named}"),
        more => format!("none: {named}; and {more} more"),
    }
}

fn check_denied(platform: &Platform<'_>, decided: &Decided<'_>, findings: &mut Findings) {
    let expected = format!("no rule that denies {} {}", platform.tee.name(), platform.product.name());
    for (rule, applies) in &decided.denied_by {
        let reason = rule.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
        let may = match applies {
            Applies::Unknown => ", which asks for what the evidence does not tell",
            _ => "",
        };
        let found = format_args!("rule `{}`{may}{reason}", rule.id);
        let entry = entry("deny", &rule.id, &rule.place);
        findings.check_by(entry, Subject::Denied, Code::ProductDenied, false, &expected, found);
    }
    if decided.denied_by.is_empty() {
        findings.check(Subject::Denied, Code::ProductDenied, true, &expected, "none");
    }
}
