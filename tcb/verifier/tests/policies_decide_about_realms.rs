// SPDX-License-Identifier: Apache-2.0

//! Simulated Arm CCA realms of every variant: who vouches for the platform, and what a policy says of it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod realms;

use enarx_evidence::Bundle;
use enarx_evidence::cca::{HashAlgorithm, Lifecycle, PlatformProfile, RealmProfile, Wrapping};
use enarx_simulator::{Curve, KeyForm, SimulatedRealm};
use enarx_verifier::{Code, Policy, TrustAnchors};
use realms::{POLICY, anchors, attest, codes, digest, policy, simulator, sound, under};

#[test]
fn every_variant_is_accepted() {
    for wrapping in [Wrapping::Collection, Wrapping::Cmw] {
        for realm_profile in [RealmProfile::Legacy, RealmProfile::V1, RealmProfile::V2] {
            for platform_profile in [PlatformProfile::Legacy, PlatformProfile::V1, PlatformProfile::V2] {
                let realm_profile = realm_profile.clone();
                let realm =
                    SimulatedRealm { wrapping, realm_profile, platform_profile, ..SimulatedRealm::default() };
                assert_eq!(codes(&attest(&realm, |_, _| {})), [], "{realm:?}");
            }
        }
    }
    for platform_curve in [Curve::P256, Curve::P384] {
        for key_form in [KeyForm::Cose, KeyForm::Spki, KeyForm::Certificate, KeyForm::Header] {
            let realm = SimulatedRealm { platform_curve, key_form, ..SimulatedRealm::default() };
            assert_eq!(codes(&attest(&realm, |_, _| {})), [], "{realm:?}");
        }
    }
    for key_hash in [HashAlgorithm::Sha256, HashAlgorithm::Sha384, HashAlgorithm::Sha512] {
        let realm = SimulatedRealm { key_hash, ..SimulatedRealm::default() };
        assert_eq!(codes(&attest(&realm, |_, _| {})), [], "{key_hash}");
    }
}

#[test]
fn the_key_of_the_platform() {
    let bundle = sound();
    let with = |items: Vec<Vec<u8>>| {
        let mut changed = bundle.clone();
        changed.endorsements.items = items;
        codes(&changed)
    };
    let key = bundle.endorsements.items[0].clone();
    assert_eq!(with(vec![]), [Code::PlatformKeyMissing]);
    let p256 = SimulatedRealm { platform_curve: Curve::P256, ..SimulatedRealm::default() };
    let other = attest(&p256, |_, _| {}).endorsements.items.remove(0);
    // Of two keys the one that signed is found, and of a wrong one the algorithm is wrong, too.
    assert_eq!(with(vec![other.clone(), key.clone()]), []);
    assert_eq!(with(vec![other]), [Code::SignatureAlgorithmUnsupported, Code::PlatformSignatureInvalid]);
    let last = key.len() - 1;
    let mut damaged = key.clone();
    damaged[last] ^= 1;
    assert_eq!(with(vec![damaged]), [Code::PlatformSignatureInvalid, Code::RootNotTrusted]);
    assert_eq!(with(vec![key[..last].to_vec()]), [Code::EndorsementMalformed, Code::PlatformKeyMissing]);
    assert_eq!(with(vec![b"{}".to_vec()]), [Code::EndorsementMalformed, Code::PlatformKeyMissing]);
    assert_eq!(with(vec![key.clone(); Bundle::MAX_ENDORSEMENTS]), []);
    assert_eq!(with(vec![key; Bundle::MAX_ENDORSEMENTS + 1]), [Code::EndorsementsTooMany]);
}

#[test]
fn who_endorses_the_platform() {
    let (bundle, policy) = (sound(), policy(|text| text));
    assert_eq!(under(&policy, &TrustAnchors::vendors(), &bundle), [Code::RootNotTrusted]);
    let key = simulator().cca_platform_spki_sha256(Curve::P384).unwrap();
    assert_eq!(under(&policy, &TrustAnchors::none().with_endorsed("mine", key), &bundle), []);
    // AWS's root is known, and does not vouch for realms.
    let certified = SimulatedRealm { key_form: KeyForm::Certificate, ..SimulatedRealm::default() };
    let certified = attest(&certified, |_, _| {});
    let manufacturer = simulator().cca_manufacturer_spki_sha256().unwrap();
    let endorsed = TrustAnchors::vendors().with_endorsed("maker", manufacturer);
    assert_eq!(under(&policy, &endorsed, &certified), []);
    assert_eq!(under(&policy, &TrustAnchors::vendors(), &certified), [Code::SimulatedNotAccepted]);
    let strict = Policy::parse(
        &POLICY.replace("RMM", &"cc".repeat(32)).replace("\"absent-accepted\"", "\"required\""),
    )
    .unwrap();
    assert_eq!(under(&strict, &endorsed, &certified), [Code::CrlMissing]);
    // A key that the relying party named itself needs no certificate, and no list.
    assert_eq!(under(&strict, &anchors(), &certified), []);
    let header =
        attest(&SimulatedRealm { key_form: KeyForm::Header, ..SimulatedRealm::default() }, |_, _| {});
    assert_eq!(header.endorsements.items, Vec::<Vec<u8>>::new());
    assert_eq!(under(&policy, &endorsed, &header), []);
    assert_eq!(under(&policy, &TrustAnchors::vendors(), &header), [Code::SimulatedNotAccepted]);
    let mut alone = certified.clone();
    alone.endorsements.items.truncate(1);
    assert_eq!(under(&policy, &endorsed, &alone), [Code::IssuerMissing]);
}

#[test]
fn what_the_policy_says_of_the_platform() {
    let (bundle, anchors) = (sound(), anchors());
    let without = policy(|text| text.replace("[cca]\nsoftware = [\"firmware\", \"sha256:", "# ["));
    assert_eq!(under(&without, &anchors, &bundle), [Code::PlatformSoftwareNotAccepted; 3]);
    let unchecked = policy(|text| {
        text.replace("[cca]\nsoftware = [\"firmware\", \"sha256:", "# [") + "minimum_tcb = \"not-checked\"\n"
    });
    assert_eq!(under(&unchecked, &anchors, &bundle), []);
    let unknown = policy(|text| text.replace("\"firmware\"", "\"nightly\""));
    let expected =
        [Code::ReferenceValueMissing, Code::PlatformSoftwareNotAccepted, Code::PlatformSoftwareNotAccepted];
    assert_eq!(under(&unknown, &anchors, &bundle), expected);
    let debugging =
        attest(&SimulatedRealm { lifecycle: Lifecycle(0x4001), ..SimulatedRealm::default() }, |_, _| {});
    let accepting = policy(|text| text + "[guest]\ndebug = \"accept\"\n");
    assert_eq!(under(&accepting, &anchors, &debugging), []);
    let open =
        attest(&SimulatedRealm { lifecycle: Lifecycle(0x5000), ..SimulatedRealm::default() }, |_, _| {});
    assert_eq!(under(&accepting, &anchors, &open), [Code::LifecycleNotSecured]);
    let extended = attest(&SimulatedRealm::default(), |_, realm| realm.extensible[0] = digest(7));
    let named = policy(|text| format!("{text}[keep.registers]\nrem0 = [\"sha256:{}\"]\n", "07".repeat(32)));
    assert_eq!(under(&named, &anchors, &extended), []);
    assert_eq!(under(&named, &anchors, &bundle), [Code::RegisterNotAccepted]);
}
