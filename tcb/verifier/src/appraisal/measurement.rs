// SPDX-License-Identifier: Apache-2.0

//! Measurements against what the policy and the reference values accept.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use enarx_evidence::dcap::Body;

use crate::policy::{Measurement, Policy, Signer};
use crate::refusal::{Findings, Subject};
use crate::{Claims, Code, DcapClaims, ReferenceValue, Register};

/// Checks what was launched, and everything that was started after it; by which entry of the policy the
/// measurement of the launch is accepted.
pub(super) fn check(
    claims: &Claims,
    values: &[ReferenceValue],
    policy: &Policy,
    findings: &mut Findings,
) -> String {
    let mut launched = find(claims.measurement(), policy.measurements(), values, findings);
    if let Claims::Sgx(claims) = claims {
        signer(claims, policy, &mut launched);
    }
    let accepted = launched.matched.is_some();
    let found = hex::encode(claims.measurement());
    let (entry, code) = (policy.entry("keep.measurements"), Code::MeasurementNotAccepted);
    findings.check_by(entry, Subject::Measurement, code, accepted, launched.expected, found);
    let tee = claims.tee();
    let is_named = |register: &Register<'_>| policy.register(tee, &register.name).is_some();
    let named = claims.optional_registers().into_iter().filter(is_named);
    for register in claims.registers().into_iter().chain(named) {
        let none = BTreeSet::new();
        let accepted = policy.register(tee, &register.name).unwrap_or(&none);
        let zero = register.value.iter().all(|byte| *byte == 0);
        if zero && accepted.is_empty() {
            continue;
        }
        let started = find(register.value, accepted, values, findings);
        let expected = if accepted.is_empty() { String::from("zero") } else { started.expected };
        let found = format_args!("{}", hex::encode(register.value));
        let expected = format_args!("{} of {expected}", register.name);
        let accepted = started.matched.is_some();
        let entry = policy.register_entry(tee, &register.name);
        findings.check_by(entry, Subject::Register, Code::RegisterNotAccepted, accepted, expected, found);
    }
    launched.matched.unwrap_or_default()
}

/// Enclaves are acceptable by who signed them, too.
fn signer(claims: &DcapClaims, policy: &Policy, launched: &mut Found) {
    let Body::Sgx(report) = &claims.quote.body else { return };
    for signer in &policy.intel().signers {
        let Signer { mr_signer, isv_prod_id, minimum_isv_svn } = signer;
        let (digest, product) = (hex::encode(mr_signer), isv_prod_id);
        let name = format!("product {product} of signer sha256:{digest} from version {minimum_isv_svn} on");
        let same = *mr_signer == report.mr_signer && *isv_prod_id == report.isv_prod_id;
        if same && report.isv_svn >= *minimum_isv_svn && launched.matched.is_none() {
            launched.matched = Some(name.clone());
        }
        launched.expected = format!("{} or {name}", launched.expected);
    }
}

/// An outcome of [`find`].
struct Found {
    /// The first entry that matches.
    matched: Option<String>,
    /// All entries, for people.
    expected: String,
}

/// Looks a measurement up among those that are accepted.
fn find(
    found: &[u8],
    accepted: &BTreeSet<Measurement>,
    values: &[ReferenceValue],
    findings: &mut Findings,
) -> Found {
    let mut matched = None;
    let mut names = Vec::new();
    for accepted in accepted {
        let (name, matches) = match accepted {
            Measurement::Digest { algorithm, digest } => {
                (format!("{algorithm}:{}", hex::encode(digest)), digest == found)
            }
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
    Found { matched, expected }
}
