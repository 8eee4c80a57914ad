// SPDX-License-Identifier: Apache-2.0

//! What no single rule shows: contradictions between rules, rules without effect, missing floors.
//!
//! All of these are errors and not warnings, since a policy that does not do what it seems to say is
//! a policy that trusts something its author believes refused, or the other way round.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;

use enarx_evidence::snp::TcbVersion;

use super::error::PolicyError;
use super::model::{AllowRule, DenyRule, Matcher, MinimumTcb, Product, Tee, Vocabulary};
use super::reader::Table;

/// A rule and where it stands.
pub(super) struct Placed<R> {
    pub(super) rule: R,
    pub(super) offset: usize,
    pub(super) id_offset: usize,
}

pub(super) fn check(
    root: &Table<'_>,
    allow: &[Placed<AllowRule>],
    deny: &[Placed<DenyRule>],
    minimum_tcb: &BTreeMap<Product, TcbVersion>,
) -> Result<(), PolicyError> {
    if allow.is_empty() {
        return Err(root
            .error(root.offset, "no rule allows anything, so the policy accepts nothing")
            .hint("write an `[[allow]]` rule; `enarx policy new` shows one"));
    }
    distinct_ids(root, allow, deny)?;
    distinct_matchers(
        root,
        allow.iter().map(|placed| (&*placed.rule.id, &placed.rule.platforms, placed.offset)),
    )?;
    distinct_matchers(
        root,
        deny.iter().map(|placed| (&*placed.rule.id, &placed.rule.platforms, placed.offset)),
    )?;
    let denied = first_denials(deny);
    for placed in allow {
        can_match(root, placed, deny, &denied)?;
        has_floors(root, placed, &denied, minimum_tcb)?;
    }
    Ok(())
}

fn distinct_ids(
    root: &Table<'_>,
    allow: &[Placed<AllowRule>],
    deny: &[Placed<DenyRule>],
) -> Result<(), PolicyError> {
    let allow = allow.iter().map(|placed| (&placed.rule.id, placed.id_offset));
    let deny = deny.iter().map(|placed| (&placed.rule.id, placed.id_offset));
    let mut ids = alloc::collections::BTreeSet::new();
    for (id, offset) in allow.chain(deny) {
        if !ids.insert(id) {
            let message = format!("there is another rule with the id `{id}`");
            return Err(root.error(offset, message).hint("give each rule an id of its own"));
        }
    }
    Ok(())
}

fn distinct_matchers<'r>(
    root: &Table<'_>,
    rules: impl Iterator<Item = (&'r str, &'r Matcher, usize)>,
) -> Result<(), PolicyError> {
    let mut seen: BTreeMap<&Matcher, &str> = BTreeMap::new();
    for (id, matcher, offset) in rules {
        if let Some(first) = seen.insert(matcher, id) {
            let message = format!("rule `{id}` is about the same platforms as rule `{first}`");
            return Err(root.error(offset, message).hint("remove one of them"));
        }
    }
    Ok(())
}

/// For each platform the first rule that denies it.
fn first_denials(deny: &[Placed<DenyRule>]) -> BTreeMap<(Tee, Product), &str> {
    let mut denials = BTreeMap::new();
    for placed in deny {
        for platform in placed.rule.platforms.platforms() {
            denials.entry(platform).or_insert(placed.rule.id.as_str());
        }
    }
    denials
}

fn can_match(
    root: &Table<'_>,
    placed: &Placed<AllowRule>,
    deny: &[Placed<DenyRule>],
    denied: &BTreeMap<(Tee, Product), &str>,
) -> Result<(), PolicyError> {
    let rule = &placed.rule;
    if let Some(opposite) = deny.iter().find(|deny| deny.rule.platforms == rule.platforms) {
        let message = format!("rule `{}` allows exactly what rule `{}` denies", rule.id, opposite.rule.id);
        return Err(root.error(placed.offset, message).hint("remove one of them; a deny always wins"));
    }
    if rule.platforms.platforms().all(|platform| denied.contains_key(&platform)) {
        let mut by: alloc::vec::Vec<&str> =
            rule.platforms.platforms().filter_map(|platform| denied.get(&platform).copied()).collect();
        by.sort_unstable();
        by.dedup();
        let message = format!(
            "rule `{}` can never match: all it allows is denied by {}",
            rule.id,
            super::error::quoted(&by)
        );
        return Err(root.error(placed.offset, message).hint("remove the rule, or narrow what is denied"));
    }
    Ok(())
}

fn has_floors(
    root: &Table<'_>,
    placed: &Placed<AllowRule>,
    denied: &BTreeMap<(Tee, Product), &str>,
    minimum_tcb: &BTreeMap<Product, TcbVersion>,
) -> Result<(), PolicyError> {
    let rule = &placed.rule;
    for (tee, product) in rule.platforms.platforms().filter(|(_, product)| product.has_minimum_tcb()) {
        let (message, hint): (String, String) = match (rule.minimum_tcb, minimum_tcb.contains_key(&product)) {
            (MinimumTcb::Checked, true) | (MinimumTcb::NotChecked, false) => continue,
            (MinimumTcb::Checked, false) if denied.contains_key(&(tee, product)) => continue,
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
        return Err(root.error(placed.offset, message).hint(hint));
    }
    Ok(())
}
