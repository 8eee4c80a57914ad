// SPDX-License-Identifier: Apache-2.0

//! Accepted tokens of simulated Arm CCA realms with one thing changed: what the two tokens say, before or after they
//! are signed, and each byte of them.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod realms;

use enarx_evidence::cca::{
    HashAlgorithm, Lifecycle, Measurement, PlatformClaims, PlatformProfile, RealmClaims, RealmProfile, Token,
    Wrapping,
};
use enarx_evidence::cose::{Algorithm, Sign1};
use enarx_simulator::SimulatedRealm;
use enarx_verifier::Code;
use realms::{attest, codes, digest, sound};

/// Which token says what is changed, and so whose signature a forger breaks.
#[derive(Clone, Copy)]
enum In {
    Platform,
    Realm,
}

/// A change of what the tokens say, and exactly what that is refused for if it is signed. If it is not signed, the
/// signature of the token is refused beside that.
type Change = (&'static str, In, fn(&mut PlatformClaims, &mut RealmClaims), &'static [Code]);

const CHANGES: &[Change] = &[
    (
        "cca-platform-profile",
        In::Platform,
        |platform, _| platform.profile = PlatformProfile::Other("tag:arm.com,2099:cca_platform#9.0.0".into()),
        &[Code::ProfileUnsupported],
    ),
    (
        "cca-platform-profile, to an older one",
        In::Platform,
        |platform, _| platform.profile = PlatformProfile::Legacy,
        &[],
    ),
    (
        "cca-platform-challenge",
        In::Platform,
        |platform, _| platform.challenge = digest(7),
        &[Code::RealmKeyMismatch],
    ),
    ("cca-platform-implementation-id", In::Platform, |platform, _| platform.implementation_id[0] ^= 1, &[]),
    ("cca-platform-instance-id", In::Platform, |platform, _| platform.instance_id[1] ^= 1, &[]),
    (
        "cca-platform-instance-id, of another type",
        In::Platform,
        |platform, _| platform.instance_id[0] ^= 1,
        &[Code::EvidenceMalformed],
    ),
    ("cca-platform-config", In::Platform, |platform, _| platform.config[0] ^= 1, &[]),
    (
        "cca-platform-lifecycle, still secured",
        In::Platform,
        |platform, _| platform.lifecycle = Lifecycle(0x30ff),
        &[],
    ),
    (
        "cca-platform-lifecycle, unknown",
        In::Platform,
        |platform, _| platform.lifecycle = Lifecycle(0),
        &[Code::LifecycleNotSecured],
    ),
    (
        "cca-platform-lifecycle, in test",
        In::Platform,
        |platform, _| platform.lifecycle = Lifecycle(0x1000),
        &[Code::LifecycleNotSecured],
    ),
    (
        "cca-platform-lifecycle, provisioning",
        In::Platform,
        |platform, _| platform.lifecycle = Lifecycle(0x2000),
        &[Code::LifecycleNotSecured],
    ),
    (
        "cca-platform-lifecycle, debugging",
        In::Platform,
        |platform, _| platform.lifecycle = Lifecycle(0x4000),
        &[Code::DebugAllowed],
    ),
    (
        "cca-platform-lifecycle, recoverable",
        In::Platform,
        |platform, _| platform.lifecycle = Lifecycle(0x5000),
        &[Code::LifecycleNotSecured],
    ),
    (
        "cca-platform-lifecycle, over",
        In::Platform,
        |platform, _| platform.lifecycle = Lifecycle(0x6000),
        &[Code::LifecycleNotSecured],
    ),
    (
        "cca-platform-lifecycle, reserved",
        In::Platform,
        |platform, _| platform.lifecycle = Lifecycle(0x3100),
        &[Code::LifecycleNotSecured],
    ),
    (
        "measurement-value",
        In::Platform,
        |platform, _| platform.components[1].measurement = digest(7),
        &[Code::PlatformSoftwareNotAccepted],
    ),
    (
        "cca-platform-sw-components, one more",
        In::Platform,
        |platform, _| {
            let mut more = platform.components[0].clone();
            more.measurement = digest(7);
            platform.components.push(more);
        },
        &[Code::PlatformSoftwareNotAccepted],
    ),
    (
        "cca-platform-sw-components, none",
        In::Platform,
        |platform, _| platform.components.clear(),
        &[Code::EvidenceMalformed],
    ),
    ("signer-id", In::Platform, |platform, _| platform.components[1].signer = digest(7), &[]),
    ("cca-platform-service-indicator", In::Platform, |platform, _| platform.service = None, &[]),
    (
        "cca-realm-profile",
        In::Realm,
        |_, realm| realm.profile = RealmProfile::Other("tag:x".into()),
        &[Code::ProfileUnsupported],
    ),
    ("cca-realm-profile, absent", In::Realm, |_, realm| realm.profile = RealmProfile::Legacy, &[]),
    ("cca-realm-challenge", In::Realm, |_, realm| realm.challenge[63] ^= 1, &[Code::ReportDataMismatch]),
    ("cca-realm-personalization-value", In::Realm, |_, realm| realm.personalization[0] ^= 1, &[]),
    (
        "cca-realm-initial-measurement",
        In::Realm,
        |_, realm| realm.initial = Measurement::new(&[0x23; 48]).unwrap(),
        &[Code::MeasurementNotAccepted],
    ),
    (
        "cca-realm-extensible-measurements",
        In::Realm,
        |_, realm| realm.extensible[3] = digest(7),
        &[Code::RegisterNotAccepted],
    ),
    (
        "cca-realm-public-key-hash-algo-id",
        In::Realm,
        |_, realm| realm.public_key_hash = HashAlgorithm::Sha512,
        &[Code::RealmKeyMismatch],
    ),
    ("cca-realm-mec-policy", In::Realm, |_, realm| realm.mec_policy = None, &[]),
];

