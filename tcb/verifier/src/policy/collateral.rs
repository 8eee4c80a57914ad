// SPDX-License-Identifier: Apache-2.0

//! The section `[collateral]` of a policy: what vendors must say about their hardware, and how lately.

use super::error::PolicyError;
use super::intel::TcbInfo;
use super::model::Crl;
use super::reader::Table;

/// What is asked of what vendors say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collateral {
    /// Whether revocation lists are needed.
    pub crl: Crl,
    /// Whether Intel's documents are needed.
    pub tcb_info: TcbInfo,
    /// How old and how long expired lists and documents may be.
    pub freshness: Freshness,
}

/// How old and how long expired lists and documents may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Freshness {
    /// How many days after it was made a list or document is believed; `None`: until it expires.
    pub maximum_age_days: Option<u32>,
    /// How many days after it expired it is believed nevertheless. What the vendor took back since is not known then.
    pub expired_accepted_for_days: u32,
}

impl Freshness {
    const DAY: u64 = 24 * 60 * 60;

    /// Until when something that expires then is believed.
    pub(crate) fn until(self, expires: u64) -> u64 {
        expires.saturating_add(u64::from(self.expired_accepted_for_days).saturating_mul(Self::DAY))
    }

    /// From when on something that was made then is too old.
    pub(crate) fn too_old(self, made: u64) -> Option<u64> {
        self.maximum_age_days.map(|days| made.saturating_add(u64::from(days).saturating_mul(Self::DAY)))
    }
}

impl Default for Collateral {
    fn default() -> Self {
        Self { crl: Crl::Required, tcb_info: TcbInfo::Required, freshness: Freshness::default() }
    }
}

/// Reads the section; what it does not say is as in `inherited`.
pub(super) fn read(root: &Table<'_>, inherited: Collateral) -> Result<Collateral, PolicyError> {
    let Some(table) = root.section("collateral")? else { return Ok(inherited) };
    let maximum_age_days = table.wide_number("maximum_age_days")?;
    if maximum_age_days == Some(0) {
        let message = "`collateral.maximum_age_days` is 0, so nothing that a vendor says is acceptable";
        let error = table.error(table.offset_of("maximum_age_days"), message);
        return Err(error.hint("write 1 for what was made within a day"));
    }
    let expired = table.wide_number("expired_accepted_for_days")?;
    let freshness = inherited.freshness;
    Ok(Collateral {
        crl: table.word("crl")?.unwrap_or(inherited.crl),
        tcb_info: table.word("tcb_info")?.unwrap_or(inherited.tcb_info),
        freshness: Freshness {
            maximum_age_days: maximum_age_days.or(freshness.maximum_age_days),
            expired_accepted_for_days: expired.unwrap_or(freshness.expired_accepted_for_days),
        },
    })
}
