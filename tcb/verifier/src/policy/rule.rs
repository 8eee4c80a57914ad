// SPDX-License-Identifier: Apache-2.0

//! The rules about platforms: what they may ask, and whether they are about a platform.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use super::model::{MinimumTcb, Product, Tee, Vendor, Vocabulary};
use super::place::Place;
use crate::UnixTime;

vocabulary! {
    /// What a rule may ask of a platform beside vendor, TEE and product. The words are the keys of rules.
    Feature {
        /// Family by CPUID: one byte, extended and base family together.
        Families = "families",
        /// Model by CPUID: one byte, extended and base model together.
        Models = "models",
        /// Stepping by CPUID: one byte.
        Steppings = "steppings",
        /// `CHIP_ID` of AMD's: 8 bytes of Turin, 64 of others. A host can hide it.
        ChipIds = "chip_ids",
        /// To whom AMD lent the key that signed (VLEK): text.
        Providers = "providers",
        /// `FMSPC` of Intel's: 6 bytes.
        Fmspcs = "fmspcs",
        /// `PPID` of Intel's: 16 bytes.
        Ppids = "ppids",
        /// `Platform Instance ID` of Intel's: 16 bytes. Only registered platforms have one.
        PlatformInstances = "platform_instances",
        /// `cca-platform-implementation-id`: 32 bytes.
        ImplementationIds = "implementation_ids",
        /// `cca-platform-instance-id`: 33 bytes.
        InstanceIds = "instance_ids",
        /// `module_id` of AWS Nitro, or the instance in it: text.
        ModuleIds = "module_ids",
        /// Version of NVIDIA's driver: text.
        Drivers = "drivers",
        /// Version of NVIDIA's VBIOS: text.
        Firmwares = "firmwares",
    }
}

/// What values of a feature look like in a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FeatureForm {
    /// Numbers from 0 to this.
    Number(u8),
    /// Hexadecimal digits of one of these numbers of bytes.
    Bytes(&'static [usize]),
    /// Text.
    Text,
}

impl Feature {
    /// Whose evidence tells the feature.
    pub fn vendors(self) -> &'static [Vendor] {
        match self {
            Self::Families | Self::Models | Self::Steppings => &[Vendor::Amd, Vendor::Intel],
            Self::ChipIds | Self::Providers => &[Vendor::Amd],
            Self::Fmspcs | Self::Ppids | Self::PlatformInstances => &[Vendor::Intel],
            Self::ImplementationIds | Self::InstanceIds => &[Vendor::Arm],
            Self::ModuleIds => &[Vendor::Aws],
            Self::Drivers | Self::Firmwares => &[Vendor::Nvidia],
        }
    }

    pub(super) fn form(self) -> FeatureForm {
        match self {
            Self::Families | Self::Models => FeatureForm::Number(u8::MAX),
            Self::Steppings => FeatureForm::Number(15),
            Self::ChipIds => FeatureForm::Bytes(&[8, 64]),
            Self::Fmspcs => FeatureForm::Bytes(&[6]),
            Self::Ppids | Self::PlatformInstances => FeatureForm::Bytes(&[16]),
            Self::ImplementationIds => FeatureForm::Bytes(&[32]),
            Self::InstanceIds => FeatureForm::Bytes(&[33]),
            Self::Providers | Self::ModuleIds | Self::Drivers | Self::Firmwares => FeatureForm::Text,
        }
    }
}

/// What evidence tells about a platform, as far as rules ask: for each feature the values by which it is known. A feature
/// that is not there is not told.
pub type Features = BTreeMap<Feature, Vec<Vec<u8>>>;

/// A platform as rules see it.
#[derive(Clone, Copy, Debug)]
pub struct Platform<'f> {
    /// The kind of trusted execution environment.
    pub tee: Tee,
    /// The product.
    pub product: Product,
    /// What else is told.
    pub features: &'f Features,
}

/// Whether a rule is about a platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Applies {
    /// It is about others.
    No,
    /// It asks for what the evidence does not tell.
    Unknown,
    /// It is about this one.
    Yes,
}

/// The platforms that a rule is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Matcher {
    /// Platforms of this vendor ...
    pub vendor: Vendor,
    /// ... with this kind of TEE (`None`: with any) ...
    pub tee: Option<Tee>,
    /// ... that are one of these products (`None`: any product) ...
    pub products: Option<BTreeSet<Product>>,
    /// ... and of each of these features have one of the values.
    pub features: BTreeMap<Feature, BTreeSet<Vec<u8>>>,
}

impl Matcher {
    /// Whether the rule may be about this product with this TEE, whatever its features.
    pub fn matches(&self, tee: Tee, product: Product) -> bool {
        self.vendor == product.vendor()
            && product.has(tee)
            && self.tee.is_none_or(|only| only == tee)
            && self.products.as_ref().is_none_or(|only| only.contains(&product))
    }

