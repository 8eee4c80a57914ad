// SPDX-License-Identifier: Apache-2.0

//! Whether an advisory is about evidence. What the evidence does not tell counts as affected.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use enarx_evidence::dcap::Body;

use super::describe;
use super::model::Affects;
use crate::policy::{Applies, Platform, Product, Vocabulary as _};
use crate::{CcaClaims, Claims, DcapClaims, SnpClaims};

/// What a condition says about evidence: that it applies, in words if it asks anything, or `None` if it does not.
type Condition = Option<Option<String>>;

impl Affects {
    /// By what the evidence is affected, in words, if it is.
    pub(crate) fn by(&self, claims: &Claims) -> Option<String> {
        let platform = self.platform(claims)?;
        let more = match claims {
            Claims::SevSnp(claims) => self.level(claims)?.into_iter().collect(),
            Claims::AzureSnp(claims) => self.level(&claims.hardware)?.into_iter().collect(),
            Claims::Tdx(claims) | Claims::Sgx(claims) => self.dcap(claims)?,
            Claims::AzureTdx(claims) => self.dcap(&claims.hardware)?,
            Claims::Cca(claims) => self.cca(claims)?.into_iter().collect(),
            Claims::Nitro(_) | Claims::Tpm(_) | Claims::NvGpu(_) => Vec::new(),
        };
        let keep = named(&self.keeps, claims.measurement(), "the Keep")?;
        let words: Vec<_> = platform.into_iter().chain(more).chain(keep).collect();
        Some(words.join(", "))
    }

    /// Evidence that does not tell two products apart counts as each.
    fn platform(&self, claims: &Claims) -> Condition {
        let Some(matcher) = &self.platforms else { return Some(None) };
        let (tee, features) = (claims.tee(), claims.features());
        let affected = |product: &Product| {
            let platform = Platform { tee, product: *product, features: &features };
            matcher.applies(&platform) != Applies::No
        };
        let product = claims.products().into_iter().find(affected)?;
        let mut words = Vec::from([format!("{} {}", tee.name(), product.name())]);
        words.extend(matcher.features.iter().map(|(feature, wanted)| {
            let told = features.get(feature).into_iter().flatten().find(|value| wanted.contains(*value));
            let told = told.map_or_else(|| "not told".into(), |value| describe::value(*feature, value));
            format!("`{}` {told}", feature.name())
        }));
        Some(Some(words.join(", ")))
    }

    /// The host can go back to what is committed, and a Keep keeps what it was launched under: each version counts.
    fn level(&self, claims: &SnpClaims) -> Condition {
        let Some(levels) = &self.tcb_below else { return Some(None) };
        let versions = [
            ("current", claims.current_tcb),
            ("committed", claims.committed_tcb),
            ("launch", claims.launch_tcb),
            ("reported", claims.reported_tcb),
        ];
        versions.iter().find_map(|(name, tcb)| {
            let (component, found, wanted) = levels.first_below(*tcb)?;
            let found = found.map_or(String::from("none"), |found| format!("{found}"));
            Some(Some(format!("{name} {component} {found}, which is below {wanted}")))
        })
    }

    fn dcap(&self, claims: &DcapClaims) -> Option<Vec<String>> {
        let date = match (self.tcb_date_before, &claims.tcb) {
            (None, _) => None,
            (Some(_), None) => Some("a TCB of unknown date".into()),
            (Some(day), Some(tcb)) if tcb.date() < day.start() => {
                Some(format!("a TCB of {}, which is before {day}", tcb.date()))
            }
            _ => return None,
        };
        let module = match &claims.quote.body {
            Body::Td(report) => named(&self.tdx_modules, &report.mr_seam, "TDX module")?,
            // An enclave has none.
            Body::Sgx(_) if self.tdx_modules.is_empty() => None,
            Body::Sgx(_) => return None,
        };
        Some([date, module].into_iter().flatten().collect())
    }

    fn cca(&self, claims: &CcaClaims) -> Condition {
        if self.components.is_empty() {
            return Some(None);
        }
        let mut found = claims.platform.components.iter().map(|component| component.measurement.as_bytes());
        let found = found.find(|measurement| self.components.contains(*measurement))?;
        Some(Some(format!("component {}", hex::encode(found))))
    }
}

/// Whether a list that names something names this.
fn named(list: &BTreeSet<Vec<u8>>, found: &[u8], what: &str) -> Condition {
    if list.is_empty() {
        return Some(None);
    }
    list.contains(found).then(|| Some(format!("{what} {}", hex::encode(found))))
}
