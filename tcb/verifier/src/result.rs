// SPDX-License-Identifier: Apache-2.0

//! What a yes looks like: [`Verified`] (genuine) and [`AttestationResult`] (genuine and acceptable); and [`Rehearsed`],
//! which is none.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use crate::advisory::Feed;
use crate::appraisal::Examined;
use crate::policy::{Tee, Vendor};
use crate::{Check, Claims, Refusals, Root, UnixTime};

/// Genuine evidence: the hardware of a vendor, or of a simulated one, says this. Nothing is decided about whether
/// to trust it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    claims: Claims,
    root: Root,
    report_data: [u8; 64],
    checks: Vec<Check>,
}

impl Verified {
    /// What the evidence says.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// The root that the chain ended with.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// Everything that was checked, in order.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }
}

/// Evidence that was appraised and accepted. Only [`crate::appraise`] makes one, so that whoever asks for one
/// before releasing a secret cannot forget to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttestationResult {
    verified: Verified,
    decision: Decision,
}

/// What would have been accepted, had it been genuine. No secret is released on it: nothing takes one, and it cannot be
/// made into an [`AttestationResult`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehearsed {
    pub(crate) rule: String,
    pub(crate) measurement: String,
    pub(crate) checks: Vec<Check>,
}

impl Rehearsed {
    /// The rule of the policy that allows the platform.
    pub fn rule(&self) -> &str {
        &self.rule
    }

    /// By which entry of the policy the measurement is acceptable.
    pub fn measurement_name(&self) -> &str {
        &self.measurement
    }

    /// Everything that was checked, in order. What was left out passed, and says so.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }
}

/// What the policy decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) rule: String,
    pub(crate) measurement: String,
    pub(crate) policy_digest: [u8; 32],
    pub(crate) feeds: Vec<AppliedFeed>,
    pub(crate) appraised_at: UnixTime,
}

/// A feed of advisories that had nothing to say against the evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AppliedFeed {
    /// Its name.
    pub feed: String,
    /// Its version.
    pub version: u32,
    /// The key of its issuer.
    pub issuer: String,
    /// Its digest, in hexadecimal.
    pub digest: String,
}

impl AppliedFeed {
    pub(crate) fn new(feed: &Feed) -> Self {
        let contents = feed.contents();
        Self {
            feed: contents.feed.clone(),
            version: contents.version,
            issuer: feed.issuer().to_string(),
            digest: hex::encode(feed.digest()),
        }
    }
}

impl AttestationResult {
    /// The kind of trusted execution environment.
    pub fn tee(&self) -> Tee {
        self.verified.claims.tee()
    }

    /// Who made the processor, or whose processor is simulated.
    pub fn vendor(&self) -> Vendor {
        self.verified.claims.vendor()
    }

    /// The product, as finely as the evidence tells it.
    pub fn product(&self) -> &'static str {
        self.verified.claims.product_name()
    }

    /// The name of the simulated root, if the platform is simulated and protects nothing.
    pub fn simulated(&self) -> Option<&str> {
        match &self.verified.root {
            Root::Simulated { name, .. } => Some(name),
            _ => None,
        }
    }

    /// What the evidence says.
    pub fn claims(&self) -> &Claims {
        &self.verified.claims
    }

    /// The root that the chain ended with.
    pub fn root(&self) -> &Root {
        &self.verified.root
    }

    /// What the evidence is bound to.
    pub fn report_data(&self) -> &[u8; 64] {
        &self.verified.report_data
    }

    /// The measurement of the Keep.
    pub fn measurement(&self) -> &[u8] {
        self.verified.claims.measurement()
    }

    /// By which entry of the policy the measurement was accepted.
    pub fn measurement_name(&self) -> &str {
        &self.decision.measurement
    }

    /// The rule of the policy that allowed the platform.
    pub fn rule(&self) -> &str {
        &self.decision.rule
    }

    /// The digest of the policy.
    pub fn policy_digest(&self) -> [u8; 32] {
        self.decision.policy_digest
    }

    /// The feeds of advisories that were applied beside the policy.
    pub fn advisory_feeds(&self) -> &[AppliedFeed] {
        &self.decision.feeds
    }

    /// When it was appraised.
    pub fn appraised_at(&self) -> UnixTime {
        self.decision.appraised_at
    }

    /// Everything that was checked, in order.
    pub fn checks(&self) -> &[Check] {
        &self.verified.checks
    }
}

impl Verified {
    /// What is left of an examination that found nothing to refuse.
    pub(crate) fn new(
        examined: Option<Examined>,
        report_data: [u8; 64],
        checks: Vec<Check>,
    ) -> Result<Self, Refusals> {
        match examined {
            Some(Examined { claims, root: Some(root) }) => Ok(Self { claims, root, report_data, checks }),
            _ => Err(Refusals::incomplete(checks)),
        }
    }
}

impl AttestationResult {
    /// Called by the appraisal alone.
    pub(crate) fn new(verified: Verified, decision: Decision) -> Self {
        Self { verified, decision }
    }
}

impl Serialize for AttestationResult {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("AttestationResult", 15)?;
        fields.serialize_field("verdict", "accepted")?;
        fields.serialize_field("simulated", &self.simulated().is_some())?;
        fields.serialize_field("simulated_root", &self.simulated())?;
        fields.serialize_field("vendor", policy_word(self.vendor()))?;
        fields.serialize_field("tee", policy_word(self.tee()))?;
        fields.serialize_field("product", self.product())?;
        fields.serialize_field("rule", self.rule())?;
        fields.serialize_field("measurement", &hex::encode(self.measurement()))?;
        fields.serialize_field("measurement_name", self.measurement_name())?;
        fields.serialize_field("report_data", &hex::encode(self.report_data()))?;
        fields.serialize_field("policy_digest", &hex::encode(self.policy_digest()))?;
        fields.serialize_field("advisory_feeds", self.advisory_feeds())?;
        fields.serialize_field("appraised_at", &self.appraised_at())?;
        fields.serialize_field("claims", self.claims())?;
        fields.serialize_field("checks", self.checks())?;
        fields.end()
    }
}

fn policy_word(word: impl crate::policy::Vocabulary) -> &'static str {
    word.name()
}
