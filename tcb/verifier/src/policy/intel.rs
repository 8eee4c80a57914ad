// SPDX-License-Identifier: Apache-2.0

//! The section `[intel]` of a policy: what is asked of SGX and TDX beside what is asked of every platform.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;

use enarx_evidence::dcap::{Family, TcbStatus, TdAttributes, Xfam};

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

vocabulary! {
    /// An attribute of a TD that a policy may accept or not. Others have switches of their own.
    TdAttribute {
        /// `ICSSD`: infrequent checks of single-step defence.
        Icssd = "icssd",
        /// `LASS`: linear address space separation.
        Lass = "lass",
        /// `PKS`: supervisor protection keys.
        Pks = "pks",
        /// `KL`: Key Locker.
        KeyLocker = "key-locker",
        /// `TPA`: the TD is a TDX provisioning agent.
        Tpa = "tpa",
        /// `PERFMON`: performance monitoring.
        Perfmon = "perfmon",
    }
}

impl TdAttribute {
    /// Whether a TD has the attribute.
    pub fn is_in(self, attributes: TdAttributes) -> bool {
        match self {
            Self::Icssd => attributes.icssd(),
            Self::Lass => attributes.lass(),
            Self::Pks => attributes.pks(),
            Self::KeyLocker => attributes.key_locker(),
            Self::Tpa => attributes.tpa(),
            Self::Perfmon => attributes.perfmon(),
        }
    }
}

vocabulary! {
    /// A processor state beside x87 and SSE that may be on in a TD (XFAM) or an enclave (XFRM): SDM, volume 1,
    /// section 13.1.
    ExtendedState {
        /// AVX.
        Avx = "avx",
        /// MPX.
        Mpx = "mpx",
        /// AVX-512.
        Avx512 = "avx512",
        /// Processor trace.
        ProcessorTrace = "processor-trace",
        /// Protection keys for user pages.
        Pku = "pku",
        /// PASID.
        Pasid = "pasid",
        /// Control-flow enforcement.
        Cet = "cet",
        /// User interrupts.
        UserInterrupts = "user-interrupts",
        /// Last branch records.
        Lbr = "lbr",
        /// AMX.
        Amx = "amx",
        /// APX.
        Apx = "apx",
    }
}

