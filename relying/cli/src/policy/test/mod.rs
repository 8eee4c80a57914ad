// SPDX-License-Identifier: Apache-2.0

//! `enarx policy test`: holds recorded and simulated evidence against a policy, and the answers against what was expected.
//!
//! A simulated platform whose root counts as genuine is rehearsed: the verifier gives an account of what the policy would
//! say, and never a result on which anything is released.

mod table;

use std::collections::BTreeSet;
use std::rc::Rc;

use enarx_evidence::Bundle;
use enarx_simulator::{Launched, Simulator};
use enarx_verifier::{Check, PolicyEntry, Refusal, Refusals, UnixTime, appraise, rehearse};
use serde_json::{Value, json};

pub(super) use self::table::{Case, Expected, Recorded, Source, Table};
use super::PolicyFile;
use crate::args::{EvidenceArgs, Format, OutputOptions, TestPolicyArgs, VerifyArgs};
use crate::evidence::launched;
use crate::failure::{Failure, Outcome, REFUSED, chain};
use crate::release;
use crate::state::State;
use crate::terminal::{print_json, print_text};
use crate::trust::{self, Release, Trust};
use crate::verify;

/// What simulated evidence is bound to: nobody relies on it.
const REPORT_DATA: [u8; 64] = [0; 64];

/// What was checked in evidence that is acceptable, or why it is not.
pub(super) type Answer = Result<Vec<Check>, Refusals>;

/// Tests every case; the exit code tells whether all passed.
pub(super) fn test(args: &TestPolicyArgs, output: &OutputOptions) -> Outcome<u8> {
    let table = Table::read(&args.file)?;
    let state = State::open()?;
    // The simulator makes the roots that it needs, which have to be there before they are looked for.
    let simulated = simulate(&table.cases, &state)?;
    let trust = Rc::new(Trust::new(PolicyFile::read(Some(&table.policy))?, &state, Release::measure(None))?);
    let mut passed = 0_usize;
    for (case, bundle) in table.cases.iter().zip(&simulated) {
        let answer = decide(case, bundle.as_ref(), &trust).map_err(|failure| of_case(failure, case))?;
        let as_expected = is_expected(&case.expect, &answer);
        passed = passed.saturating_add(usize::from(as_expected));
        match output.format {
            Format::Json => print_json(&to_json(case, &answer, as_expected))?,
            Format::Text | Format::Ear if output.quiet && as_expected => {}
            Format::Text | Format::Ear => print_text(&to_text(case, &answer, as_expected))?,
        }
    }
    let count = table.cases.len();
    let digest = hex::encode(trust.policy().digest());
    match output.format {
        Format::Json => print_json(&json!({
            "event": "summary", "policy": table.policy, "digest": digest, "cases": count, "passed": passed,
        }))?,
        Format::Text | Format::Ear if output.quiet => {}
        Format::Text | Format::Ear => {
            let policy = table.policy.display();
            print_text(&format!("{passed} of {count} cases passed for {policy}, digest {digest}\n"))?;
        }
    }
    Ok(if passed == count { 0 } else { REFUSED })
}

/// The failure with the case that it is about.
pub(super) fn of_case(failure: Failure, case: &Case) -> Failure {
    let message = format!("case `{}`: {}", case.name.escape_debug(), failure.message());
    failure.saying(message)
}

/// The evidence of each case that is simulated.
pub(super) fn simulate(cases: &[Case], state: &State) -> Outcome<Vec<Option<Bundle>>> {
    let simulator =
        Simulator::open(&state.simulator_folder()).map_err(|error| Failure::usage(chain(&error)))?;
    let mut release: Option<Launched> = None;
    let mut made = Vec::new();
    for case in cases {
        let Source::Simulated { platform, measurement, .. } = &case.source else {
            made.push(None);
            continue;
        };
        let launched = match (measurement, release) {
            (Some(measurement), _) => launched(measurement),
            (None, Some(release)) => release,
            (None, None) => *release.insert(release::launched().map_err(|failure| of_case(failure, case))?),
        };
        let bundle = simulator.rehearse(platform, &REPORT_DATA, &launched);
        made.push(Some(bundle.map_err(|error| of_case(Failure::usage(chain(&error)), case))?));
    }
    Ok(made)
}

pub(super) fn decide(case: &Case, simulated: Option<&Bundle>, trust: &Rc<Trust>) -> Outcome<Answer> {
    match (&case.source, simulated) {
        (Source::Simulated { as_genuine, .. }, Some(bundle)) => {
            let now = case.at.unwrap_or_else(|| UnixTime(trust::now()));
            let request = trust.request(bundle, &REPORT_DATA, trust.anchors(), now);
            Ok(if *as_genuine {
                rehearse(&request).map(|rehearsed| rehearsed.checks().to_vec())
            } else {
                appraise(&request).map(|result| result.checks().to_vec())
            })
        }
        (Source::Recorded(recorded), _) => verify::answer(&arguments(recorded, case.at), trust),
        (Source::Simulated { .. }, None) => Err(Failure::usage("its evidence was not made")),
    }
}

