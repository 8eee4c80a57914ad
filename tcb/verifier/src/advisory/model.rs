// SPDX-License-Identifier: Apache-2.0

//! What a feed says, once it was read.

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt;

use enarx_evidence::snp::TcbVersion;

use crate::UnixTime;
use crate::policy::Matcher;

/// The body of a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// The name of the feed.
    pub feed: String,
    /// Which of its versions this is.
    pub version: u32,
    /// When it was issued.
    pub issued: Day,
    /// The last day on which it is fresh.
    pub expires: Option<Day>,
    /// What the issuer is called.
    pub issuer: String,
    /// What is no longer to be trusted; may be empty.
    pub advisories: Vec<Advisory>,
}

/// One reason not to trust some platforms or Keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advisory {
    /// Its name, unique in the feed.
    pub id: String,
    /// Since when.
    pub since: Day,
    /// Why.
    pub because: String,
    /// Where to read more.
    pub references: Vec<String>,
    /// What it is about, each by itself; never empty.
    pub affects: Vec<Affects>,
}

/// Platforms and Keeps. `None` and empty ask nothing; of what asks, each has to apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Affects {
    /// Platforms, in the words of policies.
    pub platforms: Option<Matcher>,
    /// Platforms with a level below one of these.
    pub tcb_below: Option<TcbLevels>,
    /// Platforms that lack what was known to be needed on this day.
    pub tcb_date_before: Option<Day>,
    /// TDs under these TDX modules (`MRSEAM`).
    pub tdx_modules: BTreeSet<Vec<u8>>,
    /// Platforms with a component that has one of these measurements.
    pub components: BTreeSet<Vec<u8>>,
    /// Keeps with these measurements.
    pub keeps: BTreeSet<Vec<u8>>,
}

/// Security patch levels that are the first to be safe; `None` says nothing about a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct TcbLevels {
    /// The first mutable code, which Turin and later have.
    pub fmc: Option<u8>,
    /// The secure processor's boot loader.
    pub bootloader: Option<u8>,
    /// The secure processor's operating system.
    pub tee: Option<u8>,
    /// The SNP firmware.
    pub snp: Option<u8>,
    /// The microcode.
    pub microcode: Option<u8>,
}

impl TcbLevels {
    /// The first component that is below its level: name, level found, level wanted. A component that the platform
    /// does not have is below every level.
    pub(super) fn first_below(&self, tcb: TcbVersion) -> Option<(&'static str, Option<u8>, u8)> {
        let components = [
            ("fmc", self.fmc, tcb.fmc),
            ("bootloader", self.bootloader, Some(tcb.bootloader)),
            ("tee", self.tee, Some(tcb.tee)),
            ("snp", self.snp, Some(tcb.snp)),
            ("microcode", self.microcode, Some(tcb.microcode)),
        ];
        components.into_iter().find_map(|(name, wanted, found)| {
            wanted
                .filter(|wanted| found.is_none_or(|found| found < *wanted))
                .map(|wanted| (name, found, wanted))
        })
    }
}

/// A day. Finer times would tell more about who signed than that it was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(UnixTime);

impl Day {
    const SECONDS: u64 = 24 * 60 * 60;

    /// The day that a text such as `2026-11-23` means.
    pub fn parse(text: &str) -> Option<Self> {
        let first = alloc::format!("{text}T00:00:00Z").parse::<der::DateTime>().ok()?;
        Some(Self(UnixTime(first.unix_duration().as_secs())))
    }

    /// Its first second.
    pub fn start(self) -> UnixTime {
        self.0
    }

    /// The first second after it.
    pub fn end(self) -> UnixTime {
        UnixTime(self.0.0.saturating_add(Self::SECONDS))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = self.0.to_string();
        f.write_str(moment.split_once('T').map_or(moment.as_str(), |(day, _)| day))
    }
}
