// SPDX-License-Identifier: Apache-2.0

//! Roots that the user names by a file.

use std::path::Path;

use enarx_evidence::cose::EcKey;
use enarx_evidence::tpm::{Curve, Public, PublicId};
use enarx_evidence::x509::{Certificate, PublicKey};
use sha2::{Digest as _, Sha256};

use super::gather::some;
use super::recognise::{Part, Piece};
use crate::failure::{Failure, Outcome};

/// A root in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedRoot {
    /// What it calls itself, or what it is called here.
    pub(crate) name: String,
    /// SHA-256 of its `SubjectPublicKeyInfo`.
    pub(crate) spki_sha256: [u8; 32],
}

/// The roots in a file: keys, and of a chain of certificates those that issued themselves.
pub(crate) fn roots(file: &Path) -> Outcome<Vec<NamedRoot>> {
    let mut keys = Vec::new();
    let mut certificates = Vec::new();
    for piece in some(file, "that can be a root")? {
        match piece {
            Piece::Bundle(bundle) => certificates.extend(bundle.endorsements.items),
            Piece::Endorsement(item) => certificates.push(item),
            Piece::Key(key) => keys.extend(spki(&key)),
            Piece::Part(Part::Public(public)) => keys.extend(tpm_spki(&public)),
            Piece::Evidence(_) | Piece::Part(_) => {}
        }
    }
    let certificates: Vec<_> = certificates.iter().filter_map(|der| Certificate::parse(der).ok()).collect();
    let (own, others): (Vec<&Certificate<'_>>, Vec<_>) =
        certificates.iter().partition(|certificate| certificate.subject == certificate.issuer);
    let chosen = match (own.as_slice(), others.as_slice()) {
        ([], [one]) => vec![*one],
        _ => own,
    };
    let certified = chosen.into_iter().map(|certificate| (certificate.common_name(), certificate.spki));
    let bare = keys.iter().map(|spki| ("the key that you named", spki.as_slice()));
    let roots: Vec<_> = certified.chain(bare).map(|(name, spki)| named(name, spki)).collect();
    if roots.is_empty() {
        let message = format!("{}: no root is in it", file.display());
        return Err(
            Failure::usage(message).hint("give a key, a certificate that issued itself, or a single one")
        );
    }
    Ok(roots)
}

fn named(name: &str, spki: &[u8]) -> NamedRoot {
    NamedRoot { name: name.to_owned(), spki_sha256: Sha256::digest(spki).into() }
}

/// A key in DER; one in JSON is read.
fn spki(key: &[u8]) -> Option<Vec<u8>> {
    if key.first() == Some(&b'{') {
        EcKey::from_jwk(key).ok().map(|key| key.spki())
    } else {
        Some(key.to_vec())
    }
}

/// A key as a TPM describes it.
fn tpm_spki(public: &[u8]) -> Option<Vec<u8>> {
    let id = Public::parse(public).ok()?.id;
    let (exponent, point) = (id.exponent_bytes(), id.point());
    match &id {
        PublicId::Rsa { modulus, .. } => PublicKey::Rsa { modulus, exponent: &exponent },
        PublicId::Ecc { curve: Curve::P256, .. } => PublicKey::P256(point.as_slice().try_into().ok()?),
        PublicId::Ecc { curve: Curve::P384, .. } => PublicKey::P384(point.as_slice().try_into().ok()?),
    }
    .to_spki()
}
