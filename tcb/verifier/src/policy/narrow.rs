// SPDX-License-Identifier: Apache-2.0

//! That a policy which extends another one accepts nothing that the other does not.
//!
//! Each entry is compared with the one that it replaces. What cannot be compared, such as the name of a reference value
//! with a digest, counts as wider: a narrower policy is one of which it can be seen.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt::Display;

use super::error::PolicyError;
use super::intel::{Advisories, Intel, Signer, TcbInfo};
use super::model::{
    Crl, DigestAlgorithm, Measurement, MinimumTcb, SimulatedRoot, Switch, TcbKind, Vocabulary,
};
use super::rule::AllowRule;
use super::{Policy, analysis, registers};

/// Compares a policy with the one that it extends. Rules that deny are not in it yet.
pub(super) fn check(base: &Policy, policy: &Policy) -> Result<(), PolicyError> {
    let wide = Narrowed { policy };
    wide.unless("on_refusal", policy.on_refusal >= base.on_refusal, base.on_refusal)?;
    wide.within("keep.measurements", &policy.measurements, &base.measurements, measurement)?;
    registers(base, policy, &wide)?;
    wide.within("simulated.roots", &policy.simulated_roots, &base.simulated_roots, root)?;
    rules(base, policy)?;
    floors(base, policy, &wide)?;
    guest(base, policy, &wide)?;
    intel(&base.intel, &policy.intel, &wide)?;
    wide.within("cca.software", &policy.cca.software, &base.cca.software, measurement)?;
    wide.within("cca.signers", &policy.cca.signers, &base.cca.signers, measurement)?;
    wide.switch("tpm.sha1", policy.tpm.sha1, base.tpm.sha1)?;
    wide.some_of("workload.digests", &policy.workload.digests, &base.workload.digests, sha256)?;
    wide.some_of("workload.owners", &policy.workload.owners, &base.workload.owners, |owner| {
        hex::encode(owner)
    })?;
    collateral(base, policy, &wide)
}

/// A policy of which it is shown where it is wider.
struct Narrowed<'p> {
    policy: &'p Policy,
}

impl Narrowed<'_> {
    fn error(&self, path: &str, message: impl Into<String>) -> PolicyError {
        PolicyError::at(&analysis::place_of(self.policy, path), message)
    }

    /// The error that an entry is wider, unless it is not.
    #[allow(clippy::needless_pass_by_value, reason = "most callers make the text for this call")]
    fn unless(&self, path: &str, narrower: bool, base: impl Display) -> Result<(), PolicyError> {
        if narrower {
            return Ok(());
        }
        let message = format!("`{path}` is wider than in the policy that is extended");
        Err(self.error(path, message).hint(format!("there it is {base}")))
    }

    fn switch(&self, path: &str, mine: Switch, base: Switch) -> Result<(), PolicyError> {
        self.unless(path, mine == base || mine == Switch::Refuse, format!("`{base}`"))
    }

    #[allow(clippy::needless_pass_by_value, reason = "numbers and dates")]
    fn at_least<T: Ord + Display>(&self, path: &str, mine: T, base: T) -> Result<(), PolicyError> {
        self.unless(path, mine >= base, base)
    }

    #[allow(clippy::needless_pass_by_value, reason = "numbers and dates")]
    fn at_most<T: Ord + Display>(&self, path: &str, mine: T, base: T) -> Result<(), PolicyError> {
        self.unless(path, mine <= base, base)
    }

    fn within<T: Ord>(
        &self,
        path: &str,
        mine: &BTreeSet<T>,
        base: &BTreeSet<T>,
        name: impl Fn(&T) -> String,
    ) -> Result<(), PolicyError> {
        let Some(more) = mine.difference(base).next() else { return Ok(()) };
        let message =
            format!("`{path}` accepts `{}`, which the policy that is extended does not", name(more));
        Err(self.error(path, message).hint("a policy that extends another one can only narrow it"))
    }

    /// The same of a set that asks for nothing when it is empty.
    fn some_of<T: Ord>(
        &self,
        path: &str,
        mine: &BTreeSet<T>,
        base: &BTreeSet<T>,
        name: impl Fn(&T) -> String,
    ) -> Result<(), PolicyError> {
        if base.is_empty() {
            return Ok(());
        }
        self.unless(path, !mine.is_empty(), "a list that is not empty")?;
        self.within(path, mine, base, name)
    }
}

