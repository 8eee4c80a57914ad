// SPDX-License-Identifier: Apache-2.0

//! What a policy says in vain, or will soon: it does not make the policy wrong, but somebody should look at it. What
//! would weaken trust unnoticed is an error when the policy is read, and not here.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use super::intel::{ExtendedState, TdAttribute};
use super::model::{MinimumTcb, Switch, Vocabulary};
use super::place::Place;
use super::rule::{AllowRule, Matcher};
use super::{MAX_VMPL, Policy, analysis};
use crate::UnixTime;

/// Something in a policy that somebody should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Where it stands.
    pub place: Place,
    /// What it is.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl Serialize for Notice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Notice", 5)?;
        fields.serialize_field("file", &self.place.file())?;
        fields.serialize_field("line", &self.place.line())?;
        fields.serialize_field("column", &self.place.column())?;
        fields.serialize_field("message", &self.message)?;
        fields.serialize_field("hint", &self.hint)?;
        fields.end()
    }
}

/// Everything to look at, in the order in which it stands.
pub(super) fn all(policy: &Policy, now: UnixTime) -> Vec<Notice> {
    let mut notices = Vec::new();
    dates(policy, now, &mut notices);
    in_vain(policy, &mut notices);
    always(policy, &mut notices);
    notices.sort_by(|one, other| {
        let key = |notice: &Notice| (notice.place.file().map(String::from), notice.place.offset());
        key(one).cmp(&key(other))
    });
    notices
}

/// Dates that have passed, or can never be met.
fn dates(policy: &Policy, now: UnixTime, notices: &mut Vec<Notice>) {
    for rule in policy.allow_rules() {
        if let Some(end) = rule.expires.filter(|_| !rule.is_valid(now)) {
            notices.push(Notice {
                place: rule.place.clone(),
                message: format!("rule `{}` expired on {} and allows nothing", rule.id, day(end)),
                hint: String::from("remove it, or decide anew and write a later date"),
            });
        }
    }
    for rule in policy.deny_rules() {
        if let Some(end) = rule.expires.filter(|end| *end <= now) {
            notices.push(Notice {
                place: rule.place.clone(),
                message: format!("rule `{}` was to be looked at by {} and still denies", rule.id, day(end)),
                hint: String::from(
                    "a rule that denies does so until it is removed: remove it, or write a later date",
                ),
            });
        }
    }
    let date = policy.intel.minimum_tcb_date;
    if date > now {
        notices.push(Notice {
            place: analysis::place_of(policy, "intel.minimum_tcb_date"),
            message: format!("no platform of Intel's is acceptable before {}", day(date)),
            hint: String::from("write a date that has passed"),
        });
    }
}

/// Rules and entries that change nothing.
fn in_vain(policy: &Policy, notices: &mut Vec<Notice>) {
    // A rule that names no feature and does not expire makes the narrower ones needless.
    let general = |rule: &&AllowRule| rule.platforms.features.is_empty() && rule.expires.is_none();
    let general = policy.allow_rules().filter(general).take(MAX_COMPARED).collect::<Vec<_>>();
    for rule in policy.allow_rules() {
        let same_check = |other: &AllowRule| {
            other.minimum_tcb == rule.minimum_tcb || rule.minimum_tcb == MinimumTcb::Checked
        };
        let other = general.iter().find(|other| {
            other.id != rule.id && same_check(other) && is_narrower(&rule.platforms, &other.platforms)
        });
        if let Some(other) = other {
            notices.push(Notice {
                place: rule.place.clone(),
                message: format!("rule `{}` adds nothing: rule `{}` allows all of it", rule.id, other.id),
                hint: String::from("remove it, or narrow the other one"),
            });
        }
    }
    let named = !policy.snp.id_keys.is_empty() || !policy.snp.author_keys.is_empty();
    if named && policy.guest.launch_keys == Switch::Accept {
        notices.push(Notice {
            place: analysis::place_of(policy, "snp"),
            message: String::from("`snp` names keys, but `guest.launch_keys` accepts any"),
            hint: String::from("write `launch_keys = \"refuse\"` under `[guest]` to accept no other keys"),
        });
    }
}

/// How many general rules each rule is compared with.
const MAX_COMPARED: usize = 64;

fn is_narrower(one: &Matcher, other: &Matcher) -> bool {
    one != other && one.is_within(other)
}

/// Checks that nothing can fail.
fn always(policy: &Policy, notices: &mut Vec<Notice>) {
    let mut always = |path: &str, what: &str, hint: &str| {
        if policy.places.contains_key(path) {
            notices.push(Notice {
                place: analysis::place_of(policy, path),
                message: format!("`{path}` accepts {what}"),
                hint: String::from(hint),
            });
        }
    };
    if policy.guest.vmpl.len() > usize::from(MAX_VMPL) {
        always("guest.vmpl", "every privilege level", "level 0 alone speaks for the whole Keep");
    }
    let statuses = enarx_evidence::dcap::TcbStatus::ALL.len().saturating_sub(1);
    if policy.intel.tcb_status.len() == statuses {
        let hint = "name those that you mean; what Intel thinks does not matter so";
        always("intel.tcb_status", "every status but `Revoked`", hint);
    }
    if policy.intel.td_attributes.len() == TdAttribute::ALL.len() {
        always("intel.td_attributes", "every attribute", "this is the default: remove it, or name fewer");
    }
    if policy.intel.extended_states.len() == ExtendedState::ALL.len() {
        always("intel.extended_states", "every state", "this is the default: remove it, or name fewer");
    }
}

/// A time as the day that it is in a policy.
pub(crate) fn day(time: UnixTime) -> String {
    let text = format!("{time}");
    text.split_once('T').map_or(text.clone(), |(day, _)| String::from(day))
}
