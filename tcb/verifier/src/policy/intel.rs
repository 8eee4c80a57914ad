// SPDX-License-Identifier: Apache-2.0

//! The section `[intel]` of a policy: what is asked of SGX and TDX beside what is asked of every platform.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;

use enarx_evidence::dcap::{Family, TcbStatus};

use super::error::PolicyError;
use super::model::{Product, Switch, Vocabulary};
use super::parse::{digest, distinct};
use super::reader::{At, Table};
use crate::UnixTime;

vocabulary! {
    /// What is asked of Intel's TCB info and identities of quoting enclaves.
    TcbInfo {
        /// A missing or expired document refuses.
        Required = "required",
        /// Without them nobody knows whether firmware is safe and the quoting enclave Intel's. A document that is
        /// there is checked.
        AbsentAccepted = "absent-accepted",
    }
}

vocabulary! {
    /// What is asked of the advisories that concern a platform.
    Advisories {
        /// One that the policy does not name refuses.
        Checked = "checked",
        /// A platform may be vulnerable to anything, as far as its status allows.
        NotChecked = "not-checked",
    }
}

impl Vocabulary for TcbStatus {
    const ALL: &'static [Self] = &Self::ALL;

    fn name(self) -> &'static str {
        Self::name(self)
    }
}

/// What is asked of platforms of Intel's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intel {
    /// Acceptable statuses; never empty.
    pub tcb_status: BTreeSet<TcbStatus>,
    /// Whether advisories count.
    pub advisories: Advisories,
    /// Advisories that a platform may be vulnerable to.
    pub advisories_accepted: BTreeSet<String>,
    /// The least evaluation data number of TCB info and identity; 0 is any.
    pub minimum_tcb_evaluation_data_number: u32,
    /// The earliest date of the levels that platform, module and quoting enclave reach; 1970 is any.
    pub minimum_tcb_date: UnixTime,
    /// The host may inject exceptions into a TD by taking its pages away.
    pub sept_ve_enabled: Switch,
    /// `MRSERVICETD` of TDs with service TDs that are acceptable; empty accepts none.
    pub service_tds: BTreeSet<[u8; 48]>,
    /// `MRSEAM` of TDX modules that are acceptable; empty accepts each of Intel's.
    pub tdx_modules: BTreeSet<[u8; 48]>,
    /// SGX enclaves that are acceptable by who signed them.
    pub signers: BTreeSet<Signer>,
}

/// Enclaves of one product of one signer, from a version on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Signer {
    /// `MRSIGNER`.
    pub mr_signer: [u8; 32],
    /// `ISVPRODID`.
    pub isv_prod_id: u16,
    /// The least `ISVSVN`.
    pub minimum_isv_svn: u16,
}

impl Default for Intel {
    fn default() -> Self {
        Self {
            tcb_status: BTreeSet::from([TcbStatus::UpToDate]),
            advisories: Advisories::Checked,
            advisories_accepted: BTreeSet::new(),
            minimum_tcb_evaluation_data_number: 0,
            minimum_tcb_date: UnixTime(0),
            sept_ve_enabled: Switch::Refuse,
            service_tds: BTreeSet::new(),
            tdx_modules: BTreeSet::new(),
            signers: BTreeSet::new(),
        }
    }
}

impl From<Family> for Product {
    fn from(family: Family) -> Self {
        match family {
            Family::CoffeeLake => Self::CoffeeLake,
            Family::GeminiLake => Self::GeminiLake,
            Family::IceLake => Self::IceLake,
            Family::IceLakeSp => Self::IceLakeSp,
            Family::RocketLake => Self::RocketLake,
            Family::SapphireRapids => Self::SapphireRapids,
            Family::EmeraldRapids => Self::EmeraldRapids,
            Family::GraniteRapids => Self::GraniteRapids,
            Family::SierraForest => Self::SierraForest,
        }
    }
}

const KEYS: &[&str] = &[
    "tcb_status",
    "advisories",
    "advisories_accepted",
    "minimum_tcb_evaluation_data_number",
    "minimum_tcb_date",
    "sept_ve_enabled",
    "service_tds",
    "tdx_modules",
    "signer",
];

const SIGNER_KEYS: &[&str] = &["mr_signer", "isv_prod_id", "minimum_isv_svn"];

