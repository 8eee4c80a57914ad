// SPDX-License-Identifier: Apache-2.0

//! The chain from the key that signed something to a known root (RFC 5280, section 6.1).
//!
//! A chain is built by names and proved by signatures; the order in which the certificates came means nothing.
//! Several authorities of one name are usual, since vendors replace them, and each is tried. What bounds the work is
//! a budget of signatures: whoever sends certificates that exhaust it is refused.

mod checks;
mod proved;
mod revocation;
mod search;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;

use enarx_evidence::x509::Certificate;

use crate::crypto::SignatureVerifier;
use crate::endorsements::Endorsements;
use crate::refusal::{Findings, Subject};
use crate::{Code, Root, Verification};
pub(crate) use proved::Proved;
use proved::Statement;
use search::Search;

/// What the chains of a vendor look like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Profile {
    /// How many authorities may stand between a certificate and the root.
    pub(crate) max_intermediates: usize,
    /// Whose revocation the vendor's lists are about.
    pub(crate) revocable: Revocable,
    /// Whether a root is one for this purpose. A simulated one is for any.
    pub(crate) root: fn(&Root) -> bool,
}

/// Whose revocation lists are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Revocable {
    /// Of authorities below the root only.
    Authorities,
    /// Of every certificate below the root.
    Everyone,
    /// Of every certificate that says where the list is (`cRLDistributionPoints`).
    WhoeverNamesAList,
    /// Of none: the vendor makes certificates that live so shortly that it publishes no list.
    Nobody,
}

/// Verifies the chain of a certificate and notes every check. The root is that of the chain, if it is known, for
/// this purpose, and every signature up to it is good.
pub(crate) fn verify<'a>(
    leaf: &Certificate<'a>,
    endorsements: &Endorsements<'a>,
    profile: &Profile,
    verification: &Verification<'_>,
    crypto: &mut dyn SignatureVerifier,
    findings: &mut Findings,
) -> Option<Root> {
    let now = verification.now;
    checks::certificate(leaf, now, findings);
    let search = Search::new(endorsements, verification, profile, crypto);
    let path = search.best(leaf);

    let mut below = leaf;
    for (position, link) in path.links.iter().enumerate() {
        checks::signature(below, link.signed, findings);
        checks::certificate(link.issuer, now, findings);
        checks::authority(link.issuer, position, findings);
        below = link.issuer;
    }
    let Some(root) = path.root else {
        let code = if path.links.is_empty() { Code::IssuerMissing } else { Code::RootMissing };
        let expected = format_args!("a certificate of {}", below.issuer_common_name());
        findings.refuse(Subject::Chain, code, expected, "none");
        return None;
    };
    let root_signed = is_issued(below, below, &endorsements.proved, crypto);
    checks::signature(below, root_signed, findings);
    checks::root(below, &root, findings);
    let chain = core::iter::once(leaf).chain(path.links.iter().map(|link| link.issuer)).collect::<Vec<_>>();
    revocation::check(&chain, endorsements, profile.revocable, verification, crypto, findings);
    let proved = root_signed && path.links.iter().all(|link| link.signed);
    root.known.filter(|_| proved).cloned()
}

/// Whether a certificate was signed with the key in another one.
fn is_issued<'a>(
    certificate: &Certificate<'a>,
    issuer: &Certificate<'a>,
    proved: &Proved<'a>,
    crypto: &mut dyn SignatureVerifier,
) -> bool {
    let Certificate { algorithm, tbs: message, signature, .. } = *certificate;
    proved.check(Statement { signature, message, algorithm, key: issuer.key }, crypto)
}
