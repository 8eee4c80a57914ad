// SPDX-License-Identifier: Apache-2.0

//! Platforms of Intel's, as sound or as old as one wants.

use enarx_evidence::dcap::{Body, EnclaveTcbLevel, Family, QuoteVersion, TcbStatus, TeeType};
use enarx_evidence::{Bundle, Format};

use super::Launched;
use super::text::{RehearsalError, Setting};
use crate::{DcapContent, PckAuthority, SimulatedQuote, Simulator, SimulatorError};

const DEBUG: u32 = 0;
const SEPT_VE_DISABLE: u32 = 28;
const MIGRATABLE: u32 = 29;

/// A platform of Intel's, and what Intel says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "the options of the text")]
pub(super) struct IntelPlatform {
    quote: SimulatedQuote,
    status: TcbStatus,
    date: Option<u64>,
    evaluation: Option<u32>,
    advisories: Vec<String>,
    module: Option<(u8, u8)>,
    debug: bool,
    migration: bool,
    sept_ve: bool,
    smt: bool,
    revoked: bool,
    /// The host sends what Intel says.
    pub(super) tcb_info: bool,
}

impl IntelPlatform {
    /// A sound platform of a family: a TD where it can have one, else an enclave.
    pub(super) fn new(family: Family) -> Self {
        use Family::{CoffeeLake, GeminiLake, IceLake, IceLakeSp, RocketLake};
        let quote = match family {
            CoffeeLake | GeminiLake | IceLake | RocketLake => {
                SimulatedQuote { family, ..SimulatedQuote::enclave() }
            }
            IceLakeSp => {
                SimulatedQuote { family, authority: PckAuthority::Platform, ..SimulatedQuote::enclave() }
            }
            _ => SimulatedQuote { family, ..SimulatedQuote::default() },
        };
        Self {
            quote,
            status: TcbStatus::UpToDate,
            date: None,
            evaluation: None,
            advisories: Vec::new(),
            module: None,
            debug: false,
            migration: false,
            sept_ve: false,
            smt: true,
            revoked: false,
            tcb_info: true,
        }
    }

    /// The one that machines of Azure's stand on.
    pub(super) fn under_azure() -> Self {
        Self::new(Family::SapphireRapids)
    }

    pub(super) fn format(&self) -> Format {
        match self.quote.tee {
            TeeType::Tdx => Format::Tdx,
            TeeType::Sgx => Format::Sgx,
        }
    }

