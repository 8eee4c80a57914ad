// SPDX-License-Identifier: Apache-2.0

//! What was decided, for people and for programs.

use std::fmt;

use enarx_evidence::Format;
use enarx_verifier::policy::Vocabulary as _;
use enarx_verifier::{AttestationResult, Check, Claims, Refusal, Refusals, Root, UnixTime, Verified};
use serde_json::{Value, json};

use crate::failure::{Failure, Outcome};
use crate::layout;

/// Width of the names in the list of facts: the longest is `measurement`.
const NAME_WIDTH: usize = 11;

/// An answer.
pub(super) enum Decision {
    /// Genuine. No policy was asked.
    Verified(Verified),
    /// Genuine, and acceptable to the policy.
    Accepted(AttestationResult),
    /// Not genuine, or not acceptable.
    Refused(Refusals),
}

/// An answer and what was asked.
pub(super) struct Verdict {
    pub(super) decision: Decision,
    pub(super) format: Format,
    /// What the evidence repeats, as far as it is known.
    pub(super) report_data: Option<[u8; 64]>,
    /// Somebody said what the evidence has to repeat.
    pub(super) bound: bool,
    /// What was not asked for.
    pub(super) given_up: Vec<&'static str>,
    pub(super) at: UnixTime,
}

impl Verdict {
    /// Every check in order, each with its refusal if it did not pass.
    pub(super) fn checks(&self) -> impl Iterator<Item = (&Check, Option<&Refusal>)> {
        let (checks, mut refusals) = match &self.decision {
            Decision::Verified(verified) => (verified.checks(), <&[Refusal]>::default().iter()),
            Decision::Accepted(result) => (result.checks(), <&[Refusal]>::default().iter()),
            Decision::Refused(refusals) => (refusals.checks(), refusals.iter()),
        };
        // Refusals are in the order of the checks, one for each that did not pass.
        checks.iter().map(move |check| (check, if check.passed { None } else { refusals.next() }))
    }

    fn claims(&self) -> Option<&Claims> {
        match &self.decision {
            Decision::Verified(verified) => Some(verified.claims()),
            Decision::Accepted(result) => Some(result.claims()),
            Decision::Refused(_) => None,
        }
    }

    fn root(&self) -> Option<&Root> {
        match &self.decision {
            Decision::Verified(verified) => Some(verified.root()),
            Decision::Accepted(result) => Some(result.root()),
            Decision::Refused(_) => None,
        }
    }

    /// The word for it in JSON.
    pub(super) fn word(&self) -> &'static str {
        match self.decision {
            Decision::Verified(_) => "verified",
            Decision::Accepted(_) => "accepted",
            Decision::Refused(_) => "refused",
        }
    }

    /// For programs: one object.
    pub(super) fn to_json(&self) -> Outcome<Value> {
        let claims = serde_json::to_value(self.claims()).map_err(Failure::usage)?;
        let refusals = match &self.decision {
            Decision::Refused(refusals) => refusals.iter().collect(),
            _ => Vec::new(),
        };
        let checks: Vec<_> = self.checks().map(|(check, _)| check).collect();
        let result = match &self.decision {
            Decision::Accepted(result) => Some(result),
            _ => None,
        };
        Ok(json!({
            "verdict": self.word(),
            "appraised": result.is_some(),
            "bound": self.bound,
            "tee": self.format.name(),
            "vendor": self.claims().map(|claims| claims.vendor().name()),
            "product": self.claims().map(Claims::product_name),
            "root": self.root().map(ToString::to_string),
            "simulated": self.root().map(is_simulated),
            "tcb_status": tcb_status(&claims),
            "measurement": self.claims().map(|claims| hex::encode(claims.measurement())),
            "report_data": self.report_data.map(hex::encode),
            "decided_for": self.at,
            "rule": result.map(AttestationResult::rule),
            "measurement_name": result.map(AttestationResult::measurement_name),
            "policy_digest": result.map(|result| hex::encode(result.policy_digest())),
            "claims": claims,
            "refusals": refusals,
            "checks": checks,
        }))
    }

    /// What was found out, by name.
    fn facts(&self, claims: &Claims, root: &Root) -> Vec<(&'static str, String)> {
        let product = format!("{} of {}", claims.product_name(), claims.vendor().name());
        let mut facts = vec![
            ("platform", product),
            ("root", root.to_string()),
            ("measurement", hex::encode(claims.measurement())),
        ];
        if let Some(status) = serde_json::to_value(claims).ok().as_ref().and_then(tcb_status) {
            facts.push(("TCB status", status.to_owned()));
        }
        for register in claims.registers() {
            if register.value.iter().any(|byte| *byte != 0) {
                facts.push(("register", format!("{} {}", register.name, hex::encode(register.value))));
            }
        }
        let bound = if self.bound {
            "to the report data that you gave".to_owned()
        } else {
            "NOT CHECKED: it may be old, or a copy of somebody else's".to_owned()
        };
        facts.push(("bound", bound));
        if let Some(report_data) = self.report_data.filter(|_| !self.bound) {
            facts.push(("report data", hex::encode(report_data)));
        }
        for what in &self.given_up {
            facts.push(("NOT CHECKED", (*what).to_owned()));
        }
        if let Decision::Accepted(result) = &self.decision {
            facts.push((
                "allowed by",
                format!("rule `{}`, measurement {}", result.rule(), result.measurement_name()),
            ));
        }
        facts.push(("checks", format!("{} passed, as of {}", self.checks().count(), self.at)));
        facts
    }
}

/// What the vendor thinks of the TCB, if it says so: in claims of Intel's, also inside of those of Azure.
fn tcb_status(claims: &Value) -> Option<&str> {
    let hardware = claims.get("hardware").unwrap_or(claims);
    hardware.get("tcb_status").and_then(Value::as_str)
}

fn is_simulated(root: &Root) -> bool {
    matches!(root, Root::Simulated { .. })
}

impl fmt::Display for Verdict {
    /// For people, if it is not a refusal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(claims), Some(root)) = (self.claims(), self.root()) else { return Ok(()) };
        if is_simulated(root) {
            writeln!(f, "SIMULATED: this platform protects nothing\n")?;
        }
        let what = if self.word() == "accepted" { "genuine, and accepted by the policy" } else { "genuine" };
        writeln!(f, "the {} evidence is {what}", self.format)?;
        for (name, value) in self.facts(claims, root) {
            f.write_str(&layout::entry(2, name, NAME_WIDTH, &value))?;
        }
        if matches!(self.decision, Decision::Verified(_)) {
            let note = "Nothing was appraised, since there was no `--policy`: this does not say that the platform is up to \
                        date, that nobody may debug it, or that the right program runs in it.";
            write!(f, "\n{}", layout::paragraph(0, note))?;
        }
        Ok(())
    }
}