#[test]
fn each_claim() {
    let bundle = sound();
    assert_eq!(codes(&bundle), []);
    for (claim, part, change, expected) in CHANGES {
        assert_eq!(codes(&attest(&SimulatedRealm::default(), change)), *expected, "{claim}, signed");

        let token = Token::parse(&bundle.evidence.bytes).unwrap();
        let (mut platform, mut realm) = (token.platform_claims.clone(), token.realm_claims.clone());
        change(&mut platform, &mut realm);
        let (platform, realm) = (platform.encode(), realm.encode());
        let forged = Token::wrap(
            token.wrapping,
            &Sign1 { payload: &platform, ..token.platform }.encode(),
            &Sign1 { payload: &realm, ..token.realm }.encode(),
        );
        let mut changed = bundle.clone();
        changed.evidence.bytes = forged;
        let mut expected = expected.to_vec();
        if !expected.contains(&Code::EvidenceMalformed) {
            expected.push(match part {
                In::Platform => Code::PlatformSignatureInvalid,
                In::Realm => Code::RealmSignatureInvalid,
            });
        }
        let mut found = codes(&changed);
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{claim}, forged");
    }
}

/// The key of another realm, with which its token is then not signed.
#[test]
fn the_attestation_key() {
    let other = sound();
    let other = Token::parse(&other.evidence.bytes).unwrap().realm_claims.public_key;
    let exchanged = attest(&SimulatedRealm::default(), |_, realm| realm.public_key.clone_from(&other));
    assert_eq!(codes(&exchanged), [Code::RealmSignatureInvalid, Code::RealmKeyMismatch]);
}

/// Both tokens genuine, of two realms.
#[test]
fn tokens_of_two_realms() {
    let (one, two) = (sound(), sound());
    let (first, second) =
        (Token::parse(&one.evidence.bytes).unwrap(), Token::parse(&two.evidence.bytes).unwrap());
    let mut mixed = one.clone();
    mixed.evidence.bytes = Token::wrap(Wrapping::Cmw, &first.platform.encode(), &second.realm.encode());
    assert_eq!(codes(&mixed), [Code::RealmKeyMismatch]);
    mixed.evidence.bytes = Token::wrap(Wrapping::Cmw, &second.realm.encode(), &first.platform.encode());
    assert_eq!(codes(&mixed), [Code::EvidenceMalformed]);
}

#[test]
fn the_messages_around_the_claims() {
    let bundle = sound();
    let token = Token::parse(&bundle.evidence.bytes).unwrap();
    let with = |platform: Sign1<'_>, realm: Sign1<'_>| {
        let mut changed = bundle.clone();
        changed.evidence.bytes = Token::wrap(token.wrapping, &platform.encode(), &realm.encode());
        codes(&changed)
    };
    assert_eq!(with(token.platform, token.realm), []);
    let other = Algorithm::Es256.protected_header();
    let unsupported = |code| [Code::SignatureAlgorithmUnsupported, code];
    let platform = Sign1 { protected: &other, ..token.platform };
    assert_eq!(with(platform, token.realm), unsupported(Code::PlatformSignatureInvalid));
    let realm = Sign1 { protected: &other, ..token.realm };
    assert_eq!(with(token.platform, realm), unsupported(Code::RealmSignatureInvalid));
    for at in [0, 47, 48, 95] {
        let change = |signature: &[u8]| {
            let mut signature = signature.to_vec();
            signature[at] ^= 1;
            signature
        };
        let (platform, realm) = (change(token.platform.signature), change(token.realm.signature));
        let changed = Sign1 { signature: &platform, ..token.platform };
        assert_eq!(with(changed, token.realm), [Code::PlatformSignatureInvalid], "byte {at}");
        let changed = Sign1 { signature: &realm, ..token.realm };
        assert_eq!(with(token.platform, changed), [Code::RealmSignatureInvalid], "byte {at}");
    }
}

#[test]
fn each_byte_of_the_token() {
    let bundle = sound();
    for at in (0..bundle.evidence.bytes.len()).step_by(13) {
        let mut changed = bundle.clone();
        changed.evidence.bytes[at] ^= if at % 2 == 0 { 0x01 } else { 0x80 };
        let codes = codes(&changed);
        let unread = codes == [Code::EvidenceMalformed];
        let refused = [Code::PlatformSignatureInvalid, Code::RealmSignatureInvalid];
        assert!(unread || refused.iter().any(|code| codes.contains(code)), "byte {at:#x}: {codes:?}");
    }
}