/// Reads the section.
pub(super) fn read(root: &Table<'_>) -> Result<Intel, PolicyError> {
    let safe = Intel::default();
    let Some(table) = root.section("intel", KEYS)? else { return Ok(safe) };
    let accepted = table.texts("advisories_accepted")?.unwrap_or_default();
    let number = table.wide_number("minimum_tcb_evaluation_data_number", u32::MAX)?;
    let intel = Intel {
        tcb_status: statuses(&table)?.unwrap_or(safe.tcb_status),
        advisories: table.word("advisories")?.unwrap_or(safe.advisories),
        advisories_accepted: accepted.into_iter().map(|text| text.value.to_owned()).collect(),
        minimum_tcb_evaluation_data_number: number.unwrap_or(safe.minimum_tcb_evaluation_data_number),
        minimum_tcb_date: date(&table)?.unwrap_or(safe.minimum_tcb_date),
        sept_ve_enabled: table.word("sept_ve_enabled")?.unwrap_or(safe.sept_ve_enabled),
        service_tds: digests(&table, "service_tds")?,
        tdx_modules: digests(&table, "tdx_modules")?,
        signers: table.sections("signer", SIGNER_KEYS)?.iter().map(signer).collect::<Result<_, _>>()?,
    };
    if intel.advisories == Advisories::NotChecked && !intel.advisories_accepted.is_empty() {
        let message = "`intel.advisories_accepted` names some, but advisories are not checked";
        let error = table.error(table.offset_of("advisories_accepted"), message);
        return Err(error.hint("remove one of the two"));
    }
    Ok(intel)
}

fn statuses(table: &Table<'_>) -> Result<Option<BTreeSet<TcbStatus>>, PolicyError> {
    let Some(statuses) = table.words::<TcbStatus>("tcb_status")? else { return Ok(None) };
    let offset = table.offset_of("tcb_status");
    if statuses.is_empty() {
        let message = "`intel.tcb_status` is empty, so no platform is acceptable";
        return Err(table.error(offset, message).hint("write `tcb_status = [\"UpToDate\"]`"));
    }
    if statuses.contains(&TcbStatus::Revoked) {
        let message = "`Revoked` cannot be accepted: what such a platform says proves nothing";
        return Err(table.error(offset, message).hint("remove `Revoked`"));
    }
    Ok(Some(statuses.into_iter().collect()))
}

/// A day, from its first second on.
fn date(table: &Table<'_>) -> Result<Option<UnixTime>, PolicyError> {
    let Some(text) = table.text("minimum_tcb_date")? else { return Ok(None) };
    let date = format!("{}T00:00:00Z", text.value).parse::<der::DateTime>();
    let date = date.map(|date| Some(UnixTime(date.unix_duration().as_secs())));
    date.map_err(|_| {
        let error = table.error(text.offset, format!("`{}` is not a date", text.value));
        error.hint("write it as `2024-03-13`")
    })
}

fn digests(table: &Table<'_>, key: &str) -> Result<BTreeSet<[u8; 48]>, PolicyError> {
    let texts = table.texts(key)?.unwrap_or_default();
    distinct(table, &texts, |text| prefixed(table, text, "sha384:"))
}

fn prefixed<const N: usize>(table: &Table<'_>, text: At<&str>, prefix: &str) -> Result<[u8; N], PolicyError> {
    let digits = text.value.strip_prefix(prefix).ok_or_else(|| {
        let error = table.error(text.offset, format!("`{}` does not begin with `{prefix}`", text.value));
        let count = N.saturating_mul(2);
        error.hint(format!("write `{prefix}` and {count} hexadecimal digits"))
    })?;
    digest(table, text, digits)
}

fn signer(table: &Table<'_>) -> Result<Signer, PolicyError> {
    let text = table.text("mr_signer")?.ok_or_else(|| table.missing("mr_signer"))?;
    let number = |key, hint: &str| {
        let number = table.wide_number(key, u16::MAX.into())?.and_then(|number| u16::try_from(number).ok());
        number.ok_or_else(|| table.missing(key).hint(hint))
    };
    Ok(Signer {
        mr_signer: prefixed(table, text, "sha256:")?,
        isv_prod_id: number("isv_prod_id", "a signer may have many products: name the one that you trust")?,
        minimum_isv_svn: number(
            "minimum_isv_svn",
            "write `minimum_isv_svn = 0` if any version is acceptable",
        )?,
    })
}
