// SPDX-License-Identifier: Apache-2.0

//! Whether a policy is about a workload, and for its owner. Evidence does not tell them: a Keep gets them afterwards.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::policy::Policy;
use crate::refusal::{Findings, Subject};
use crate::{Code, Refusals};

/// Checks digest and owner.
pub(crate) fn check(policy: &Policy, digest: &[u8; 32], owner: &[u8; 32]) -> Result<(), Refusals> {
    let mut findings = Findings::default();
    let workload = policy.workload();
    let checks = [
        (
            "workload.digests",
            Subject::Workload,
            Code::WorkloadNotAccepted,
            &workload.digests,
            digest,
            "sha256:",
        ),
        ("workload.owners", Subject::Owner, Code::OwnerNotAccepted, &workload.owners, owner, ""),
    ];
    for (path, subject, code, accepted, found, prefix) in checks {
        let good = accepted.is_empty() || accepted.contains(found);
        let found = format!("{prefix}{}", hex::encode(found));
        findings.check_by(policy.entry(path), subject, code, good, names(accepted, prefix), found);
    }
    findings.into_checks().map(|_| ())
}

fn names(accepted: &BTreeSet<[u8; 32]>, prefix: &str) -> String {
    /// More than these say no more to people.
    const MOST: usize = 3;
    if accepted.is_empty() {
        return String::from("any");
    }
    let names = accepted.iter().take(MOST).map(|digest| format!("{prefix}{}", hex::encode(digest)));
    let names = names.collect::<Vec<_>>().join(" or ");
    match accepted.len().saturating_sub(MOST) {
        0 => names,
        more => format!("{names} or one of {more} more"),
    }
}
