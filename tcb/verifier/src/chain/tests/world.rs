// SPDX-License-Identifier: Apache-2.0

//! Certificates and lists that say whatever a test wants, and a small world of them: a root, an authority, a leaf.

use alloc::borrow::Cow;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use der::Encode as _;
use enarx_evidence::x509::{Certificate, PublicKey};
use enarx_evidence::{Bundle, Evidence, Format};
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use p256::ecdsa::{Signature, SigningKey};
use sha2::{Digest as _, Sha256};

use super::super::{Profile, Revocable, verify};
use crate::crypto::{RustCrypto, SignatureVerifier, Signed};
use crate::endorsements::Endorsements;
use crate::policy::{Crl, Freshness, TcbInfo};
use crate::refusal::Findings;
use crate::{Code, Root, TrustAnchors, UnixTime, Verification};

pub(super) const NOW: u64 = 1_750_000_000;
pub(super) const DAY: u64 = 24 * 60 * 60;

pub(super) const ECDSA_SHA256: &[u8] =
    &[0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
pub(super) const ECDSA_SHA1: &[u8] = &[0x30, 0x09, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01];

pub(super) const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
pub(super) const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
pub(super) const CRL_DISTRIBUTION_POINTS: &[u8] = &[0x55, 0x1d, 0x1f];
pub(super) const NAME_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x1e];
pub(super) const ISSUING_DISTRIBUTION_POINT: &[u8] = &[0x55, 0x1d, 0x1c];
pub(super) const CERTIFICATE_ISSUER: &[u8] = &[0x55, 0x1d, 0x1d];

pub(super) const CERT_SIGN: u8 = 0x04;
pub(super) const CRL_SIGN: u8 = 0x02;

pub(super) fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(contents.len()).unwrap().to_be_bytes();
    let header = match (high, low) {
        (0, 0..=0x7f) => vec![tag, low],
        (0, _) => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    [header.as_slice(), contents].concat()
}

pub(super) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

pub(super) fn time(seconds: u64) -> Vec<u8> {
    let time = der::asn1::UtcTime::from_unix_duration(Duration::from_secs(seconds)).unwrap();
    time.to_der().unwrap()
}

pub(super) fn extension(id: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { &[0x01, 0x01, 0xff] } else { &[] };
    sequence(&[&tlv(0x06, id), critical, &tlv(0x04, value)])
}

pub(super) fn authority(path_len: Option<u8>) -> Vec<u8> {
    let limit = path_len.map_or(vec![], |limit| vec![0x02, 0x01, limit]);
    extension(BASIC_CONSTRAINTS, true, &sequence(&[&[0x01, 0x01, 0xff], &limit]))
}

pub(super) fn no_authority() -> Vec<u8> {
    extension(BASIC_CONSTRAINTS, true, &sequence(&[]))
}

pub(super) fn usage(bits: u8) -> Vec<u8> {
    extension(KEY_USAGE, true, &[0x03, 0x02, 0x00, bits])
}

/// Who has a name and a key. The same name twice is two people.
pub(super) struct Person {
    name: Vec<u8>,
    key: SigningKey,
}

impl Person {
    pub(super) fn new(name: &str, key: u8) -> Self {
        let attribute = sequence(&[&[0x06, 0x03, 0x55, 0x04, 0x03], &tlv(0x0c, name.as_bytes())]);
        Self { name: sequence(&[&tlv(0x31, &attribute)]), key: SigningKey::from_slice(&[key; 32]).unwrap() }
    }

    pub(super) fn spki(&self) -> Vec<u8> {
        let point = self.key.verifying_key().to_sec1_point(false);
        PublicKey::P256(point.as_bytes().try_into().unwrap()).to_spki().unwrap()
    }

    pub(super) fn pin(&self) -> [u8; 32] {
        Sha256::digest(self.spki()).into()
    }

    pub(super) fn sign(&self, content: &[u8], algorithm: &[u8]) -> Vec<u8> {
        let signature: Signature = self.key.sign_prehash(&Sha256::digest(content)).unwrap();
        let signature = tlv(0x03, &[&[0], signature.to_der().as_bytes()].concat());
        sequence(&[content, algorithm, &signature])
    }

    /// A certificate of somebody.
    pub(super) fn certifies(&self, subject: &Self, paper: &Paper) -> Vec<u8> {
        let extensions = tlv(0xa3, &tlv(0x30, &paper.extensions.concat()));
        let content = sequence(&[
            &[0xa0, 0x03, 0x02, 0x01, 0x02],
            &[0x02, 0x01, paper.serial],
            paper.algorithm,
            &self.name,
            &sequence(&[&time(paper.from), &time(paper.to)]),
            &subject.name,
            &subject.spki(),
            &extensions,
        ]);
        self.sign(&content, paper.algorithm)
    }

    /// A revocation list.
    pub(super) fn lists(&self, list: &List) -> Vec<u8> {
        let entry = |serial: &u8| {
            let extensions =
                if list.entry_extensions.is_empty() { vec![] } else { tlv(0x30, &list.entry_extensions) };
            sequence(&[&[0x02, 0x01, *serial], &time(NOW - 2 * DAY), &extensions])
        };
        let entries = list.revoked.iter().map(entry).collect::<Vec<_>>().concat();
        let entries = if entries.is_empty() { vec![] } else { tlv(0x30, &entries) };
        let extensions =
            if list.extensions.is_empty() { vec![] } else { tlv(0xa0, &tlv(0x30, &list.extensions)) };
        let content = sequence(&[
            &[0x02, 0x01, 0x01],
            ECDSA_SHA256,
            &self.name,
            &time(list.from),
            &time(list.to),
            &entries,
            &extensions,
        ]);
        self.sign(&content, ECDSA_SHA256)
    }
}

