// SPDX-License-Identifier: Apache-2.0

//! Whose quote it is: the attestation key, and who vouches for it.

use alloc::format;
use alloc::vec::Vec;

use enarx_evidence::tpm::{
    AttestationKey, Attributes, Curve, KeyScheme, Public, PublicId, RsaPadding, Signature, TpmEvidence,
};
use enarx_evidence::x509::{Certificate, PublicKey};
use sha2::{Digest as _, Sha256};

use super::quote;
use crate::chain::{self, Profile, Revocable};
use crate::crypto::SignatureVerifier;
use crate::endorsements::Endorsements;
use crate::refusal::{Findings, Subject};
use crate::{Code, KeyName, Root, UnixTime, Verification};

/// The chains of attestation keys. Authorities say in their own certificate where the list is that could revoke
/// them; attestation keys are in none.
const CHAIN: Profile = Profile {
    max_intermediates: 3,
    revocable: Revocable::WhoeverNamesAList,
    root: |root| matches!(root, Root::GoogleTpm | Root::AzureTpm | Root::Endorsed { .. }),
};

/// `TPM_RH_OWNER`, `TPM_RH_ENDORSEMENT` and `TPM_RH_PLATFORM` (*TPM 2.0, part 2*, section 7.4). The keys of the null
/// hierarchy do not outlive a reset.
const HIERARCHIES: [u32; 3] = [0x4000_0001, 0x4000_000b, 0x4000_000c];

/// An attestation key.
pub(super) struct Key<'a> {
    /// Its DER `SubjectPublicKeyInfo`.
    pub(super) spki: Vec<u8>,
    /// Its certificate, if one was sent.
    pub(super) certificate: Option<Certificate<'a>>,
}

/// The key that was sent, or that a certificate was sent of.
pub(super) fn find<'a>(
    evidence: &TpmEvidence,
    endorsements: &Endorsements<'a>,
    now: UnixTime,
    crypto: &mut dyn SignatureVerifier,
    findings: &mut Findings,
) -> Option<Key<'a>> {
    let spki = match &evidence.key {
        Some(AttestationKey::Public(public)) => spki(public),
        Some(AttestationKey::Spki(spki)) => Some(spki.clone()),
        None => {
            let certificate = signer(evidence, endorsements, crypto, findings)?;
            return Some(Key { spki: certificate.spki.to_vec(), certificate: Some(certificate) });
        }
    };
    let known = |spki: &Vec<u8>| matches!(PublicKey::from_spki(spki), Ok(key) if key != PublicKey::Other);
    let Some(spki) = spki.filter(known) else {
        let expected = "an RSA key, or one on P-256 or P-384";
        findings.refuse(Subject::TpmKey, Code::KeyUnsupported, expected, "another key");
        return None;
    };
    let certificate = find_certificate(&spki, endorsements, now);
    Some(Key { spki, certificate })
}

/// The certificate of a key, if one was sent.
pub(crate) fn certificate_of<'a>(
    key: PublicKey<'_>,
    endorsements: &Endorsements<'a>,
    now: UnixTime,
) -> Option<Certificate<'a>> {
    find_certificate(&key.to_spki()?, endorsements, now)
}

/// Of several certificates of a key, one that is valid now.
fn find_certificate<'a>(
    spki: &[u8],
    endorsements: &Endorsements<'a>,
    now: UnixTime,
) -> Option<Certificate<'a>> {
    let of_key = endorsements.certificates.iter().filter(|found| found.spki == spki && !is_authority(found));
    let valid = |found: &Certificate<'_>| (found.not_before..=found.not_after).contains(&now.0);
    of_key.max_by_key(|found| (valid(found), found.not_after)).copied()
}

/// The certificate of the key that signed, where no key was sent: among those that are no authority's.
fn signer<'a>(
    evidence: &TpmEvidence,
    endorsements: &Endorsements<'a>,
    crypto: &mut dyn SignatureVerifier,
    findings: &mut Findings,
) -> Option<Certificate<'a>> {
    let mut leaves = endorsements.certificates.iter().filter(|found| !is_authority(found));
    let first = leaves.clone().next();
    let signer = leaves.find(|leaf| quote::is_signed(&evidence.quote, leaf.key, crypto)).or(first).copied();
    let found = signer.as_ref().map_or("none", Certificate::common_name);
    let expected = "an attestation key, or a certificate of it";
    findings.check(Subject::TpmKey, Code::TpmKeyMissing, signer.is_some(), expected, found);
    signer
}

fn is_authority(certificate: &Certificate<'_>) -> bool {
    certificate.extensions.basic_constraints().is_some_and(|constraints| constraints.ca)
}

impl<'a> Key<'a> {
    /// Who vouches for the key: the relying party itself, or the root of its certificate.
    pub(super) fn root(
        &self,
        endorsements: &Endorsements<'a>,
        verification: &Verification<'_>,
        crypto: &mut dyn SignatureVerifier,
        findings: &mut Findings,
    ) -> Option<Root> {
        let digest = Sha256::digest(&self.spki).into();
        let expected = "an attestation key that you endorsed, or a certificate of it";
        let pinned = verification.anchors.find(&digest);
        if let Some(root @ (Root::Endorsed { .. } | Root::Simulated { .. })) = pinned {
            findings.check(Subject::TpmKey, Code::TpmKeyNotEndorsed, true, expected, root);
            return Some(root.clone());
        }
        let Some(certificate) = &self.certificate else {
            let found = format!("a key that nobody vouches for, sha256:{}", hex::encode(digest));
            findings.refuse(Subject::TpmKey, Code::TpmKeyNotEndorsed, expected, found);
            return None;
        };
        certified(certificate, endorsements, verification, crypto, findings)
    }
}

