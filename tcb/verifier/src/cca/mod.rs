// SPDX-License-Identifier: Apache-2.0

//! Verification of Arm CCA attestation tokens: is this token genuine, and what does it say?
//!
//! In order: the token parses and follows a profile that is known; the key of the platform is among the endorsements
//! and one that the relying party endorsed, since Arm has no root for the platforms of all its licensees; it signed
//! the platform token; the realm's attestation key signed the realm token; the platform token names that key; the
//! realm token is bound to this session.

mod key;

use alloc::boxed::Box;
use alloc::vec::Vec;

use enarx_evidence::cca::{HashAlgorithm, PlatformProfile, RealmProfile, Token};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use crate::appraisal::Examined;
use crate::cose::{self, About};
use crate::crypto::SignatureVerifier;
use crate::refusal::{Findings, Subject};
use crate::{CcaClaims, Claims, Code, Verification};

/// Verifies a token, and notes every check. `None` if the token says nothing that could be understood.
pub(crate) fn examine(
    verification: &Verification<'_>,
    crypto: &mut dyn SignatureVerifier,
    findings: &mut Findings,
) -> Option<Examined> {
    let token = parse(&verification.bundle.evidence.bytes, findings)?;
    profiles(&token, findings);
    let root = key::examine(&token.platform, verification, crypto, findings);
    realm_signature(&token, crypto, findings);
    realm_key(&token, findings);
    report_data(&token, verification.report_data, findings);
    let claims = CcaClaims { platform: token.platform_claims, realm: token.realm_claims };
    Some(Examined { claims: Claims::Cca(Box::new(claims)), root })
}

fn parse<'a>(bytes: &'a [u8], findings: &mut Findings) -> Option<Token<'a>> {
    let expected = "a CCA attestation token";
    match Token::parse(bytes) {
        Ok(token) => {
            let found = format_args!("{:?}", token.wrapping);
            findings.check(Subject::CcaToken, Code::EvidenceMalformed, true, expected, found);
            Some(token)
        }
        Err(error) => {
            findings.refuse(Subject::CcaToken, Code::EvidenceMalformed, expected, error);
            None
        }
    }
}

/// Claims mean what their profile says, so nothing follows from those of an unknown one.
fn profiles(token: &Token<'_>, findings: &mut Findings) {
    let (platform, realm) = (&token.platform_claims.profile, &token.realm_claims.profile);
    let known = !matches!(platform, PlatformProfile::Other(_));
    let expected = "a platform profile that is known";
    findings.check(Subject::CcaProfile, Code::ProfileUnsupported, known, expected, platform.name());
    let known = !matches!(realm, RealmProfile::Other(_));
    let expected = "a realm profile that is known, or none";
    let found = realm.name().unwrap_or("none");
    findings.check(Subject::CcaProfile, Code::ProfileUnsupported, known, expected, found);
}

fn realm_signature(token: &Token<'_>, crypto: &mut dyn SignatureVerifier, findings: &mut Findings) {
    let about = About {
        subject: Subject::CcaRealmSignature,
        code: Code::RealmSignatureInvalid,
        signer: "the attestation key of the realm",
    };
    match token.realm_claims.attestation_key() {
        Ok(key) => cose::check(&token.realm, cose::public_key(&key), &about, crypto, findings),
        Err(error) => findings.refuse(about.subject, Code::EvidenceMalformed, about.signer, error),
    }
}

/// The challenge of the platform token is the digest of the realm's key, as the realm token has it: without it both
/// tokens could be genuine and of different machines.
fn realm_key(token: &Token<'_>, findings: &mut Findings) {
    let realm = &token.realm_claims;
    let digest = digest(realm.public_key_hash, &realm.public_key);
    let challenge = token.platform_claims.challenge;
    let same = challenge.as_bytes() == digest;
    let expected = format_args!("{} {}", realm.public_key_hash, hex::encode(digest));
    let found = hex::encode(challenge.as_bytes());
    findings.check(Subject::CcaRealmKey, Code::RealmKeyMismatch, same, expected, found);
}

/// The realm token was made for this session.
fn report_data(token: &Token<'_>, wanted: &[u8; 64], findings: &mut Findings) {
    let found = &token.realm_claims.challenge;
    let (same, wanted, found) = (found == wanted, hex::encode(wanted), hex::encode(found));
    findings.check(Subject::CcaChallenge, Code::ReportDataMismatch, same, wanted, found);
}

fn digest(hash: HashAlgorithm, bytes: &[u8]) -> Vec<u8> {
    match hash {
        HashAlgorithm::Sha256 => Sha256::digest(bytes).to_vec(),
        HashAlgorithm::Sha384 => Sha384::digest(bytes).to_vec(),
        HashAlgorithm::Sha512 => Sha512::digest(bytes).to_vec(),
    }
}