impl ExtendedState {
    /// Whether any part of the state is on.
    pub fn is_in(self, states: Xfam) -> bool {
        let bits = match self {
            Self::Avx => 1 << 2,
            Self::Mpx => 0b11 << 3,
            Self::Avx512 => 0b111 << 5,
            Self::ProcessorTrace => 1 << 8,
            Self::Pku => 1 << 9,
            Self::Pasid => 1 << 10,
            Self::Cet => 0b11 << 11,
            Self::UserInterrupts => 1 << 14,
            Self::Lbr => 1 << 15,
            Self::Amx => 0b11 << 17,
            Self::Apx => 1 << 19,
        };
        states.0 & bits != 0
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
    /// For how many days after Intel published levels that a platform does not reach its being out of date does not
    /// count; 0 is none.
    pub out_of_date_accepted_for_days: u32,
    /// Whether advisories count.
    pub advisories: Advisories,
    /// Advisories that a platform may be vulnerable to.
    pub advisories_accepted: BTreeSet<String>,
    /// Advisories that refuse, whatever accepts them.
    pub advisories_refused: BTreeSet<String>,
    /// The least evaluation data number of TCB info and identity; 0 is any.
    pub minimum_tcb_evaluation_data_number: u32,
    /// The earliest date of the levels that platform, module and quoting enclave reach; 1970 is any.
    pub minimum_tcb_date: UnixTime,
    /// The least `PCESVN`.
    pub minimum_pce_svn: u16,
    /// The least `ISVSVN` of the quoting enclave.
    pub minimum_qe_svn: u16,
    /// The least major version of the TDX module, and the least security version of that: `TEE_TCB_SVN`, bytes 1 and 0.
    pub minimum_tdx_module: (u8, u8),
    /// Attributes that TDs may have.
    pub td_attributes: BTreeSet<TdAttribute>,
    /// Processor states that may be on.
    pub extended_states: BTreeSet<ExtendedState>,
    /// `MRSIGNERSEAM` of TDX modules that are acceptable; empty accepts each that TCB info does.
    pub tdx_module_signers: BTreeSet<[u8; 48]>,
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
            out_of_date_accepted_for_days: 0,
            advisories: Advisories::Checked,
            advisories_accepted: BTreeSet::new(),
            advisories_refused: BTreeSet::new(),
            minimum_tcb_evaluation_data_number: 0,
            minimum_tcb_date: UnixTime(0),
            minimum_pce_svn: 0,
            minimum_qe_svn: 0,
            minimum_tdx_module: (0, 0),
            td_attributes: TdAttribute::ALL.iter().copied().collect(),
            extended_states: ExtendedState::ALL.iter().copied().collect(),
            tdx_module_signers: BTreeSet::new(),
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

/// Reads the section; what it does not say is as in `inherited`.
pub(super) fn read(root: &Table<'_>, inherited: &Intel) -> Result<Intel, PolicyError> {
    let Some(table) = root.section("intel")? else { return Ok(inherited.clone()) };
    let or = |found: Option<u32>, inherited: u32| found.unwrap_or(inherited);
    let svn = |key, inherited: u16| {
        table.wide_number(key).map(|found| found.and_then(|svn| u16::try_from(svn).ok()).unwrap_or(inherited))
    };
    let evaluation = table.wide_number("minimum_tcb_evaluation_data_number")?;
    let days = table.wide_number("out_of_date_accepted_for_days")?;
    let signers = table.sections("signer")?;
    let intel = Intel {
        tcb_status: statuses(&table)?.unwrap_or_else(|| inherited.tcb_status.clone()),
        out_of_date_accepted_for_days: or(days, inherited.out_of_date_accepted_for_days),
        advisories: table.word("advisories")?.unwrap_or(inherited.advisories),
        advisories_accepted: texts(&table, "advisories_accepted", &inherited.advisories_accepted)?,
        // What the policy that is narrowed refuses stays refused.
        advisories_refused: &inherited.advisories_refused
            | &texts(&table, "advisories_refused", &BTreeSet::new())?,
        minimum_tcb_evaluation_data_number: or(evaluation, inherited.minimum_tcb_evaluation_data_number),
        minimum_tcb_date: table.date("minimum_tcb_date")?.unwrap_or(inherited.minimum_tcb_date),
        minimum_pce_svn: svn("minimum_pce_svn", inherited.minimum_pce_svn)?,
        minimum_qe_svn: svn("minimum_qe_svn", inherited.minimum_qe_svn)?,
        minimum_tdx_module: module(&table)?.unwrap_or(inherited.minimum_tdx_module),
        sept_ve_enabled: table.word("sept_ve_enabled")?.unwrap_or(inherited.sept_ve_enabled),
        td_attributes: words(&table, "td_attributes", &inherited.td_attributes)?,
        extended_states: words(&table, "extended_states", &inherited.extended_states)?,
        service_tds: digests(&table, "service_tds", &inherited.service_tds)?,
        tdx_modules: digests(&table, "tdx_modules", &inherited.tdx_modules)?,
        tdx_module_signers: digests(&table, "tdx_module_signers", &inherited.tdx_module_signers)?,
        signers: if signers.is_empty() {
            inherited.signers.clone()
        } else {
            signers.iter().map(signer).collect::<Result<_, _>>()?
        },
    };
    if intel.advisories == Advisories::NotChecked && !intel.advisories_accepted.is_empty() {
        let message = "`intel.advisories_accepted` names some, but advisories are not checked";
        let error = table.error(table.offset_of("advisories_accepted"), message);
        return Err(error.hint("remove one of the two"));
    }
    if let Some(both) = intel.advisories_accepted.intersection(&intel.advisories_refused).next() {
        let message = format!("`{both}` is both in `intel.advisories_accepted` and in `advisories_refused`");
        let error = table.error(table.offset_of("advisories_refused"), message);
        return Err(error.hint("remove it from one of them"));
    }
    Ok(intel)
}

fn texts(
    table: &Table<'_>,
    key: &str,
    inherited: &BTreeSet<String>,
) -> Result<BTreeSet<String>, PolicyError> {
    let texts = table.texts(key)?;
    Ok(texts.map_or_else(
        || inherited.clone(),
        |texts| texts.into_iter().map(|text| text.value.to_owned()).collect(),
    ))
}

fn words<T: Vocabulary + Ord>(
    table: &Table<'_>,
    key: &str,
    inherited: &BTreeSet<T>,
) -> Result<BTreeSet<T>, PolicyError> {
    Ok(table.words::<T>(key)?.map_or_else(|| inherited.clone(), BTreeSet::from_iter))
}

fn module(table: &Table<'_>) -> Result<Option<(u8, u8)>, PolicyError> {
    let Some(module) = table.section("minimum_tdx_module")? else { return Ok(None) };
    let number = |key| module.number(key)?.ok_or_else(|| module.missing(key));
    Ok(Some((number("version")?, number("svn")?)))
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

/// Digests by SHA-384.
pub(super) fn digests(
    table: &Table<'_>,
    key: &str,
    inherited: &BTreeSet<[u8; 48]>,
) -> Result<BTreeSet<[u8; 48]>, PolicyError> {
    let Some(texts) = table.texts(key)? else { return Ok(inherited.clone()) };
    distinct(table, &texts, |text| prefixed(table, text, "sha384:"))
}

/// A digest behind its algorithm.
pub(super) fn prefixed<const N: usize>(
    table: &Table<'_>,
    text: At<&str>,
    prefix: &str,
) -> Result<[u8; N], PolicyError> {
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
        let number = table.wide_number(key)?.and_then(|number| u16::try_from(number).ok());
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
