// SPDX-License-Identifier: Apache-2.0

//! Decides whether evidence is to be trusted: a pure function without clock, network or disk.
//!
//! Whoever relies on a Keep (in the words of RFC 9334 the *relying party*) puts everything that the decision
//! depends on into a [`Request`]: evidence and endorsements as an untrusted host sent them, the report data that
//! binds the evidence to this very session, trust anchors, reference values, the policy, and the time. It gets
//! an [`AttestationResult`] or the [`Refusals`], all of them and not the first.
//!
//! - [`verify`] answers whether evidence is genuine: signatures, certificates, revocation, bindings;
//! - [`appraise`] verifies and then answers whether the policy accepts what the evidence says.
//!
//! Only [`appraise`] makes an [`AttestationResult`], and releasing a secret takes one: there is no other way to
//! say yes. Everything is closed: what is missing refuses, unless the policy says otherwise in a field whose
//! name says what is given up.
//!
//! The same request always gives the same answer, so that a decision can be repeated, and rehearsed.
#![no_std]

extern crate alloc;

pub mod advisory;
mod anchor;
mod appraisal;
mod azure;
mod binding;
mod cca;
mod chain;
mod claims;
mod cose;
pub mod crypto;
mod dcap;
pub mod ear;
mod endorsements;
mod nitro;
mod nvgpu;
pub mod policy;
mod refusal;
mod result;
mod snp;
mod time;
mod tpm;

use alloc::string::String;
use alloc::vec::Vec;

use enarx_evidence::Bundle;

pub use anchor::{Root, TrustAnchors};
pub use claims::{
    AzureMachine, AzureSnpClaims, AzureTdxClaims, CcaClaims, Claims, DcapClaims, DcapTcb, JudgedTcb, KeyName,
    NitroClaims, NvGpuClaims, QuoteClaims, Register, SnpClaims, TpmClaims,
};
pub use policy::{Policy, Tee, Vendor};
pub use refusal::{Check, Code, PolicyEntry, Refusal, Refusals};
pub use result::{AppliedFeed, AttestationResult, Rehearsed, Verified};
pub use time::UnixTime;

use advisory::Feed;
use crypto::{RustCrypto, SignatureVerifier};

/// What a measurement should be, by name: what a policy calls `release`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferenceValue {
    /// The name by which a policy asks for it. Several values may have the same name; each is acceptable.
    pub name: String,
    /// The measurement of the Keep.
    pub measurement: Vec<u8>,
}

/// Everything that an appraisal depends on.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Evidence and endorsements, as the host sent them.
    pub bundle: &'a Bundle,
    /// What the evidence must be bound to.
    pub report_data: &'a [u8; 64],
    /// Whose signatures count.
    pub anchors: &'a TrustAnchors,
    /// What the names of measurements in the policy mean.
    pub reference_values: &'a [ReferenceValue],
    /// What is acceptable.
    pub policy: &'a Policy,
    /// What others warn of, and the relying party listens to: feeds deny beside the policy, and allow nothing.
    pub advisories: &'a [Feed],
    /// When the decision is made.
    pub now: UnixTime,
}

/// Everything that a verification depends on: an appraisal without its policy.
#[derive(Debug, Clone, Copy)]
pub struct Verification<'a> {
    /// Evidence and endorsements, as the host sent them.
    pub bundle: &'a Bundle,
    /// What the evidence must be bound to.
    pub report_data: &'a [u8; 64],
    /// Whose signatures count.
    pub anchors: &'a TrustAnchors,
    /// What is asked of revocation lists.
    pub crl: policy::Crl,
    /// What is asked of Intel's TCB info and enclave identities.
    pub tcb_info: policy::TcbInfo,
    /// How old, and how long expired, either may be.
    pub freshness: policy::Freshness,
    /// When the decision is made.
    pub now: UnixTime,
}

/// What evidence might say, for the question what a policy would answer.
#[derive(Debug, Clone, Copy)]
pub struct Supposition<'a> {
    /// What it says.
    pub claims: &'a Claims,
    /// What is acceptable.
    pub policy: &'a Policy,
    /// What is not asked for; reference values are not known, so that of measurements nothing but digests can match.
    pub leaving_out: &'a [Code],
    /// When the decision would be made.
    pub now: UnixTime,
}

/// Decides whether the evidence is genuine and the policy accepts it.
pub fn appraise(request: &Request<'_>) -> Result<AttestationResult, Refusals> {
    appraise_with(request, &mut RustCrypto)
}

/// [`appraise`] with another implementation of signatures, or with one that remembers those it has verified.
pub fn appraise_with(
    request: &Request<'_>,
    crypto: &mut dyn SignatureVerifier,
) -> Result<AttestationResult, Refusals> {
    appraisal::appraise(request, crypto)
}

/// Decides whether the evidence is genuine, and nothing else: a genuine platform may be one that nobody should
/// trust.
pub fn verify(verification: &Verification<'_>) -> Result<Verified, Refusals> {
    verify_with(verification, &mut RustCrypto)
}

/// [`verify`] with another implementation of signatures.
pub fn verify_with(
    verification: &Verification<'_>,
    crypto: &mut dyn SignatureVerifier,
) -> Result<Verified, Refusals> {
    let mut findings = refusal::Findings::default();
    let examined = appraisal::examine(verification, crypto, &mut findings);
    let checks = findings.into_checks()?;
    Verified::new(examined, *verification.report_data, checks)
}

/// [`verify`] without asking whom the evidence was made for: what it says was true once, and it may be a copy of what
/// was made for somebody else. The report data of the verification do not matter.
///
/// This is for looking at evidence. There is no such appraisal, so that no secret is released on it.
pub fn verify_unbound(verification: &Verification<'_>) -> Result<Verified, Refusals> {
    let mut findings = refusal::Findings::default();
    let examined = appraisal::examine(verification, &mut RustCrypto, &mut findings);
    findings.waive(|refusal| refusal.code == Code::ReportDataMismatch, "anything, since nobody asked");
    let checks = findings.into_checks()?;
    Verified::new(examined, *verification.report_data, checks)
}

/// Decides whether the policy would accept the evidence if the simulated roots among the anchors were real ones. It says
/// nothing about a platform, since a simulated one says what it is told to; it is for trying a policy before it is needed.
pub fn rehearse(request: &Request<'_>) -> Result<Rehearsed, Refusals> {
    appraisal::rehearse(request, &mut RustCrypto)
}

/// Decides what a policy would say to genuine evidence with these claims. Nobody has claimed them: it is for comparing
/// policies.
pub fn suppose(supposition: &Supposition<'_>) -> Result<Rehearsed, Refusals> {
    appraisal::suppose(supposition)
}
