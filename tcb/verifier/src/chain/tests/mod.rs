// SPDX-License-Identifier: Apache-2.0

//! Chains that a hostile host, or an authority that one should not trust so far, could put together. Each is refused
//! for exactly what is wrong with it.

mod lists;
mod world;

use alloc::vec;

use enarx_evidence::x509::{Certificate, PublicKey};

use super::{Proved, is_issued};
use crate::crypto::{Hash, Scheme, SignatureVerifier as _, Signed};
use crate::{Code, Root, TrustAnchors};
use world::*;

#[test]
fn a_sound_chain_is_accepted_in_any_order() {
    let mut world = World::sound();
    let root = Root::Endorsed { name: "test".into(), spki_sha256: world.root.pin() };
    assert_eq!(world.judge(), (vec![], Some(root), 5));
    world.certificates[1..].reverse();
    world.lists.reverse();
    assert_eq!(world.codes(), []);
}

#[test]
fn who_is_no_authority_certifies_nobody() {
    let usages = [CERT_SIGN | CRL_SIGN, CERT_SIGN, CRL_SIGN, 0x80];
    let no = |extensions| after(|world| world.authority(&Paper::with(AUTHORITY_SERIAL, extensions)));
    assert_eq!(no(vec![no_authority(), usage(usages[0])]), [Code::IssuerNotAuthority]);
    assert_eq!(no(vec![usage(usages[0])]), [Code::IssuerNotAuthority]);
    // Without `keyCertSign`, or without any key usage; the last two cannot sign the list either.
    assert_eq!(no(vec![authority(None), usage(usages[2])]), [Code::IssuerNotAuthority]);
    let neither = [Code::IssuerNotAuthority, Code::CrlUnsupported, Code::CrlMissing];
    assert_eq!(no(vec![authority(None), usage(usages[3])]), neither);
    assert_eq!(no(vec![authority(None)]), neither);
    // An extension that is there twice is as good as none.
    assert_eq!(no(vec![authority(None), authority(None), usage(usages[0])]), [Code::IssuerNotAuthority]);
    assert_eq!(no(vec![authority(None), usage(usages[0]), usage(usages[0])]), neither);

    let root = after(|world| world.root(&Paper::with(ROOT_SERIAL, vec![no_authority(), usage(usages[0])])));
    assert_eq!(root, [Code::IssuerNotAuthority]);
}

/// The key of a leaf, which a guest or host might have, certifies whatever it likes.
#[test]
fn a_leaf_certifies_nobody() {
    let mut world = World::sound();
    let mallory = Person::new("Mallory", 9);
    let forged = world.leaf.certifies(&mallory, &Paper::of_leaf());
    world.certificates.insert(0, forged);
    world.lists.push(world.leaf.lists(&List::of(&[1])));
    world.profile.max_intermediates = 2;
    // The authority allowed none below itself, either.
    assert_eq!(
        world.codes(),
        [Code::IssuerNotAuthority, Code::IssuerNotAuthority, Code::CrlUnsupported, Code::CrlMissing]
    );
    // And where there is no room for two, there is no chain.
    world.profile.max_intermediates = 1;
    assert_eq!(world.codes(), [Code::IssuerNotAuthority, Code::RootMissing]);
}

#[test]
fn an_authority_has_no_more_below_it_than_it_may() {
    let mut world = World::sound();
    let (other, leaf) = (Person::new("Other", 4), Person::new("Leaf", 3));
    world.profile.max_intermediates = 2;
    world.certificates[0] = other.certifies(&leaf, &Paper::of_leaf());
    world.certificates.push(world.authority.certifies(&other, &Paper::of_authority()));
    world.lists.push(other.lists(&List::of(&[1])));
    assert_eq!(world.codes(), [Code::IssuerNotAuthority]);
    for (limit, expected) in [(None, vec![]), (Some(1), vec![]), (Some(0), vec![Code::IssuerNotAuthority])] {
        let extensions = vec![authority(limit), usage(CERT_SIGN | CRL_SIGN)];
        world.authority(&Paper::with(AUTHORITY_SERIAL, extensions));
        assert_eq!(world.codes(), expected, "{limit:?}");
    }
}

#[test]
fn critical_extensions_that_nobody_reads_are_refused() {
    for critical in [true, false] {
        let expected = if critical { vec![Code::CertificateUnsupported] } else { vec![] };
        let more = extension(NAME_CONSTRAINTS, critical, &sequence(&[]));
        let more = || more.clone();
        assert_eq!(after(|world| world.leaf(&Paper::of_leaf().and(more()))), expected);
        assert_eq!(after(|world| world.authority(&Paper::of_authority().and(more()))), expected);
        assert_eq!(after(|world| world.root(&Paper::of_root().and(more()))), expected);
    }
}