    /// Whether the rule is about this platform.
    pub fn applies(&self, platform: &Platform<'_>) -> Applies {
        if !self.matches(platform.tee, platform.product) {
            return Applies::No;
        }
        let asked = self.features.iter().map(|(feature, wanted)| match platform.features.get(feature) {
            None => Applies::Unknown,
            Some(told) if told.iter().any(|value| wanted.contains(value)) => Applies::Yes,
            Some(_) => Applies::No,
        });
        asked.min().unwrap_or(Applies::Yes)
    }

    /// Every product and TEE that the rule may be about.
    pub fn platforms(&self) -> impl Iterator<Item = (Tee, Product)> {
        // The vendor's products first: among thousands of rules it counts how many pairs are looked at.
        Product::ALL
            .iter()
            .filter(|product| product.vendor() == self.vendor)
            .flat_map(|&product| Tee::ALL.iter().map(move |&tee| (tee, product)))
            .filter(|&(tee, product)| self.matches(tee, product))
    }

    /// Whether every platform that this rule is about is one that the other is about, too, as far as rules alone show it.
    pub fn is_within(&self, other: &Self) -> bool {
        let features = other
            .features
            .iter()
            .all(|(feature, theirs)| self.features.get(feature).is_some_and(|mine| mine.is_subset(theirs)));
        features && self.platforms().all(|(tee, product)| other.matches(tee, product)) && {
            // What is not listed may be a product that is not known yet.
            self.products.is_some() || other.products.is_none()
        }
    }
}

/// A rule that makes platforms acceptable, if nothing else speaks against them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowRule {
    /// Its name in results and refusals, unique in the policy.
    pub id: String,
    /// The platforms it is about.
    pub platforms: Matcher,
    /// Whether they must reach the minimum TCB of their product.
    pub minimum_tcb: MinimumTcb,
    /// When it ceases to allow anything.
    pub expires: Option<UnixTime>,
    /// Why it is there.
    pub reason: Option<String>,
    /// Where it stands.
    pub place: Place,
}

impl AllowRule {
    /// Whether the rule still allows something.
    pub fn is_valid(&self, now: UnixTime) -> bool {
        self.expires.is_none_or(|end| now < end)
    }
}

/// A rule that refuses platforms whatever else speaks for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DenyRule {
    /// Its name in refusals, unique in the policy.
    pub id: String,
    /// The platforms it is about.
    pub platforms: Matcher,
    /// By when to look at it again. It denies afterwards, too: a date that passes must not make a platform trusted.
    pub expires: Option<UnixTime>,
    /// Why it is there.
    pub reason: Option<String>,
    /// Where it stands.
    pub place: Place,
}

/// What the rules of a policy say about a platform.
#[derive(Clone, Debug, Default)]
pub struct Decided<'p> {
    /// The rules that allow it, in the order of their ids.
    pub allowed_by: Vec<&'p AllowRule>,
    /// The rules that would allow it but for a feature, or their date.
    pub nearly: Vec<(&'p AllowRule, Nearly)>,
    /// The rules that deny it, or may: what is not told may be what they are about.
    pub denied_by: Vec<(&'p DenyRule, Applies)>,
}

/// Why a rule does not allow a platform of the products that it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nearly {
    /// Its date has passed.
    Expired(UnixTime),
    /// It asks for another value of this feature.
    Other(Feature),
    /// It asks for this feature, which the evidence does not tell.
    Untold(Feature),
}

impl Decided<'_> {
    /// Whether a rule allows the platform and none denies it.
    pub fn is_accepted(&self) -> bool {
        !self.allowed_by.is_empty() && self.denied_by.is_empty()
    }
}

/// Applies rules to a platform.
pub(super) fn decide<'p>(
    allow: impl Iterator<Item = &'p AllowRule>,
    deny: impl Iterator<Item = &'p DenyRule>,
    platform: &Platform<'_>,
    now: UnixTime,
) -> Decided<'p> {
    let mut decided = Decided::default();
    for rule in allow.filter(|rule| rule.platforms.matches(platform.tee, platform.product)) {
        match why_not(rule, platform, now) {
            None => decided.allowed_by.push(rule),
            Some(why) => decided.nearly.push((rule, why)),
        }
    }
    for rule in deny {
        match rule.platforms.applies(platform) {
            Applies::No => {}
            applies => decided.denied_by.push((rule, applies)),
        }
    }
    decided
}

/// Why a rule about these products does not allow the platform.
fn why_not(rule: &AllowRule, platform: &Platform<'_>, now: UnixTime) -> Option<Nearly> {
    let differs = |(feature, wanted): (&Feature, &BTreeSet<Vec<u8>>)| match platform.features.get(feature) {
        None => Some(Nearly::Untold(*feature)),
        Some(told) if told.iter().any(|value| wanted.contains(value)) => None,
        Some(_) => Some(Nearly::Other(*feature)),
    };
    let expired = rule.expires.filter(|_| !rule.is_valid(now)).map(Nearly::Expired);
    expired.or_else(|| rule.platforms.features.iter().find_map(differs))
}
