// SPDX-License-Identifier: Apache-2.0

//! The trust policy: which platforms a relying party trusts with its workloads.
//!
//! A policy is a TOML file in which everything that is not accepted is refused. [`Policy::parse`] reads it
//! and refuses what cannot be meant: unknown keys, wrong types, contradictions, rules without effect. So a
//! [`Policy`] in hand is one that can be evaluated, and its fields cannot be changed afterwards.
//!
//! ```toml
//! version = 1
//! on_refusal = "flag"                    # a Keep that is no longer accepted: "flag", "drain", "redeploy" or "stop"
//!
//! [keep]
//! measurements = ["release"]             # names of reference values, or "sha384:<96 hex digits>"
//!
//! [[allow]]                              # at least one; what no rule allows is refused
//! id = "amd"
//! vendor = "amd"
//! tee = "sev-snp"
//! products = ["milan", "genoa"]          # absent: every product of that vendor and TEE
//!
//! [[deny]]                               # overrides every allow
//! id = "no-milan"
//! vendor = "amd"
//! products = ["milan"]
//! reason = "..."
//!
//! [minimum_tcb.genoa]                    # for every product that is allowed and checked
//! bootloader = 10
//! tee = 0
//! snp = 27
//! microcode = 86
//! ```
//!
//! `docs/trust-policy.md` is the reference of the whole language, `keys.rs` lists its keys, and [`schema`] gives them as
//! a JSON schema. A policy may extend another one, which it can only narrow ([`Policy::parse_with`]).

mod analysis;
mod canonical;
mod collateral;
mod error;
mod extend;
pub(crate) mod feed;
#[macro_use]
mod model;
mod guest;
mod intel;
mod keys;
mod narrow;
mod notice;
mod parse;
mod place;
mod places;
mod reader;
mod registers;
mod rule;
mod rules;
mod schema;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use enarx_evidence::snp::TcbVersion;

pub use collateral::{Collateral, Freshness};
pub use error::PolicyError;
pub use extend::{Base, Bases};
pub use guest::{Cca, Guest, Snp, Tpm, Workload};
pub use intel::{Advisories, ExtendedState, Intel, Signer, TcbInfo, TdAttribute};
pub use model::{
    Crl, DigestAlgorithm, Floor, Measurement, MinimumTcb, OnRefusal, Product, SimulatedRoot, Switch, TcbKind,
    Tee, Vendor, Vocabulary,
};
pub use notice::Notice;
pub(crate) use notice::day;
pub use place::Place;
pub use rule::{AllowRule, Applies, Decided, DenyRule, Feature, Features, Matcher, Nearly, Platform};
pub use schema::schema;

use crate::refusal::PolicyEntry;
use crate::{Refusals, UnixTime};
use extend::{Chain, NoBases};
use place::Source;
use places::Places;
use reader::Sets;
use registers::Registers;

/// Longest policy that is read; each of several that extend one another may have as many bytes.
pub const MAX_POLICY_BYTES: usize = 1 << 20;

/// How many policies may extend one another.
pub const MAX_EXTENDS: usize = 8;

/// The version of the policy language that this crate reads.
pub const LANGUAGE_VERSION: u8 = 1;

/// The highest virtual machine privilege level (AMD APM volume 2, section 15.36.7: levels 0 to 3).
const MAX_VMPL: u8 = 3;

/// The longest time that is counted in days.
const MAX_DAYS: u32 = 36_500;

/// A trust policy that was read and found free of contradictions. Two are equal if they say the same.
#[derive(Clone, Debug)]
pub struct Policy {
    measurements: BTreeSet<Measurement>,
    registers: Registers,
    simulated_roots: BTreeSet<SimulatedRoot>,
    allow: BTreeMap<String, AllowRule>,
    deny: BTreeMap<String, DenyRule>,
    minimum_tcb: BTreeMap<Product, Floor>,
    guest: Guest,
    snp: Snp,
    intel: Intel,
    cca: Cca,
    tpm: Tpm,
    workload: Workload,
    collateral: Collateral,
    on_refusal: OnRefusal,
    /// Lists by name, for policies that extend this one.
    sets: Sets,
    source: Option<Arc<Source>>,
    places: Places,
    digest: [u8; 32],
}

impl PartialEq for Policy {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for Policy {}

/// A commented policy to start from: current AMD platforms, nothing simulated.
pub fn template() -> &'static str {
    include_str!("template.toml")
}

impl Policy {
    /// Reads a policy from TOML. It must not extend another one.
    pub fn parse(toml: &str) -> Result<Self, PolicyError> {
        parse::parse(None, toml, &mut Chain::new(None, &mut NoBases))
    }

    /// Reads a policy of this name from TOML, and those that it extends.
    pub fn parse_with(name: &str, toml: &str, bases: &mut dyn Bases) -> Result<Self, PolicyError> {
        parse::parse(Some(name), toml, &mut Chain::new(Some(name), bases))
    }

    /// The policy that accepts nothing.
    pub fn closed() -> Self {
        let mut closed = Self {
            measurements: BTreeSet::new(),
            registers: Registers::new(),
            simulated_roots: BTreeSet::new(),
            allow: BTreeMap::new(),
            deny: BTreeMap::new(),
            minimum_tcb: BTreeMap::new(),
            guest: Guest::default(),
            snp: Snp::default(),
            intel: Intel::default(),
            cca: Cca::default(),
            tpm: Tpm::default(),
            workload: Workload::default(),
            collateral: Collateral::default(),
            on_refusal: OnRefusal::Flag,
            sets: Sets::new(),
            source: None,
            places: Places::new(),
            digest: [0; 32],
        };
        closed.digest = canonical::digest(&closed);
        closed
    }

