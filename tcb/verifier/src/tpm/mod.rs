// SPDX-License-Identifier: Apache-2.0

//! Verification of TPM 2.0 quotes: did a known attestation key sign these registers, for this session?
//!
//! In order: the evidence parses; the attestation key is one that the relying party endorsed, or a chain leads from
//! its certificate to a root that is known; the key is one that signs nothing but what the TPM itself says; it
//! signed the quote; the quote is bound to this session; the values of the registers are those of the quote.
//!
//! The extra data of a quote is shorter than report data on most TPMs. Therefore it holds the SHA-256 of the report
//! data. For who asks with a nonce of their own, the report data is the nonce with zeros after it, and the extra
//! data may then be the nonce itself; see [`crate::binding`].
//!
//! A TPM that is not part of a confidential machine proves what was booted, and hides nothing from who operates
//! the machine or stands between its processor and the TPM.

mod key;
mod quote;

use alloc::boxed::Box;

use enarx_evidence::tpm::{AttestationKey, TpmEvidence};
use enarx_evidence::x509::PublicKey;
use sha2::{Digest as _, Sha256};

use crate::appraisal::Examined;
use crate::crypto::SignatureVerifier;
use crate::endorsements::{self, Endorsements};
use crate::refusal::{Findings, Subject};
use crate::{Claims, Code, KeyName, TpmClaims, Verification};

pub(crate) use key::{certificate_of, certified};
pub(crate) use quote::check as check_quote;

/// Verifies a quote, and notes every check. `None` if it says nothing that could be understood.
pub(crate) fn examine(
    verification: &Verification<'_>,
    crypto: &mut dyn SignatureVerifier,
    findings: &mut Findings,
) -> Option<Examined> {
    let evidence = parse(&verification.bundle.evidence.bytes, findings)?;
    let opened = endorsements::open(&verification.bundle.endorsements, findings);
    let endorsements = Endorsements::read(&opened, findings);
    let key = key::find(&evidence, &endorsements, verification.now, crypto, findings)?;
    let root = key.root(&endorsements, verification, crypto, findings);
    let (attributes, name) = match &evidence.key {
        Some(AttestationKey::Public(public)) => {
            key::attributes(public, &evidence.quote.signature, findings);
            let name = key::name(public, &evidence.quote.attest.qualified_signer, findings);
            (Some(public.attributes), name)
        }
        _ => (None, KeyName::Unconfirmed),
    };
    let public = PublicKey::from_spki(&key.spki).unwrap_or(PublicKey::Other);
    let quote = quote::check(&evidence.quote, public, verification.report_data, crypto, findings);
    let claims = TpmClaims {
        quote,
        key_sha256: Sha256::digest(&key.spki).into(),
        certificate: key.certificate.map(|certificate| certificate.common_name().into()),
        attributes,
        name,
    };
    Some(Examined { claims: Claims::Tpm(Box::new(claims)), root })
}

fn parse(bytes: &[u8], findings: &mut Findings) -> Option<TpmEvidence> {
    let expected = "a TPM quote with its signature";
    match TpmEvidence::decode(bytes) {
        Ok(evidence) => {
            findings.check(Subject::TpmEvidence, Code::EvidenceMalformed, true, expected, "a quote");
            Some(evidence)
        }
        Err(error) => {
            findings.refuse(Subject::TpmEvidence, Code::EvidenceMalformed, expected, error);
            None
        }
    }
}