/// What `enarx verify` would be called with.
fn arguments(recorded: &Recorded, at: Option<UnixTime>) -> VerifyArgs {
    VerifyArgs {
        evidence: EvidenceArgs {
            file: recorded.evidence.clone(),
            tee: recorded.tee,
            with: recorded.with.clone(),
        },
        endorsements: recorded.endorsements.clone(),
        collateral_bundles: recorded.collateral_bundles.clone(),
        at,
        report_data: recorded.report_data,
        nonce: None,
        accept_unbound: recorded.accept_unbound,
        policy: None,
        trust_roots: recorded.trust_roots.clone(),
        accept_absent_crl: false,
        accept_absent_tcb_info: false,
        advisories: Vec::new(),
        advisory_issuers: Vec::new(),
        accept_expired_advisories: false,
    }
}

fn is_expected(expected: &Expected, answer: &Answer) -> bool {
    match (expected, answer) {
        (Expected::Accepted, Ok(_)) => true,
        (Expected::Refused(expected), Err(refusals)) => *expected == codes(refusals),
        _ => false,
    }
}

fn codes(refusals: &Refusals) -> BTreeSet<&'static str> {
    refusals.codes().map(enarx_verifier::Code::as_str).collect()
}

/// What counts in a case that does not count elsewhere.
fn caveat(case: &Case) -> &'static str {
    match &case.source {
        Source::Simulated { as_genuine: true, .. } => " (REHEARSED: its simulated root counted as genuine)",
        Source::Simulated { .. } => " (SIMULATED)",
        Source::Recorded(_) => "",
    }
}

fn to_text(case: &Case, answer: &Answer, as_expected: bool) -> String {
    let (name, caveat) = (case.name.escape_debug(), caveat(case));
    if as_expected {
        let what = match answer {
            Ok(checks) => accepted(checks),
            Err(refusals) => {
                format!("refused: {}", refusals.iter().map(decided).collect::<Vec<_>>().join(", "))
            }
        };
        return format!("passed  {name}: {what}{caveat}\n");
    }
    let expected = match &case.expect {
        Expected::Accepted => "accepted".to_owned(),
        Expected::Refused(codes) => format!("refused: {}", list(codes)),
    };
    let found = match answer {
        Ok(checks) => vec![accepted(checks)],
        Err(refusals) => refusals.iter().map(ToString::to_string).collect(),
    };
    let found = found.join("\n  found     ");
    format!("FAILED  {name}{caveat}\n  expected  {expected}\n  found     {found}\n")
}

fn accepted(checks: &[Check]) -> String {
    format!("accepted by {}", rules(checks).map(ToString::to_string).collect::<Vec<_>>().join(", "))
}

/// The rules that allow the platform: one for each product that it may be.
fn rules(checks: &[Check]) -> impl Iterator<Item = &PolicyEntry> {
    let entries = checks.iter().filter(|check| check.passed).filter_map(|check| check.policy.as_ref());
    entries.filter(|entry| entry.entry.starts_with("allow."))
}

/// A code, and the entry of the policy that decided.
pub(super) fn decided(refusal: &Refusal) -> String {
    let entry = refusal.policy.as_ref().map_or(String::new(), |entry| format!(" by {entry}"));
    format!("{}{entry}", refusal.code)
}

fn list(codes: &BTreeSet<&'static str>) -> String {
    codes.iter().copied().collect::<Vec<_>>().join(", ")
}

fn to_json(case: &Case, answer: &Answer, as_expected: bool) -> Value {
    let expected = match &case.expect {
        Expected::Accepted => json!("accepted"),
        Expected::Refused(codes) => json!(codes),
    };
    let (simulated, rehearsed) = match &case.source {
        Source::Simulated { as_genuine, .. } => (true, *as_genuine),
        Source::Recorded(_) => (false, false),
    };
    json!({
        "event": "case",
        "name": case.name,
        "passed": as_expected,
        "simulated": simulated,
        "rehearsed_as_genuine": rehearsed,
        "expected": expected,
        "found": answer.as_ref().map_or_else(|refusals| json!(codes(refusals)), |_| json!("accepted")),
        "rules": answer.as_ref().ok().map(|checks| rules(checks).collect::<Vec<_>>()),
        "refusals": answer.as_ref().err().map(|refusals| refusals.iter().collect::<Vec<_>>()),
    })
}
