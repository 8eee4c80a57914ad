// SPDX-License-Identifier: Apache-2.0

//! Results as *EAT Attestation Results* (EAR, draft-ietf-rats-ear-03): claims that other relying parties read and
//! that the verifier signs, as a JSON or a CBOR web token.
//!
//! An EAR says in the eight words of AR4SI (draft-ietf-rats-ar4si-09) what was found, and which policy was applied.
//! It is a statement about a decision and not the decision itself: whoever releases a secret here takes an
//! [`AttestationResult`], which no token can be turned into.

mod encode;
mod token;
mod vector;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

pub use token::{Signer, SigningFailed, wrap_cwt, wrap_jwt};
pub use vector::{Tier, TrustVector};

use crate::policy::Vocabulary as _;
use crate::{AttestationResult, Code, Policy, Refusals, UnixTime};

/// `eat_profile`: the draft whose claims these are.
pub const PROFILE: &str = "tag:ietf.org,2026:rats/ear#03";

/// A result that is not signed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ear {
    /// `iat`: when the evidence was appraised.
    pub issued_at: UnixTime,
    /// `exp`: until when the result may be believed.
    pub expires_at: Option<UnixTime>,
    /// `ear_verifier_id`.
    pub verifier: VerifierId,
    /// `eat_nonce`: 8 to 64 bytes that whoever asks for the result chose.
    pub nonce: Option<Vec<u8>>,
    /// `submods`: what was appraised, by the kind of trusted execution environment.
    pub submods: BTreeMap<String, Appraisal>,
}

/// Which software appraised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierId {
    /// Who made it, as a URI.
    pub developer: String,
    /// Its version.
    pub build: String,
}

/// What was found about one environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appraisal {
    /// `ear_status`: never better than the worst word of the vector.
    pub status: Tier,
    /// `ear_trustworthiness_vector`.
    pub vector: TrustVector,
    /// `ear_appraisal_policy_ids`: the policy that was applied, by its digest.
    pub policy: String,
    /// `eat_nonce`: the report data that the evidence was bound to.
    pub nonce: Option<[u8; 64]>,
    /// `ear_enarx_appraisal`: what the words above leave out.
    pub details: Details,
}

/// What was accepted, or why it was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Details {
    /// The policy accepted the evidence.
    Accepted {
        /// Who made the processor.
        vendor: &'static str,
        /// The product, as finely as the evidence tells it.
        product: &'static str,
        /// The rule that allowed it.
        rule: String,
        /// The measurement of the Keep.
        measurement: Vec<u8>,
        /// By which entry of the policy it was accepted.
        measurement_name: String,
        /// The platform is simulated and protects nothing.
        simulated: bool,
    },
    /// It did not, or the evidence is not genuine: every reason.
    Refused(Vec<Code>),
}

impl Ear {
    /// The result of evidence that was accepted.
    pub fn of_result(result: &AttestationResult, verifier: VerifierId) -> Self {
        let vector = TrustVector::of_result(result);
        let appraisal = Appraisal {
            status: vector.tier(),
            vector,
            policy: policy_id(&result.policy_digest()),
            nonce: Some(*result.report_data()),
            details: Details::Accepted {
                vendor: result.vendor().name(),
                product: result.product(),
                rule: result.rule().into(),
                measurement: result.measurement().to_vec(),
                measurement_name: result.measurement_name().into(),
                simulated: result.simulated().is_some(),
            },
        };
        Self::new(result.appraised_at(), verifier, result.tee().name(), appraisal)
    }

    /// The result of evidence that was refused under a policy at a time. What kind of evidence it is, the host said.
    pub fn of_refusals(
        refusals: &Refusals,
        format: enarx_evidence::Format,
        policy: &Policy,
        now: UnixTime,
        verifier: VerifierId,
    ) -> Self {
        let appraisal = Appraisal {
            // Whatever the reason: nobody should trust it.
            status: Tier::Contraindicated,
            vector: TrustVector::of_refusals(refusals),
            policy: policy_id(&policy.digest()),
            // What the evidence is bound to is not known, if it is not genuine.
            nonce: None,
            details: Details::Refused(refusals.codes().collect()),
        };
        Self::new(now, verifier, format.name(), appraisal)
    }

    /// The same result for somebody who asked for it with a nonce, which has to have 8 to 64 bytes.
    #[must_use]
    pub fn with_nonce(self, nonce: &[u8]) -> Option<Self> {
        let nonce = Some(nonce).filter(|nonce| (8..=64).contains(&nonce.len()));
        nonce.map(|nonce| Self { nonce: Some(nonce.to_vec()), ..self })
    }

    fn new(now: UnixTime, verifier: VerifierId, name: &str, appraisal: Appraisal) -> Self {
        let submods = BTreeMap::from([(name.into(), appraisal)]);
        Self { issued_at: now, expires_at: None, verifier, nonce: None, submods }
    }
}

/// A policy as a URI (RFC 6920, section 3, names digests by `ni`).
fn policy_id(digest: &[u8; 32]) -> String {
    use base64ct::{Base64UrlUnpadded, Encoding as _};
    alloc::format!("ni:///sha-256;{}", Base64UrlUnpadded::encode_string(digest))
}
