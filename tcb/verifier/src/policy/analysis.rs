// SPDX-License-Identifier: Apache-2.0

//! What no single rule shows: contradictions between rules, rules without effect, missing floors.
//!
//! All of these are errors and not warnings, since a policy that does not do what it seems to say is
//! a policy that trusts something its author believes refused, or the other way round.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Policy;
use super::error::{PolicyError, quoted};
use super::model::{MinimumTcb, Product, Tee, Vocabulary};
use super::place::{Place, Source};
use super::rule::{AllowRule, DenyRule, Feature, Matcher};

pub(super) fn check(policy: &Policy, source: &Arc<Source>) -> Result<(), PolicyError> {
    if policy.allow.is_empty() {
        return Err(PolicyError::at(&source.at(0), "no rule allows anything, so the policy accepts nothing")
            .hint("write an `[[allow]]` rule; `enarx policy new` shows one"));
    }
    distinct_ids(policy)?;
    distinct_matchers(in_order(
        policy.allow.values(),
        |rule| &rule.place,
        |rule| (&rule.id, &rule.platforms),
    ))?;
    distinct_matchers(in_order(
        policy.deny.values(),
        |rule| &rule.place,
        |rule| (&rule.id, &rule.platforms),
    ))?;
    let denials = Denials::of(policy);
    for rule in in_order(policy.allow.values(), |rule| &rule.place, |rule| rule) {
        denials.can_match(rule.1)?;
        has_floors(rule.1, &denials, policy)?;
    }
    Ok(())
}

/// Where an entry stands; the nearest table around it, or the beginning, if it is not written.
pub(super) fn place_of(policy: &Policy, path: &str) -> Place {
    let mut path = path;
    loop {
        if let Some(place) = policy.places.get(path) {
            return place.clone();
        }
        match path.rsplit_once('.') {
            Some((outer, _)) => path = outer,
            None => break,
        }
    }
    policy.source.clone().unwrap_or_else(|| Source::new(None, "")).at(0)
}

/// Rules in the order in which they stand, so that what is reported is the second of two.
fn in_order<'p, R: 'p, T>(
    rules: impl Iterator<Item = &'p R>,
    place: impl Fn(&'p R) -> &'p Place,
    item: impl Fn(&'p R) -> T,
) -> impl Iterator<Item = (&'p Place, T)> {
    let mut rules = rules.map(|rule| (place(rule), item(rule))).collect::<Vec<_>>();
    rules.sort_by_key(|(place, _)| place.offset());
    rules.into_iter()
}

fn distinct_ids(policy: &Policy) -> Result<(), PolicyError> {
    let twice = policy.deny.values().find(|rule| policy.allow.contains_key(&rule.id));
    twice.map_or(Ok(()), |rule| {
        let message = format!("there is another rule with the id `{}`", rule.id);
        Err(PolicyError::at(&rule.place, message).hint("give each rule an id of its own"))
    })
}

fn distinct_matchers<'p>(
    rules: impl Iterator<Item = (&'p Place, (&'p String, &'p Matcher))>,
) -> Result<(), PolicyError> {
    let mut seen: BTreeMap<&Matcher, &str> = BTreeMap::new();
    for (place, (id, matcher)) in rules {
        if let Some(first) = seen.insert(matcher, id) {
            let message = format!("rule `{id}` is about the same platforms as rule `{first}`");
            return Err(PolicyError::at(place, message).hint("remove one of them"));
        }
    }
    Ok(())
}

/// What rules deny, in the forms in which it is looked up.
struct Denials<'p> {
    /// For each platform the first rule that denies it whatever its features.
    whole: BTreeMap<(Tee, Product), &'p str>,
    /// For each platform and value of a feature the first rule that denies it whatever its other features.
    values: BTreeMap<(Tee, Product, Feature, &'p [u8]), &'p str>,
    /// Rules by what they are about.
    exact: BTreeMap<&'p Matcher, &'p str>,
}

impl<'p> Denials<'p> {
    fn of(policy: &'p Policy) -> Self {
        let mut denials = Self { whole: BTreeMap::new(), values: BTreeMap::new(), exact: BTreeMap::new() };
        for (_, rule) in in_order(policy.deny.values(), |rule| &rule.place, |rule: &DenyRule| rule) {
            let (id, matcher) = (rule.id.as_str(), &rule.platforms);
            denials.exact.entry(matcher).or_insert(id);
            let mut features = matcher.features.iter();
            match (features.next(), features.next()) {
                (None, _) => {
                    for platform in matcher.platforms() {
                        denials.whole.entry(platform).or_insert(id);
                    }
                }
                (Some((&feature, values)), None) => {
                    for (tee, product) in matcher.platforms() {
                        for value in values {
                            denials.values.entry((tee, product, feature, value)).or_insert(id);
                        }
                    }
                }
                _ => {}
            }
        }
        denials
    }

    /// The rules that deny everything of a platform that the rule allows.
    fn of_platform(&self, rule: &'p AllowRule, tee: Tee, product: Product) -> Option<Vec<&'p str>> {
        if let Some(id) = self.whole.get(&(tee, product)) {
            return Some(Vec::from([*id]));
        }
        let denied = |(&feature, values): (&Feature, &'p BTreeSet<Vec<u8>>)| {
            let denied =
                |value: &'p Vec<u8>| self.values.get(&(tee, product, feature, value.as_slice())).copied();
            values.iter().map(denied).collect::<Option<Vec<_>>>()
        };
        rule.platforms.features.iter().find_map(denied)
    }

    fn can_match(&self, rule: &'p AllowRule) -> Result<(), PolicyError> {
        if let Some(opposite) = self.exact.get(&rule.platforms) {
            let message = format!("rule `{}` allows exactly what rule `{opposite}` denies", rule.id);
            return Err(PolicyError::at(&rule.place, message).hint("remove one of them; a deny always wins"));
        }
        let by = rule.platforms.platforms().map(|(tee, product)| self.of_platform(rule, tee, product));
        let Some(by) = by.collect::<Option<Vec<_>>>() else { return Ok(()) };
        let mut by = by.concat();
        by.sort_unstable();
        by.dedup();
        let message =
            format!("rule `{}` can never match: all it allows is denied by {}", rule.id, quoted(&by));
        Err(PolicyError::at(&rule.place, message).hint("remove the rule, or narrow what is denied"))
    }
}

fn has_floors(rule: &AllowRule, denials: &Denials<'_>, policy: &Policy) -> Result<(), PolicyError> {
    for (tee, product) in rule.platforms.platforms().filter(|(_, product)| product.has_minimum_tcb()) {
        let has_floor = policy.minimum_tcb.contains_key(&product);
        let (message, hint): (String, String) = match (rule.minimum_tcb, has_floor) {
            (MinimumTcb::Checked, true) | (MinimumTcb::NotChecked, false) => continue,
            (MinimumTcb::Checked, false) if denials.whole.contains_key(&(tee, product)) => continue,
            (MinimumTcb::Checked, false) => (
                format!("rule `{}` allows `{product}`, which has no minimum TCB", rule.id),
                format!(
                    "write `[minimum_tcb.{product}]`, or `minimum_tcb = \"not-checked\"` in the rule to accept any"
                ),
            ),
            (MinimumTcb::NotChecked, true) => (
                format!("rule `{}` does not check the minimum TCB that `{product}` has", rule.id),
                format!(
                    "remove `minimum_tcb = \"{}\"` from the rule, or `[minimum_tcb.{product}]`",
                    MinimumTcb::NotChecked.name()
                ),
            ),
        };
        return Err(PolicyError::at(&rule.place, message).hint(hint));
    }
    Ok(())
}