/// What a certificate says beside who certifies whom.
#[derive(Clone)]
pub(super) struct Paper {
    pub(super) serial: u8,
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) extensions: Vec<Vec<u8>>,
    pub(super) algorithm: &'static [u8],
}

impl Paper {
    pub(super) fn with(serial: u8, extensions: Vec<Vec<u8>>) -> Self {
        Self { serial, from: NOW - DAY, to: NOW + DAY, extensions, algorithm: ECDSA_SHA256 }
    }

    pub(super) fn of_leaf() -> Self {
        Self::with(LEAF_SERIAL, vec![no_authority(), usage(0x80)])
    }

    pub(super) fn of_authority() -> Self {
        Self::with(AUTHORITY_SERIAL, vec![authority(Some(0)), usage(CERT_SIGN | CRL_SIGN)])
    }

    pub(super) fn of_root() -> Self {
        Self::with(ROOT_SERIAL, vec![authority(None), usage(CERT_SIGN | CRL_SIGN)])
    }

    pub(super) fn and(mut self, extension: Vec<u8>) -> Self {
        self.extensions.push(extension);
        self
    }
}

pub(super) const LEAF_SERIAL: u8 = 7;
pub(super) const AUTHORITY_SERIAL: u8 = 5;
pub(super) const ROOT_SERIAL: u8 = 3;

#[derive(Clone)]
pub(super) struct List {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) revoked: Vec<u8>,
    pub(super) extensions: Vec<u8>,
    pub(super) entry_extensions: Vec<u8>,
}

impl List {
    pub(super) fn of(revoked: &[u8]) -> Self {
        let (extensions, entry_extensions) = (vec![], vec![]);
        Self { from: NOW - DAY, to: NOW + DAY, revoked: revoked.to_vec(), extensions, entry_extensions }
    }
}

/// A root, an authority below it, and a leaf; what each has to show, and what is asked of them.
pub(super) struct World {
    pub(super) root: Person,
    pub(super) authority: Person,
    pub(super) leaf: Person,
    /// The leaf's certificate first.
    pub(super) certificates: Vec<Vec<u8>>,
    pub(super) lists: Vec<Vec<u8>>,
    pub(super) profile: Profile,
    pub(super) anchors: TrustAnchors,
    pub(super) crl: Crl,
    now: u64,
}

pub(super) const PROFILE: Profile = Profile {
    max_intermediates: 1,
    revocable: Revocable::Everyone,
    root: |root| matches!(root, Root::Endorsed { .. }),
};

impl World {
    /// One without fault.
    pub(super) fn sound() -> Self {
        let (root, authority, leaf) =
            (Person::new("Root", 1), Person::new("Authority", 2), Person::new("Leaf", 3));
        Self {
            certificates: vec![
                authority.certifies(&leaf, &Paper::of_leaf()),
                root.certifies(&authority, &Paper::of_authority()),
                root.certifies(&root, &Paper::of_root()),
            ],
            lists: vec![root.lists(&List::of(&[1])), authority.lists(&List::of(&[1]))],
            anchors: TrustAnchors::none().with_endorsed("test", root.pin()),
            profile: PROFILE,
            crl: Crl::Required,
            now: NOW,
            root,
            authority,
            leaf,
        }
    }

    pub(super) fn leaf(&mut self, paper: &Paper) {
        self.certificates[0] = self.authority.certifies(&self.leaf, paper);
    }

    pub(super) fn authority(&mut self, paper: &Paper) {
        self.certificates[1] = self.root.certifies(&self.authority, paper);
    }

    pub(super) fn root(&mut self, paper: &Paper) {
        self.certificates[2] = self.root.certifies(&self.root, paper);
    }

    pub(super) fn judge(&self) -> (Vec<Code>, Option<Root>, usize) {
        let documents = self.certificates.iter().chain(&self.lists);
        let opened = documents.map(|der| Cow::Borrowed(der.as_slice())).collect::<Vec<_>>();
        let mut findings = Findings::default();
        let endorsements = Endorsements::read(&opened, &mut findings);
        let bundle = Bundle {
            evidence: Evidence { format: Format::SevSnp, bytes: vec![] },
            endorsements: enarx_evidence::Endorsements::default(),
        };
        let verification = Verification {
            bundle: &bundle,
            report_data: &[0; 64],
            anchors: &self.anchors,
            crl: self.crl,
            tcb_info: TcbInfo::Required,
            freshness: Freshness::default(),
            now: UnixTime(self.now),
        };
        let mut crypto = Counting(0);
        let leaf = Certificate::parse(&self.certificates[0]).unwrap();
        let root = verify(&leaf, &endorsements, &self.profile, &verification, &mut crypto, &mut findings);
        let codes = findings.into_checks().map_or_else(|refusals| refusals.codes().collect(), |_| vec![]);
        (codes, root, crypto.0)
    }

    pub(super) fn codes(&self) -> Vec<Code> {
        self.judge().0
    }
}

/// The codes of a world after a change.
pub(super) fn after(change: impl FnOnce(&mut World)) -> Vec<Code> {
    let mut world = World::sound();
    change(&mut world);
    world.codes()
}

pub(super) struct Counting(pub(super) usize);

impl SignatureVerifier for Counting {
    fn verify(&mut self, signed: &Signed<'_>) -> bool {
        self.0 += 1;
        RustCrypto.verify(signed)
    }
}
