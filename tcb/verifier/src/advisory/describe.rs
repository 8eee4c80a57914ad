// SPDX-License-Identifier: Apache-2.0

//! What an advisory is about, in words.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::model::{Affects, TcbLevels};
use crate::policy::{Feature, Matcher, Vocabulary as _};

impl fmt::Display for Affects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        parts.extend(self.platforms.as_ref().map(platforms));
        for (feature, values) in self.platforms.iter().flat_map(|platforms| &platforms.features) {
            let values: Vec<_> = values.iter().map(|bytes| value(*feature, bytes)).collect();
            parts.extend(named(&format!("`{}`", feature.name()), &values));
        }
        parts.extend(self.tcb_below.as_ref().map(levels));
        parts.extend(self.tcb_date_before.map(|day| format!("TCB of a day before {day}")));
        parts.extend(named("TDX module", &digits(&self.tdx_modules)));
        parts.extend(named("component", &digits(&self.components)));
        parts.extend(named("Keep", &digits(&self.keeps)));
        f.write_str(&parts.join(", "))
    }
}

/// A value of a feature, as it is written in a policy.
pub(super) fn value(feature: Feature, bytes: &[u8]) -> String {
    match (feature, bytes) {
        (Feature::Families | Feature::Models | Feature::Steppings, [number]) => format!("{number:#04x}"),
        (Feature::Providers | Feature::ModuleIds | Feature::Drivers | Feature::Firmwares, text) => {
            format!("{:?}", String::from_utf8_lossy(text))
        }
        (_, digits) => hex::encode(digits),
    }
}

fn platforms(platforms: &Matcher) -> String {
    let tee = platforms.tee.map_or(String::new(), |tee| format!(" {}", tee.name()));
    let products: Vec<_> = platforms.products.iter().flatten().map(|product| product.name()).collect();
    let products = if products.is_empty() { String::from("every product") } else { products.join(" or ") };
    format!("{}{tee} {products}", platforms.vendor.name())
}

fn levels(levels: &TcbLevels) -> String {
    let TcbLevels { fmc, bootloader, tee, snp, microcode } = levels;
    let levels =
        [("fmc", fmc), ("bootloader", bootloader), ("tee", tee), ("snp", snp), ("microcode", microcode)];
    let below = levels.iter().filter_map(|(name, level)| level.map(|level| format!("{name} below {level}")));
    below.collect::<Vec<_>>().join(" or ")
}

fn digits(list: &BTreeSet<Vec<u8>>) -> Vec<String> {
    list.iter().map(hex::encode).collect()
}

fn named(name: &str, list: &[String]) -> Option<String> {
    (!list.is_empty()).then(|| format!("{name} {}", list.join(" or ")))
}