#[test]
fn every_certificate_is_valid_now() {
    type Put = fn(&mut World, &Paper);
    let certificates: [(Put, Paper); 3] = [
        (World::leaf, Paper::of_leaf()),
        (World::authority, Paper::of_authority()),
        (World::root, Paper::of_root()),
    ];
    for (put, paper) in certificates {
        let valid = |from, to| after(|world| put(world, &Paper { from, to, ..paper.clone() }));
        assert_eq!(valid(NOW, NOW), []);
        assert_eq!(valid(NOW - DAY, NOW - 1), [Code::CertificateExpired]);
        assert_eq!(valid(NOW + 1, NOW + DAY), [Code::CertificateNotYetValid]);
    }
}

#[test]
fn another_signature_algorithm_signs_nothing() {
    let paper = Paper { algorithm: ECDSA_SHA1, ..Paper::of_leaf() };
    assert_eq!(after(|world| world.leaf(&paper)), [Code::CertificateSignatureInvalid]);
}

/// Made by `openssl req -x509 -newkey rsa:2048 -sha1`: a good signature that proves nothing.
#[test]
fn sha_1_signs_nothing() {
    let der = hex::decode(include_str!("sha1.hex").trim()).unwrap();
    let root = Certificate::parse(&der).unwrap();
    let PublicKey::Rsa { .. } = root.key else { panic!("another key") };
    let mut crypto = Counting(0);
    assert!(!is_issued(&root, &root, &Proved::default(), &mut crypto));
    // It is good, as far as SHA-1 goes.
    let scheme = Scheme::RsaPkcs1(Hash::Sha1);
    let signed = Signed { key: root.key, scheme, message: root.tbs, signature: root.signature };
    assert!(crypto.verify(&signed));
}

#[test]
fn a_signature_of_somebody_else_of_that_name_is_none() {
    let impostor = Person::new("Authority", 8);
    let forged = after(|world| world.certificates[0] = impostor.certifies(&world.leaf, &Paper::of_leaf()));
    assert_eq!(forged, [Code::CertificateSignatureInvalid]);
    // Of several of one name the right one is found, wherever it stands.
    for at in 1..=3 {
        let mut world = World::sound();
        let other = Person::new("Authority", 8);
        world.certificates.insert(at, world.root.certifies(&other, &Paper::of_authority()));
        assert_eq!(world.codes(), [], "at {at}");
    }
}

#[test]
fn roots_count_for_their_purpose_only() {
    let anchored = |anchors: fn(TrustAnchors, [u8; 32]) -> TrustAnchors, profile: fn(&Root) -> bool| {
        let mut world = World::sound();
        world.anchors = anchors(TrustAnchors::vendors(), world.root.pin());
        world.profile.root = profile;
        let (codes, root, _) = world.judge();
        (codes, root.is_some())
    };
    let endorsed = |anchors: TrustAnchors, pin| anchors.with_endorsed("test", pin);
    let simulated = |anchors: TrustAnchors, pin| anchors.with_simulated("test", pin);
    let nobody = |anchors, _| anchors;
    assert_eq!(anchored(endorsed, PROFILE.root), (vec![], true));
    // Whether a simulated one is accepted is up to the policy, and it is called one.
    assert_eq!(anchored(simulated, PROFILE.root), (vec![], true));
    assert_eq!(anchored(nobody, PROFILE.root), (vec![Code::RootNotTrusted], false));
    let intel = |root: &Root| matches!(root, Root::Intel);
    assert_eq!(anchored(endorsed, intel), (vec![Code::RootNotTrusted], false));
}

#[test]
fn a_root_signs_its_own_certificate() {
    let mut world = World::sound();
    let last = world.certificates[2].len() - 1;
    world.certificates[2][last] ^= 1;
    let (codes, root, _) = world.judge();
    assert_eq!((codes, root), (vec![Code::CertificateSignatureInvalid], None));
}

#[test]
fn a_chain_without_end_costs_no_more_than_its_budget() {
    let mut world = World::sound();
    let (one, two) = (Person::new("One", 4), Person::new("Two", 6));
    world.certificates.truncate(1);
    world.certificates[0] = one.certifies(&world.leaf, &Paper::of_leaf());
    for serial in 1..=15 {
        let paper = Paper { serial, ..Paper::of_authority() };
        world.certificates.push(one.certifies(&two, &paper));
        world.certificates.push(two.certifies(&one, &paper));
    }
    world.profile.max_intermediates = 7;
    let (codes, root, signatures) = world.judge();
    assert!(codes.contains(&Code::RootMissing) && root.is_none());
    assert!(signatures <= 64, "{signatures}");
}
