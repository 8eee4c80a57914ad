// SPDX-License-Identifier: Apache-2.0

//! Finding the way from a certificate to a root among whatever the host sent.

use alloc::vec::Vec;

use enarx_evidence::x509::Certificate;
use sha2::{Digest as _, Sha256};

use super::{Profile, is_issued};
use crate::crypto::SignatureVerifier;
use crate::endorsements::Endorsements;
use crate::{Root, TrustAnchors, UnixTime, Verification};

/// How many signatures are verified at most to find a way. A genuine set of endorsements needs below ten.
const BUDGET: usize = 64;

/// One step up.
pub(super) struct Link<'a, 'b> {
    pub(super) issuer: &'b Certificate<'a>,
    /// The issuer signed the certificate below.
    pub(super) signed: bool,
}

/// What the relying party knows about the root at the end of a way.
pub(super) struct Top<'b> {
    pub(super) spki_sha256: [u8; 32],
    /// The root, if it is known and one for this purpose.
    pub(super) known: Option<&'b Root>,
    /// The root, if it is known for another purpose.
    pub(super) foreign: Option<&'b Root>,
}

/// A way up, as far as it goes.
#[derive(Default)]
pub(super) struct Path<'a, 'b> {
    pub(super) links: Vec<Link<'a, 'b>>,
    pub(super) root: Option<Top<'b>>,
}

impl Path<'_, '_> {
    /// The best of several ways: a known root before good signatures before validity before a later end.
    fn rank(&self, now: UnixTime) -> (bool, core::cmp::Reverse<usize>, bool, bool, u64) {
        let known = self.root.as_ref().is_some_and(|root| root.known.is_some());
        let unsigned = self.links.iter().filter(|link| !link.signed).count();
        let valid = self.links.iter().all(|link| is_valid(link.issuer, now));
        let end = self.links.first().map_or(0, |link| link.issuer.not_after);
        (known, core::cmp::Reverse(unsigned), self.root.is_some(), valid, end)
    }
}

/// A search with what it may spend.
pub(super) struct Search<'a, 'b, 'c> {
    endorsements: &'b Endorsements<'a>,
    anchors: &'b TrustAnchors,
    is_for_purpose: fn(&Root) -> bool,
    max_intermediates: usize,
    now: UnixTime,
    crypto: &'c mut dyn SignatureVerifier,
    budget: usize,
}

impl<'a, 'b, 'c> Search<'a, 'b, 'c> {
    pub(super) fn new(
        endorsements: &'b Endorsements<'a>,
        verification: &Verification<'b>,
        profile: &Profile,
        crypto: &'c mut dyn SignatureVerifier,
    ) -> Self {
        Self {
            endorsements,
            anchors: verification.anchors,
            is_for_purpose: profile.root,
            max_intermediates: profile.max_intermediates,
            now: verification.now,
            crypto,
            budget: BUDGET,
        }
    }

    /// The best way from a certificate.
    pub(super) fn best(mut self, leaf: &Certificate<'a>) -> Path<'a, 'b> {
        self.from(leaf, self.max_intermediates)
    }

    fn from(&mut self, below: &Certificate<'a>, room: usize) -> Path<'a, 'b> {
        let mut best = Path::default();
        for issuer in &self.endorsements.certificates {
            if issuer.subject != below.issuer || issuer.der == below.der {
                continue;
            }
            let Some(left) = self.budget.checked_sub(1) else { break };
            self.budget = left;
            let signed = is_issued(below, issuer, &self.endorsements.proved, self.crypto);
            let mut path = if is_self_issued(issuer) {
                Path { links: Vec::new(), root: Some(self.top(issuer)) }
            } else if let Some(room) = room.checked_sub(1) {
                self.from(issuer, room)
            } else {
                continue;
            };
            path.links.insert(0, Link { issuer, signed });
            if best.links.is_empty() || path.rank(self.now) > best.rank(self.now) {
                best = path;
            }
        }
        best
    }

    fn top(&self, root: &Certificate<'_>) -> Top<'b> {
        let spki_sha256 = Sha256::digest(root.spki).into();
        let found = self.anchors.find(&spki_sha256);
        let for_purpose =
            |root: &&Root| matches!(root, Root::Simulated { .. }) || (self.is_for_purpose)(root);
        let known = found.filter(for_purpose);
        Top { spki_sha256, known, foreign: found.filter(|_| known.is_none()) }
    }
}

fn is_self_issued(certificate: &Certificate<'_>) -> bool {
    certificate.issuer == certificate.subject
}

pub(super) fn is_valid(certificate: &Certificate<'_>, now: UnixTime) -> bool {
    (certificate.not_before..=certificate.not_after).contains(&now.0)
}
