// SPDX-License-Identifier: Apache-2.0

//! `enarx verify` and `enarx explain`: evidence in files against the vendors' roots and, if there is one, a policy.

mod case;
mod ear;
mod explain;
mod verdict;

use std::rc::Rc;

use enarx_verifier::{Check, Refusals};

use crate::args::{Format, OutputOptions, VerifyArgs};
use crate::failure::{Failure, Outcome, REFUSED};
use crate::terminal::{print_json, print_text};
use crate::trust::Trust;
use crate::write::print;

use case::Case;
use verdict::{Decision, Verdict};

/// `enarx verify`
pub(crate) fn verify(args: &VerifyArgs, output: &OutputOptions) -> Outcome<u8> {
    let case = Case::open(args)?;
    let verdict = case.decide();
    match (output.format, &verdict.decision) {
        (Format::Ear, _) => {
            let (token, key) = ear::token(&verdict, case.policy())?;
            if !output.quiet {
                tell!("signed by ed25519:{key}");
            }
            print(format!("{token}\n").as_bytes())?;
            Ok(code(&verdict))
        }
        (Format::Json, _) => json(&verdict),
        (Format::Text, Decision::Refused(refusals)) => {
            let message = format!("the {} evidence is refused", verdict.format);
            Err(Failure::evidence_refused(message, refusals.clone()))
        }
        (Format::Text, _) => {
            if !output.quiet {
                print_text(&verdict.to_string())?;
            }
            Ok(0)
        }
    }
}

/// `enarx explain`: the same decision with the whole account of it.
pub(crate) fn explain(args: &VerifyArgs, output: &OutputOptions) -> Outcome<u8> {
    let verdict = Case::open(args)?.decide();
    match output.format {
        Format::Json => json(&verdict),
        Format::Text | Format::Ear => {
            print_text(&explain::explain(&verdict))?;
            Ok(code(&verdict))
        }
    }
}

/// What was checked where a policy that is at hand accepts evidence, or why it does not.
pub(crate) fn answer(args: &VerifyArgs, trust: &Rc<Trust>) -> Outcome<Result<Vec<Check>, Refusals>> {
    match Case::under(args, Some(Rc::clone(trust)))?.decide().decision {
        Decision::Accepted(result) => Ok(Ok(result.checks().to_vec())),
        Decision::Refused(refusals) => Ok(Err(refusals)),
        Decision::Verified(_) => Err(Failure::usage("the policy was not asked")),
    }
}

fn json(verdict: &Verdict) -> Outcome<u8> {
    print_json(&verdict.to_json()?)?;
    Ok(code(verdict))
}

fn code(verdict: &Verdict) -> u8 {
    if matches!(verdict.decision, Decision::Refused(_)) { REFUSED } else { 0 }
}