    /// Sets the family under a machine of Azure's, whose quotes are of one version.
    pub(super) fn set_family(&mut self, setting: Setting<'_>) -> Result<bool, RehearsalError> {
        match setting {
            Setting { name: "family", value: Some(name) } => {
                let families = [
                    ("sapphire-rapids", Family::SapphireRapids),
                    ("emerald-rapids", Family::EmeraldRapids),
                    ("granite-rapids", Family::GraniteRapids),
                    ("sierra-forest", Family::SierraForest),
                ];
                let family = families.into_iter().find(|(known, _)| *known == name).map(|(_, family)| family);
                let expected = "sapphire-rapids, emerald-rapids, granite-rapids or sierra-forest";
                self.quote.family = setting.read(expected, family)?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// `false` if there is no option of this name.
    pub(super) fn set(&mut self, setting: Setting<'_>) -> Result<bool, RehearsalError> {
        match (setting.name, setting.value) {
            ("debug", None) => self.debug = true,
            ("no-smt", None) => self.smt = false,
            ("revoked", None) => self.revoked = true,
            ("no-tcb-info", None) => self.tcb_info = false,
            ("status", Some(name)) => {
                let status = TcbStatus::from_name(name).filter(|status| status.is_published());
                let expected = "a status that Intel publishes, such as `OutOfDate` or `SWHardeningNeeded`";
                self.status = setting.read(expected, status)?;
            }
            ("date", Some(text)) => {
                let date = format!("{text}T00:00:00Z").parse::<der::DateTime>().ok();
                let date = date.map(|date| date.unix_duration().as_secs());
                self.date = Some(setting.read("a date such as `2024-03-13`", date)?);
            }
            ("evaluation", Some(number)) => {
                self.evaluation = Some(setting.read("a number", number.parse().ok())?);
            }
            ("advisories", Some(ids)) => {
                let ids = ids.split('+').map(str::to_owned).collect::<Vec<_>>();
                let sound =
                    |id: &String| !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
                let known = (ids.len() <= 64 && ids.iter().all(sound)).then_some(ids);
                self.advisories = setting.read("names such as `INTEL-SA-00837`, with `+` between", known)?;
            }
            _ if self.quote.tee == TeeType::Tdx && self.set_td(setting)? => {}
            _ => return self.set_kind(setting),
        }
        Ok(true)
    }

    fn set_td(&mut self, setting: Setting<'_>) -> Result<bool, RehearsalError> {
        match (setting.name, setting.value) {
            ("migration", None) => self.migration = true,
            ("sept-ve", None) => self.sept_ve = true,
            ("module", Some(version)) => {
                let parts = version.split_once('.');
                let parts = parts.and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
                self.module = Some(setting.read("a version such as `1.5`", parts)?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn set_kind(&mut self, setting: Setting<'_>) -> Result<bool, RehearsalError> {
        let has_tdx = !matches!(
            self.quote.family,
            Family::CoffeeLake
                | Family::GeminiLake
                | Family::IceLake
                | Family::RocketLake
                | Family::IceLakeSp
        );
        match (setting.name, setting.value) {
            ("tee", Some("tdx")) if has_tdx => {
                let (family, tdx) = (self.quote.family, SimulatedQuote::default());
                self.quote = SimulatedQuote { family, ..tdx };
            }
            ("tee", Some("sgx")) if has_tdx => {
                let (family, authority) = (self.quote.family, PckAuthority::Platform);
                self.quote = SimulatedQuote { family, authority, ..SimulatedQuote::enclave() };
            }
            ("tee", Some(_)) if has_tdx => return setting.read("`tdx` or `sgx`", None),
            ("version", Some(number)) => {
                let version = match (number, self.quote.tee) {
                    ("3", TeeType::Sgx) => Some(QuoteVersion::V3),
                    ("4", _) => Some(QuoteVersion::V4),
                    ("5", _) => Some(QuoteVersion::V5),
                    _ => None,
                };
                self.quote.version = setting.read("a quote version: 4 or 5, or 3 of an enclave", version)?;
                self.quote.extended = self.quote.tee == TeeType::Tdx && number == "5";
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub(super) fn attest(
        &self,
        simulator: &Simulator,
        report_data: &[u8; 64],
        launched: &Launched,
    ) -> Result<Bundle, SimulatorError> {
        let measurement = match self.quote.tee {
            TeeType::Tdx => launched.sha384,
            TeeType::Sgx => {
                let mut digest = [0; 48];
                digest.iter_mut().zip(launched.sha256).for_each(|(to, from)| *to = from);
                digest
            }
        };
        simulator.attest_quote(&self.quote, report_data, &measurement, |content| {
            if let Body::Td(td) = &mut content.quote.body {
                td.mr_config_id.iter_mut().zip(launched.host_data).for_each(|(to, from)| *to = from);
            }
            self.change(content);
        })
    }

    /// Makes a sound platform of some family this one.
    pub(super) fn change(&self, content: &mut DcapContent) {
        let fmspc = self.quote.family.fmspc();
        (content.pck.fmspc, content.tcb_info.fmspc) = (fmspc, fmspc);
        content.pck_revoked = self.revoked;
        if let Some(configuration) = &mut content.pck.configuration {
            configuration.smt_enabled = Some(self.smt);
        }
        if let Some(level) = content.tcb_info.levels.first_mut() {
            level.status = self.status;
            level.advisories.extend(self.advisories.iter().map(|id| id.as_str().into()));
        }
        if let Some(date) = self.date {
            Self::dated(content, date);
        }
        if let Some(number) = self.evaluation {
            content.tcb_info.evaluation_data_number = number;
            content.identity.evaluation_data_number = number;
        }
        match &mut content.quote.body {
            Body::Sgx(report) => report.attributes = report.attributes.with_debug(self.debug),
            Body::Td(report) => {
                let attributes = report.td_attributes.with(DEBUG, self.debug);
                let attributes = attributes.with(MIGRATABLE, self.migration);
                report.td_attributes = attributes.with(SEPT_VE_DISABLE, !self.sept_ve);
                if let Some((major, minor)) = self.module {
                    let [_, _, microcode, rest @ ..] = report.tee_tcb_svn;
                    let mut svn = [0; 16];
                    let version = [minor, major, microcode].into_iter().chain(rest);
                    svn.iter_mut().zip(version).for_each(|(to, from)| *to = from);
                    report.tee_tcb_svn = svn;
                    if let Some(extension) = &mut report.extension {
                        extension.tee_tcb_svn_2 = svn;
                    }
                }
            }
        }
    }

    /// Gives everything that is current this date: the oldest counts.
    fn dated(content: &mut DcapContent, date: u64) {
        if let Some(level) = content.tcb_info.levels.first_mut() {
            level.date = date;
        }
        let modules = content.tcb_info.tdx_module_identities.iter_mut();
        let modules = modules.filter_map(|identity| identity.levels.first_mut());
        let enclave = content.identity.levels.first_mut();
        modules.chain(enclave).for_each(|level: &mut EnclaveTcbLevel| level.date = date);
    }
}