/// Each register of each kind of TEE accepts no more, whether in a table of that TEE or for all.
fn registers(base: &Policy, policy: &Policy, wide: &Narrowed<'_>) -> Result<(), PolicyError> {
    let none = BTreeSet::new();
    for (tee, name) in registers::all() {
        let (path, mine) = registers::find(&policy.registers, tee, name);
        let (lost, theirs) = registers::find(&base.registers, tee, name);
        match (mine, theirs) {
            (Some(mine), theirs) => {
                let path = format!("keep.registers.{path}");
                wide.within(&path, mine, theirs.unwrap_or(&none), measurement)?;
            }
            // One that is left out has to be zero, which the other may not accept.
            (None, Some(_)) => {
                let message =
                    format!("`{lost}` is not among the registers, which the policy that is extended names");
                return Err(wide
                    .error("keep.registers", message)
                    .hint("name its values, or leave all registers to it"));
            }
            (None, None) => {}
        }
    }
    Ok(())
}

/// Every rule that allows is within one of the other policy, and no rule that denies takes the name of one there.
fn rules(base: &Policy, policy: &Policy) -> Result<(), PolicyError> {
    for rule in policy.allow.values() {
        // Rules that stay need no search, which among thousands would be long.
        let same = base.allow.get(&rule.id).is_some_and(|theirs| covers(theirs, rule));
        if !same && !base.allow.values().any(|theirs| covers(theirs, rule)) {
            let message =
                format!("rule `{}` allows more than any rule of the policy that is extended", rule.id);
            return Err(PolicyError::at(&rule.place, message)
                .hint("one rule there must allow all that it allows, with no more checks and for as long"));
        }
    }
    for (id, rule) in &policy.deny {
        if let Some(theirs) = base.deny.get(id) {
            let message = format!("rule `{id}` has the id of a rule of the policy that is extended");
            return Err(PolicyError::at(&rule.place, message)
                .hint(format!("that one ({}) denies here, too; give this one another id", theirs.place)));
        }
    }
    Ok(())
}

fn covers(theirs: &AllowRule, mine: &AllowRule) -> bool {
    let as_long = match (mine.expires, theirs.expires) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(mine), Some(theirs)) => mine <= theirs,
    };
    let checked = mine.minimum_tcb == MinimumTcb::Checked || theirs.minimum_tcb == MinimumTcb::NotChecked;
    as_long && checked && mine.platforms.is_within(&theirs.platforms)
}

fn floors(base: &Policy, policy: &Policy, wide: &Narrowed<'_>) -> Result<(), PolicyError> {
    for (product, theirs) in &base.minimum_tcb {
        let path = format!("minimum_tcb.{product}");
        let Some(mine) = policy.minimum_tcb.get(product) else { continue };
        for &kind in TcbKind::ALL {
            let (mine, theirs) = (mine.of(kind), theirs.of(kind));
            wide.unless(&path, mine.at_least(theirs), format!("at least {theirs} for the {kind} TCB"))?;
        }
    }
    Ok(())
}

fn guest(base: &Policy, policy: &Policy, wide: &Narrowed<'_>) -> Result<(), PolicyError> {
    let (mine, theirs) = (&policy.guest, &base.guest);
    for ((key, mine), (_, theirs)) in mine.switches().into_iter().zip(theirs.switches()) {
        wide.switch(&format!("guest.{key}"), mine, theirs)?;
    }
    wide.within("guest.vmpl", &mine.vmpl, &theirs.vmpl, u8::to_string)?;
    // Keys that are named count only where others are refused.
    if theirs.launch_keys == Switch::Refuse {
        wide.within("snp.id_keys", &policy.snp.id_keys, &base.snp.id_keys, sha384)?;
        wide.within("snp.author_keys", &policy.snp.author_keys, &base.snp.author_keys, sha384)?;
    }
    Ok(())
}

