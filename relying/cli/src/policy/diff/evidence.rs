// SPDX-License-Identifier: Apache-2.0

//! What two policies say about evidence that is at hand.

use std::path::Path;
use std::rc::Rc;

use super::super::test::{Case, Expected, Recorded, Source, Table, decide, decided, of_case, simulate};
use super::{Direction, PolicyFile};
use crate::args::{DiffPolicyArgs, TeeArg};
use crate::failure::Outcome;
use crate::state::State;
use crate::trust::{Release, Trust};

/// Evidence about which the policies differ.
pub(super) struct Changed {
    pub(super) name: String,
    pub(super) direction: Direction,
    /// Why the one that refuses it does.
    pub(super) because: Vec<String>,
}

/// Asks both policies about every file, and every case of a table.
pub(super) fn compare(
    args: &DiffPolicyArgs,
    state: &State,
    old: PolicyFile,
    new: PolicyFile,
) -> Outcome<Vec<Changed>> {
    let mut cases: Vec<Case> = args.evidence.iter().map(|file| case(args, file)).collect();
    if let Some(table) = &args.cases {
        cases.extend(Table::read(table)?.cases);
    }
    if cases.is_empty() {
        return Ok(Vec::new());
    }
    let simulated = simulate(&cases, state)?;
    let trust = |file| Trust::new(file, state, Release::measure(None)).map(Rc::new);
    let (old, new) = (trust(old)?, trust(new)?);
    let mut changed = Vec::new();
    for (case, bundle) in cases.iter().zip(&simulated) {
        let ask = |trust| decide(case, bundle.as_ref(), trust).map_err(|failure| of_case(failure, case));
        let (direction, because) = match (ask(&old)?, ask(&new)?) {
            (Ok(_), Err(refusals)) => (Direction::Refused, refusals),
            (Err(refusals), Ok(_)) => (Direction::Accepted, refusals),
            _ => continue,
        };
        changed.push(Changed {
            name: case.name.clone(),
            direction,
            because: because.iter().map(decided).collect(),
        });
    }
    Ok(changed)
}

/// A file as a case of a table. What it is bound to does not matter: nothing is sent to whoever made it.
fn case(args: &DiffPolicyArgs, file: &Path) -> Case {
    let recorded = Recorded {
        evidence: file.to_owned(),
        tee: TeeArg::Auto,
        with: Vec::new(),
        endorsements: args.endorsements.clone(),
        collateral_bundles: args.collateral_bundles.clone(),
        trust_roots: args.trust_roots.clone(),
        report_data: None,
        accept_unbound: true,
    };
    Case {
        name: file.display().to_string(),
        source: Source::Recorded(Box::new(recorded)),
        at: args.at,
        expect: Expected::Accepted,
    }
}