/// The root of an attestation key's certificate, if its chain is good.
pub(crate) fn certified<'a>(
    certificate: &Certificate<'a>,
    endorsements: &Endorsements<'a>,
    verification: &Verification<'_>,
    crypto: &mut dyn SignatureVerifier,
    findings: &mut Findings,
) -> Option<Root> {
    let signs = certificate.extensions.key_usage().is_none_or(|usage| usage.digital_signature);
    let expected = format_args!("{}, a key that signs", certificate.common_name());
    let found = if signs { "it is" } else { "it is not" };
    findings.check(Subject::TpmKey, Code::KeyUnsupported, signs, expected, found);
    chain::verify(certificate, endorsements, &CHAIN, verification, crypto, findings).filter(|_| signs)
}

/// What makes a key one whose signatures mean that the TPM said it. Where only the key itself was sent, whoever
/// certified or endorsed it answers for that.
pub(super) fn attributes(public: &Public, signature: &Signature, findings: &mut Findings) {
    let found = public.attributes;
    let good = found.restricted() && found.sign() && !found.decrypt();
    let own = found.fixed_tpm() && found.fixed_parent() && found.sensitive_data_origin();
    let expected = "restricted, sign, fixedTPM, fixedParent and sensitiveDataOrigin";
    let text = words(found);
    findings.check(Subject::TpmKeyAttributes, Code::TpmKeyAttributes, good && own, expected, text);

    let made = match signature {
        Signature::Rsa { padding: RsaPadding::Pkcs1, hash, .. } => KeyScheme::RsaSsa(*hash),
        Signature::Rsa { padding: RsaPadding::Pss, hash, .. } => KeyScheme::RsaPss(*hash),
        Signature::Ecdsa { hash, .. } => KeyScheme::Ecdsa(*hash),
    };
    // A restricted key that signs has one scheme (Part 2, sections 12.2.3.5 and 12.2.3.6).
    let same = public.scheme == made;
    let expected = format_args!("the scheme of the signature, {made:?}");
    let found = format_args!("{:?}", public.scheme);
    findings.check(Subject::TpmKeyAttributes, Code::TpmKeyAttributes, same, expected, found);
}

/// The quote names its signer by everything that the TPM knows about the key and by where it stands (Part 1, sections
/// 16 and 26.5). The name of a key directly below a hierarchy follows from its public area, which is thereby what the
/// TPM says; of the name of any other key only the hash function can be checked, and who certified the key answers for
/// what is said about it.
pub(super) fn name(public: &Public, qualified_signer: &[u8], findings: &mut Findings) -> KeyName {
    let named = |bytes: &[u8]| {
        let number = public.name_alg.number().to_be_bytes();
        [&number[..], &quote::digest(public.name_alg, bytes)].concat()
    };
    let own = named(&public.encode());
    let is_below = |handle: &u32| named(&[&handle.to_be_bytes()[..], &own].concat()) == qualified_signer;
    let name = if HIERARCHIES.iter().any(is_below) { KeyName::Confirmed } else { KeyName::Unconfirmed };
    let of_kind = qualified_signer.len() == own.len() && qualified_signer.get(..2) == own.get(..2);
    let expected = format_args!("a name made with {}", public.name_alg);
    let found = match (of_kind, name) {
        (false, _) => "another",
        (true, KeyName::Confirmed) => "that of the key as it is described",
        (true, KeyName::Unconfirmed) => "one that does not follow from the description",
    };
    findings.check(Subject::TpmKeyAttributes, Code::TpmKeyAttributes, of_kind, expected, found);
    name
}

fn words(attributes: Attributes) -> alloc::string::String {
    let words = [
        (attributes.restricted(), "restricted"),
        (attributes.sign(), "sign"),
        (attributes.decrypt(), "decrypt"),
        (attributes.fixed_tpm(), "fixedTPM"),
        (attributes.fixed_parent(), "fixedParent"),
        (attributes.sensitive_data_origin(), "sensitiveDataOrigin"),
    ];
    let set = words.iter().filter(|(set, _)| *set).map(|(_, word)| *word).collect::<Vec<_>>();
    if set.is_empty() { "none of them".into() } else { set.join(", ") }
}

/// The key as certificates hold it.
fn spki(public: &Public) -> Option<Vec<u8>> {
    let (exponent, point) = (public.id.exponent_bytes(), public.id.point());
    let key = match &public.id {
        PublicId::Rsa { modulus, .. } => PublicKey::Rsa { modulus, exponent: &exponent },
        PublicId::Ecc { curve: Curve::P256, .. } => PublicKey::P256(point.as_slice().try_into().ok()?),
        PublicId::Ecc { curve: Curve::P384, .. } => PublicKey::P384(point.as_slice().try_into().ok()?),
    };
    key.to_spki()
}