    /// What identifies the policy: SHA-256 of its canonical encoding, which is independent of comments,
    /// formatting, order of rules, and of whether defaults are written out.
    ///
    /// The encoding is described in `tcb/verifier/src/policy/canonical.rs`.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// What somebody should look at, such as rules that have expired, in the order in which it stands.
    pub fn notices(&self, now: UnixTime) -> Vec<Notice> {
        notice::all(self, now)
    }

    /// The measurements of Keeps that are accepted; empty accepts none.
    pub fn measurements(&self) -> &BTreeSet<Measurement> {
        &self.measurements
    }

    /// The values of a measurement register that are accepted of a kind of TEE. `None` accepts zero only.
    pub fn register(&self, tee: Tee, name: &str) -> Option<&BTreeSet<Measurement>> {
        registers::find(&self.registers, tee, name).1
    }

    /// Every measurement register of which values are accepted, by its name: `pcr11` of every TEE that has one and no
    /// values of its own, `tpm.pcr11` of TPMs.
    pub fn registers(&self) -> impl Iterator<Item = (&str, &BTreeSet<Measurement>)> {
        self.registers.iter().map(|(name, accepted)| (name.as_str(), accepted))
    }

    /// The roots of simulated platforms that are accepted; empty accepts none.
    pub fn simulated_roots(&self) -> &BTreeSet<SimulatedRoot> {
        &self.simulated_roots
    }

    /// The rules of which at least one must match, in the order of their ids.
    pub fn allow_rules(&self) -> impl Iterator<Item = &AllowRule> {
        self.allow.values()
    }

    /// The rules of which none may match, in the order of their ids.
    pub fn deny_rules(&self) -> impl Iterator<Item = &DenyRule> {
        self.deny.values()
    }

    /// What the rules say about a platform.
    pub fn decide(&self, platform: &Platform<'_>, now: UnixTime) -> Decided<'_> {
        rule::decide(self.allow.values(), self.deny.values(), platform, now)
    }

    /// The rules that allow a product with this TEE, or some of them by their features.
    pub fn allowing(&self, tee: Tee, product: Product) -> impl Iterator<Item = &AllowRule> {
        self.allow_rules().filter(move |rule| rule.platforms.matches(tee, product))
    }

    /// The rules that deny a product with this TEE, or some of them by their features.
    pub fn denying(&self, tee: Tee, product: Product) -> impl Iterator<Item = &DenyRule> {
        self.deny_rules().filter(move |rule| rule.platforms.matches(tee, product))
    }

    /// The least security patch levels of a product, for TCB versions that have none of their own: an FMC level exactly if
    /// the product has one. Every product that is allowed and checked, and not denied, has one.
    pub fn minimum_tcb(&self, product: Product) -> Option<&TcbVersion> {
        self.floor(product).map(|floor| &floor.general)
    }

    /// The least security patch levels of a product, for each TCB version.
    pub fn floor(&self, product: Product) -> Option<&Floor> {
        self.minimum_tcb.get(&product)
    }

    /// What is asked of the guest.
    pub fn guest(&self) -> &Guest {
        &self.guest
    }

    /// What is asked of platforms of Intel's.
    pub fn intel(&self) -> &Intel {
        &self.intel
    }

    /// What is asked of Intel's TCB info and identities of quoting enclaves.
    pub fn tcb_info(&self) -> TcbInfo {
        self.collateral.tcb_info
    }

    /// What is asked of the launch of SEV-SNP guests.
    pub fn snp(&self) -> &Snp {
        &self.snp
    }

    /// What is asked of the firmware of Arm CCA platforms.
    pub fn cca(&self) -> &Cca {
        &self.cca
    }

    /// The measurements that components of an Arm CCA platform may have, unless a rule says that its products need no
    /// minimum TCB; empty accepts none.
    pub fn platform_software(&self) -> &BTreeSet<Measurement> {
        &self.cca.software
    }

    /// What is asked of TPM quotes.
    pub fn tpm(&self) -> &Tpm {
        &self.tpm
    }

    /// What may be run under the policy, and for whom.
    pub fn workload(&self) -> &Workload {
        &self.workload
    }

    /// Whether a workload of this digest may be run under the policy, for the owner of this key.
    ///
    /// Evidence does not tell it, since a Keep gets its workload afterwards: whoever gives it one asks.
    pub fn check_workload(&self, digest: &[u8; 32], owner: &[u8; 32]) -> Result<(), Refusals> {
        crate::appraisal::check_workload(self, digest, owner)
    }

    /// What is asked of what vendors say.
    pub fn collateral(&self) -> &Collateral {
        &self.collateral
    }

    /// What happens to a Keep that runs and is no longer accepted.
    pub fn on_refusal(&self) -> OnRefusal {
        self.on_refusal
    }

    /// What is asked of certificate revocation lists.
    pub fn crl(&self) -> Crl {
        self.collateral.crl
    }

    /// The entry that is about a register of a kind of TEE.
    pub(crate) fn register_entry(&self, tee: Tee, name: &str) -> PolicyEntry {
        let (path, _) = registers::find(&self.registers, tee, name);
        self.entry(&alloc::format!("keep.registers.{path}"))
    }

    /// The entry of this path, such as `guest.debug`, and where it stands.
    pub(crate) fn entry(&self, path: &str) -> PolicyEntry {
        PolicyEntry::new(path, self.places.get(path))
    }
}