fn intel(base: &Intel, policy: &Intel, wide: &Narrowed<'_>) -> Result<(), PolicyError> {
    wide.within("intel.tcb_status", &policy.tcb_status, &base.tcb_status, |status| status.name().into())?;
    let (mine, theirs) = (policy.out_of_date_accepted_for_days, base.out_of_date_accepted_for_days);
    wide.at_most("intel.out_of_date_accepted_for_days", mine, theirs)?;
    let checked = policy.advisories == Advisories::Checked || base.advisories == Advisories::NotChecked;
    wide.unless("intel.advisories", checked, format!("`{}`", base.advisories))?;
    if base.advisories == Advisories::Checked {
        let (mine, theirs) = (&policy.advisories_accepted, &base.advisories_accepted);
        wide.within("intel.advisories_accepted", mine, theirs, String::clone)?;
    }
    let path = "intel.minimum_tcb_evaluation_data_number";
    let (mine, theirs) = (policy.minimum_tcb_evaluation_data_number, base.minimum_tcb_evaluation_data_number);
    wide.at_least(path, mine, theirs)?;
    wide.at_least("intel.minimum_tcb_date", policy.minimum_tcb_date, base.minimum_tcb_date)?;
    wide.at_least("intel.minimum_pce_svn", policy.minimum_pce_svn, base.minimum_pce_svn)?;
    wide.at_least("intel.minimum_qe_svn", policy.minimum_qe_svn, base.minimum_qe_svn)?;
    let (version, svn) = base.minimum_tdx_module;
    let narrower = policy.minimum_tdx_module >= base.minimum_tdx_module;
    wide.unless("intel.minimum_tdx_module", narrower, format!("version {version} with svn {svn}"))?;
    wide.switch("intel.sept_ve_enabled", policy.sept_ve_enabled, base.sept_ve_enabled)?;
    let (mine, theirs) = (&policy.td_attributes, &base.td_attributes);
    wide.within("intel.td_attributes", mine, theirs, ToString::to_string)?;
    let (mine, theirs) = (&policy.extended_states, &base.extended_states);
    wide.within("intel.extended_states", mine, theirs, ToString::to_string)?;
    wide.within("intel.service_tds", &policy.service_tds, &base.service_tds, sha384)?;
    wide.some_of("intel.tdx_modules", &policy.tdx_modules, &base.tdx_modules, sha384)?;
    let (mine, theirs) = (&policy.tdx_module_signers, &base.tdx_module_signers);
    wide.some_of("intel.tdx_module_signers", mine, theirs, sha384)?;
    let covers = |mine: &Signer, theirs: &Signer| {
        (mine.mr_signer, mine.isv_prod_id) == (theirs.mr_signer, theirs.isv_prod_id)
            && mine.minimum_isv_svn >= theirs.minimum_isv_svn
    };
    let covered =
        |mine: &Signer| base.signers.contains(mine) || base.signers.iter().any(|theirs| covers(mine, theirs));
    wide.unless("intel.signer", policy.signers.iter().all(covered), "as the policy that is extended says")
}

fn collateral(base: &Policy, policy: &Policy, wide: &Narrowed<'_>) -> Result<(), PolicyError> {
    let (mine, theirs) = (&policy.collateral, &base.collateral);
    let narrower = mine.crl == Crl::Required || theirs.crl == Crl::AbsentAccepted;
    wide.unless("collateral.crl", narrower, format!("`{}`", theirs.crl))?;
    let narrower = mine.tcb_info == TcbInfo::Required || theirs.tcb_info == TcbInfo::AbsentAccepted;
    wide.unless("collateral.tcb_info", narrower, format!("`{}`", theirs.tcb_info))?;
    let (mine, theirs) = (mine.freshness, theirs.freshness);
    let age = |days: Option<u32>| days.unwrap_or(u32::MAX);
    let (my_age, their_age) = (age(mine.maximum_age_days), age(theirs.maximum_age_days));
    wide.at_most("collateral.maximum_age_days", my_age, their_age)?;
    let path = "collateral.expired_accepted_for_days";
    wide.at_most(path, mine.expired_accepted_for_days, theirs.expired_accepted_for_days)
}

fn measurement(measurement: &Measurement) -> String {
    match measurement {
        Measurement::Reference(name) => name.clone(),
        Measurement::Digest { algorithm, digest } => format!("{algorithm}:{}", hex::encode(digest)),
    }
}

fn root(root: &SimulatedRoot) -> String {
    match root {
        SimulatedRoot::Named(name) => name.clone(),
        SimulatedRoot::Sha256(digest) => sha256(digest),
    }
}

fn sha256(digest: &[u8; 32]) -> String {
    format!("{}:{}", DigestAlgorithm::Sha256, hex::encode(digest))
}

fn sha384(digest: &[u8; 48]) -> String {
    format!("{}:{}", DigestAlgorithm::Sha384, hex::encode(digest))
}
