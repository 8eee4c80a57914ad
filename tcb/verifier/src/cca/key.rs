// SPDX-License-Identifier: Apache-2.0

//! Whose key signed a platform token: the key itself as an endorsement, or a certificate of it, which may also stand
//! in the header of the token.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use enarx_evidence::cose::{EcKey, Sign1};
use enarx_evidence::x509::{Certificate, PublicKey};
use enarx_evidence::{Bundle, Endorsements as Items};
use sha2::{Digest as _, Sha256};

use crate::chain::{self, Profile, Revocable};
use crate::cose::{self, About};
use crate::crypto::SignatureVerifier;
use crate::endorsements::{self, Endorsements, malformed};
use crate::refusal::{Findings, Subject};
use crate::{Code, Root, TrustAnchors, Verification};

/// The chains of a manufacturer of platforms, which the relying party endorsed: whoever has authorities has lists.
const CHAIN: Profile = Profile {
    max_intermediates: 2,
    revocable: Revocable::Everyone,
    root: |root| matches!(root, Root::Endorsed { .. }),
};

/// A key that may be the platform's.
struct Candidate<'a, 'b> {
    key: PublicKey<'b>,
    spki_sha256: [u8; 32],
    certificate: Option<&'b Certificate<'a>>,
}

impl Candidate<'_, '_> {
    /// The key, if the relying party itself names it.
    fn known(&self, anchors: &TrustAnchors) -> Option<Root> {
        let root = anchors.find(&self.spki_sha256)?;
        matches!(root, Root::Endorsed { .. } | Root::Simulated { .. }).then(|| root.clone())
    }

    fn name(&self) -> String {
        self.certificate.map_or_else(
            || format!("the key sha256:{}", hex::encode(self.spki_sha256)),
            |certificate| certificate.common_name().into(),
        )
    }
}

/// Finds the key of the platform among the endorsements and checks that it signed the token. The root is the key
/// itself if the relying party endorsed it, or the root of its certificate's chain.
pub(super) fn examine(
    token: &Sign1<'_>,
    verification: &Verification<'_>,
    crypto: &mut dyn SignatureVerifier,
    findings: &mut Findings,
) -> Option<Root> {
    let (mut keys, others) = keys(&verification.bundle.endorsements, findings);
    let mut opened = endorsements::open(&others, findings);
    match token.certificates() {
        Ok(certificates) => opened.extend(certificates.into_iter().map(Cow::Borrowed)),
        Err(error) => malformed(error, findings),
    }
    opened.retain(|der| match EcKey::from_spki(der) {
        Some(key) => {
            keys.push(key);
            false
        }
        None => true,
    });
    let endorsements = Endorsements::read(&opened, findings);

    let certified = endorsements.certificates.iter().map(|certificate| Candidate {
        key: certificate.key,
        spki_sha256: Sha256::digest(certificate.spki).into(),
        certificate: Some(certificate),
    });
    let bare = keys.iter().map(|key| Candidate {
        key: cose::public_key(key),
        spki_sha256: Sha256::digest(key.spki()).into(),
        certificate: None,
    });
    // What is refused is what nothing else would have satisfied.
    let anchors = verification.anchors;
    let ranked = bare.chain(certified).map(|candidate| {
        let rank = (cose::is_signed(token, candidate.key, crypto), candidate.known(anchors).is_some());
        (rank, candidate)
    });
    let best = ranked.max_by_key(|(rank, _)| *rank);
    let signed = best.as_ref().is_some_and(|((signed, _), _)| *signed);
    let signer = best.map(|(_, candidate)| candidate);
    let expected = "a key of the platform, or a certificate of one";
    let found = signer.as_ref().map_or_else(|| "none".into(), Candidate::name);
    let code = Code::PlatformKeyMissing;
    findings.check(Subject::CcaPlatformKey, code, signer.is_some(), expected, &found);
    let signer = signer?;
    let about = About {
        subject: Subject::CcaPlatformSignature,
        code: Code::PlatformSignatureInvalid,
        signer: &found,
    };
    cose::check_signed(token, signer.key, signed, &about, findings);
    trust(&signer, &endorsements, verification, crypto, findings)
}

fn trust<'a>(
    signer: &Candidate<'a, '_>,
    endorsements: &Endorsements<'a>,
    verification: &Verification<'_>,
    crypto: &mut dyn SignatureVerifier,
    findings: &mut Findings,
) -> Option<Root> {
    let known = signer.known(verification.anchors);
    if let (None, Some(certificate)) = (&known, signer.certificate) {
        cose::check_usage(certificate, Subject::CcaPlatformKey, findings);
        return chain::verify(certificate, endorsements, &CHAIN, verification, crypto, findings);
    }
    let found = match &known {
        Some(root) => format!("{root}"),
        None => signer.name(),
    };
    let expected = "a key that you endorsed, or one that the policy names";
    findings.check(Subject::CcaPlatformKey, Code::RootNotTrusted, known.is_some(), expected, found);
    known
}

/// The keys in COSE or JSON, and what else there is.
fn keys(items: &Items, findings: &mut Findings) -> (Vec<EcKey>, Items) {
    let (mut keys, mut others) = (Vec::new(), Items::default());
    if items.items.len() > Bundle::MAX_ENDORSEMENTS {
        let expected = format_args!("at most {} endorsements", Bundle::MAX_ENDORSEMENTS);
        let found = items.items.len();
        findings.refuse(Subject::Endorsements, Code::EndorsementsTooMany, expected, found);
    }
    for item in items.items.iter().take(Bundle::MAX_ENDORSEMENTS) {
        let read = match item.first() {
            // A map in CBOR.
            Some(0xa0..=0xbf) => EcKey::parse(item),
            Some(b'{') => EcKey::from_jwk(item),
            _ => {
                others.items.push(item.clone());
                continue;
            }
        };
        match read {
            Ok(key) => keys.push(key),
            Err(error) => malformed(error, findings),
        }
    }
    (keys, others)
}
