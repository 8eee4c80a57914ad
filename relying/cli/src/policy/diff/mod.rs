// SPDX-License-Identifier: Apache-2.0

//! `enarx policy diff`: what a change of a policy newly refuses and newly accepts.
//!
//! Rules are compared at every product and at the features that they name, demands in the states around what they ask
//! for, everything else as it stands. These are points and not all inputs, and the output says so.

mod evidence;
mod points;
mod settings;
mod states;
mod tell;

use enarx_verifier::policy::{Product, Tee, Vocabulary as _};
use enarx_verifier::{Policy, UnixTime};

use self::settings::Setting;
use self::states::{Simulated, Times};
use super::PolicyFile;
use crate::args::{DiffPolicyArgs, OutputOptions};
use crate::failure::{DIFFERENT, Outcome};
use crate::state::State;
use crate::trust;

/// The two policies.
struct Pair<'p> {
    old: &'p Policy,
    new: &'p Policy,
}

/// Which way a verdict changed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Refused,
    Accepted,
}

/// A verdict that changed.
struct Change {
    direction: Direction,
    tee: Tee,
    product: Product,
    /// Of which platforms of the product, or in which state; empty if of all.
    label: String,
    because: Vec<String>,
    /// How many more changed for the same reason.
    alike: usize,
}

impl Change {
    /// Adds a change, or counts it with one that is alike.
    fn add(changes: &mut Vec<Self>, change: Self) {
        let alike = |other: &&mut Self| {
            (other.direction, other.tee, other.product) == (change.direction, change.tee, change.product)
                && other.because == change.because
        };
        match changes.iter_mut().find(alike) {
            Some(other) => other.alike = other.alike.saturating_add(1),
            None => changes.push(change),
        }
    }
}

/// Everything that was found.
#[derive(Default)]
struct Found {
    changes: Vec<Change>,
    settings: Vec<Setting>,
    evidence: Vec<evidence::Changed>,
    /// How many platforms rules were asked about, and in how many states demands were.
    platforms: usize,
    states: usize,
    /// What was left out.
    left_out: Vec<String>,
}

/// Compares two policies; the exit code tells whether they are the same.
pub(super) fn diff(args: &DiffPolicyArgs, output: &OutputOptions) -> Outcome<u8> {
    let (old, new) = (PolicyFile::read(Some(&args.old))?, PolicyFile::read(Some(&args.new))?);
    let pair = Pair { old: old.policy(), new: new.policy() };
    let equal = pair.old.digest() == pair.new.digest();
    let digests = [pair.old, pair.new].map(|policy| hex::encode(policy.digest()));
    let found = if equal { Found::default() } else { compare(args, &pair, old.clone(), new.clone())? };
    tell::tell(args, &found, &digests, output)?;
    Ok(if equal { 0 } else { DIFFERENT })
}

fn compare(args: &DiffPolicyArgs, pair: &Pair<'_>, old: PolicyFile, new: PolicyFile) -> Outcome<Found> {
    let state = State::open()?;
    let simulated = UnixTime(trust::now());
    let times = Times { simulated, decision: args.at.unwrap_or(simulated) };
    let mut found = Found { settings: settings::compare(pair.old, pair.new), ..Found::default() };
    let mut simulator = None;
    for (tee, product) in platforms() {
        let compared = points::compare(tee, product, pair, times.decision);
        found.platforms = found.platforms.saturating_add(compared.count);
        found.changes.extend(compared.changes);
        if compared.incomplete {
            found.left_out.push(format!("{} (more features than are compared)", called(tee, product)));
        }
        if compared.accepted.is_empty() {
            continue;
        }
        let simulator = match &mut simulator {
            Some(simulator) => simulator,
            none => none.insert(Simulated::open(state.simulator_folder())?),
        };
        let mut changes = Vec::new();
        match simulator.compare(&compared.accepted, pair, times, &mut changes)? {
            Some(count) => found.states = found.states.saturating_add(count),
            None => found.left_out.push(format!("states of {}", called(tee, product))),
        }
        found.changes.extend(changes);
    }
    found.evidence = evidence::compare(args, &state, old, new)?;
    Ok(found)
}

/// Every product with every TEE that it has.
fn platforms() -> impl Iterator<Item = (Tee, Product)> {
    let all = Product::ALL.iter().flat_map(|product| Tee::ALL.iter().map(move |tee| (*tee, *product)));
    all.filter(|(tee, product)| product.has(*tee))
}

fn called(tee: Tee, product: Product) -> String {
    format!("{} {product} ({tee})", product.vendor())
}
