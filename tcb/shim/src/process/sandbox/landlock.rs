// SPDX-License-Identifier: Apache-2.0

//! Landlock: no right to any file, any TCP port, any abstract unix socket, any process outside.

use std::borrow::Cow;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, LandlockStatus, RestrictionStatus, Ruleset,
    RulesetAttr, RulesetError, RulesetStatus, Scope,
};

/// The newest version with everything that is asked for here. An older kernel enforces what it knows.
const NEWEST: ABI = ABI::V6;

/// Denies everything that this kernel can deny, for good.
pub fn deny_all() -> Result<Cow<'static, str>, String> {
    let status = restrict().map_err(|error| error.to_string())?;
    let LandlockStatus::Available { effective_abi, .. } = status.landlock else {
        return Err(String::from("the kernel does not offer Landlock"));
    };
    match status.ruleset {
        RulesetStatus::FullyEnforced => Ok(Cow::Borrowed("files, TCP, abstract unix sockets, signals")),
        RulesetStatus::PartiallyEnforced => {
            Ok(Cow::Owned(format!("only what version {} of the interface covers", effective_abi as i32)))
        }
        RulesetStatus::NotEnforced => Err(String::from("the kernel does not enforce it")),
    }
}

fn restrict() -> Result<RestrictionStatus, RulesetError> {
    Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .restrict_self()
}
