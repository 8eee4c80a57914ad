// SPDX-License-Identifier: Apache-2.0

//! Results as EAT attestation results, signed as JSON and CBOR web tokens, read by other code than wrote them.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod realms;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED,
    ECDSA_P384_SHA384_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey,
    VerificationAlgorithm,
};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use enarx_evidence::cca::{HashAlgorithm, Lifecycle};
use enarx_evidence::cmw::Cmw;
use enarx_evidence::cose::Algorithm;
use enarx_evidence::{Bundle, Format};
use enarx_simulator::{Curve, SimulatedEnclave, SimulatedRealm};
use enarx_verifier::ear::{self, Ear, Signer, SigningFailed, Tier, VerifierId};
use enarx_verifier::{AttestationResult, Policy, ReferenceValue, Refusals, Request, TrustAnchors, UnixTime};
use realms::{MEASUREMENT, REPORT_DATA, attest, policy, simulator};
use serde_json::{Value, json};

/// Any key of a verifier.
enum Key {
    Ec(EcdsaKeyPair, Algorithm),
    Ed(Ed25519KeyPair),
}

impl Key {
    fn all() -> [Self; 3] {
        let ec = |algorithm| EcdsaKeyPair::generate(algorithm).unwrap();
        [
            Self::Ec(ec(&ECDSA_P256_SHA256_FIXED_SIGNING), Algorithm::Es256),
            Self::Ec(ec(&ECDSA_P384_SHA384_FIXED_SIGNING), Algorithm::Es384),
            Self::Ed(Ed25519KeyPair::generate().unwrap()),
        ]
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let (key, by): (&[u8], &dyn VerificationAlgorithm) = match self {
            Self::Ec(key, Algorithm::Es256) => (key.public_key().as_ref(), &ECDSA_P256_SHA256_FIXED),
            Self::Ec(key, _) => (key.public_key().as_ref(), &ECDSA_P384_SHA384_FIXED),
            Self::Ed(key) => (key.public_key().as_ref(), &ED25519),
        };
        UnparsedPublicKey::new(by, key).verify(message, signature).is_ok()
    }

    fn name(&self) -> &'static str {
        match self.algorithm() {
            Algorithm::Es256 => "ES256",
            Algorithm::Es384 => "ES384",
            _ => "EdDSA",
        }
    }
}

impl Signer for Key {
    fn algorithm(&self) -> Algorithm {
        match self {
            Self::Ec(_, algorithm) => *algorithm,
            Self::Ed(_) => Algorithm::EdDsa,
        }
    }

    fn key_id(&self) -> Option<&[u8]> {
        matches!(self, Self::Ed(_)).then_some(b"key 1")
    }

    fn sign(&mut self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        Ok(match self {
            Self::Ec(key, _) => key.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Self::Ed(key) => key.sign(message).as_ref().to_vec(),
        })
    }
}

/// CBOR as the value that it would be in JSON: byte strings as base64url, numbers as labels as their digits.
fn cbor(bytes: &[u8], at: &mut usize) -> Value {
    let first = bytes[*at];
    *at += 1;
    let long = match first & 0x1f {
        24 => 1,
        25 => 2,
        26 => 4,
        27 => 8,
        _ => 0,
    };
    let more = &bytes[*at..*at + long];
    *at += long;
    let short = u64::from(first & 0x1f);
    let number =
        if long == 0 { short } else { more.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)) };
    let len = usize::try_from(number).unwrap();
    let mut string = || {
        *at += len;
        &bytes[*at - len..*at]
    };
    match first >> 5 {
        0 => json!(number),
        1 => json!(-1 - i64::try_from(number).unwrap()),
        2 => json!(Base64UrlUnpadded::encode_string(string())),
        3 => json!(std::str::from_utf8(string()).unwrap()),
        4 => (0..number).map(|_| cbor(bytes, at)).collect(),
        5 => {
            let entry = |_| {
                let label = match cbor(bytes, at) {
                    Value::String(text) => text,
                    number => number.to_string(),
                };
                (label, cbor(bytes, at))
            };
            Value::Object((0..number).map(entry).collect())
        }
        6 => json!({ "tag": number, "value": cbor(bytes, at) }),
        _ => json!(number == 21),
    }
}

fn all_cbor(bytes: &[u8]) -> Value {
    let mut at = 0;
    let value = cbor(bytes, &mut at);
    assert_eq!(at, bytes.len());
    value
}

fn unbase64(text: &Value) -> Vec<u8> {
    Base64UrlUnpadded::decode_vec(text.as_str().unwrap()).unwrap()
}

/// The claims of a token whose signature verifies.
fn read_jwt(token: &str, key: &Key) -> Value {
    let (message, signature) = token.rsplit_once('.').unwrap();
    assert!(key.verify(message.as_bytes(), &Base64UrlUnpadded::decode_vec(signature).unwrap()));
    let (header, claims) = message.split_once('.').unwrap();
    let part = |text| serde_json::from_slice::<Value>(&Base64UrlUnpadded::decode_vec(text).unwrap()).unwrap();
    let header = part(header);
    assert_eq!((&header["alg"], &header["typ"]), (&json!(key.name()), &json!("eat+jwt")));
    assert_eq!(header.get("kid"), key.key_id().map(|_| json!("a2V5IDE")).as_ref());
    part(claims)
}

fn read_cwt(token: &[u8], key: &Key) -> Value {
    let token = all_cbor(token);
    assert_eq!(token["tag"], json!(18));
    let parts = token["value"].as_array().unwrap();
    let (protected, payload, signature) = (unbase64(&parts[0]), unbase64(&parts[2]), unbase64(&parts[3]));
    assert_eq!(all_cbor(&protected), json!({ "1": key.algorithm().number() }));
    assert_eq!(parts[1], key.key_id().map_or(json!({}), |_| json!({ "4": "a2V5IDE" })));
    let string = |bytes: &[u8]| {
        let len = u16::try_from(bytes.len()).unwrap().to_be_bytes();
        let head = match bytes.len() {
            0..24 => vec![0x40 | len[1]],
            24..256 => vec![0x58, len[1]],
            _ => vec![0x59, len[0], len[1]],
        };
        [&head, bytes].concat()
    };
    let signed =
        [b"\x84\x6aSignature1".as_slice(), &string(&protected), &string(b""), &string(&payload)].concat();
    assert!(key.verify(&signed, &signature));
    all_cbor(&payload)
}

fn appraise(bundle: &Bundle, policy: &Policy, anchors: &TrustAnchors) -> Result<AttestationResult, Refusals> {
    let value = |name: &str, measurement: &[u8]| ReferenceValue {
        name: name.into(),
        measurement: measurement.into(),
    };
    let reference_values =
        [value("release", &MEASUREMENT), value("firmware", &[0xb2; 32]), value("firmware", &[0x31; 32])];
    enarx_verifier::appraise(&Request {
        bundle,
        report_data: &REPORT_DATA,
        anchors,
        reference_values: &reference_values,
        policy,
        advisories: &[],
        now: realms::now(),
    })
}

fn verifier() -> VerifierId {
    VerifierId { developer: "https://enarx.invalid".into(), build: "enarx 0.1.0".into() }
}

/// Anchors under which the platform counts as genuine.
fn endorsed() -> TrustAnchors {
    TrustAnchors::none().with_endorsed("mine", simulator().cca_platform_spki_sha256(Curve::P384).unwrap())
}

fn accepted() -> (Ear, Policy) {
    let policy = policy(|text| text);
    let result = appraise(&attest(&SimulatedRealm::default(), |_, _| {}), &policy, &endorsed()).unwrap();
    (Ear::of_result(&result, verifier()), policy)
}

fn policy_id(policy: &Policy) -> String {
    format!("ni:///sha-256;{}", Base64UrlUnpadded::encode_string(&policy.digest()))
}

#[test]
fn what_was_accepted() {
    let (ear, policy) = accepted();
    let ear =
        Ear { expires_at: Some(UnixTime(ear.issued_at.0 + 60)), ..ear.with_nonce(b"12345678").unwrap() };
    let (iat, exp) = (ear.issued_at.0, ear.issued_at.0 + 60);
    let report_data = Base64UrlUnpadded::encode_string(&REPORT_DATA);
    let details = json!({
        "vendor": "arm", "product": "cca-platform", "rule": "realms", "simulated": false,
        "measurement": Base64UrlUnpadded::encode_string(&MEASUREMENT), "measurement_name": "`release`",
    });
    for mut key in Key::all() {
        let claims = read_jwt(&ear.to_jwt(&mut key).unwrap(), &key);
        let expected = json!({
            "eat_profile": "tag:ietf.org,2026:rats/ear#03",
            "iat": iat,
            "exp": exp,
            "ear_verifier_id": { "developer": "https://enarx.invalid", "build": "enarx 0.1.0" },
            "eat_nonce": "MTIzNDU2Nzg",
            "submods": { "cca": {
                "ear_status": "affirming",
                "ear_trustworthiness_vector":
                    { "configuration": 2, "executables": 3, "hardware": 2, "runtime-opaque": 2 },
                "ear_appraisal_policy_ids": [policy_id(&policy)],
                "eat_nonce": report_data,
                "ear_enarx_appraisal": details,
            } },
        });
        assert_eq!(claims, expected);

        let claims = read_cwt(&ear.to_cwt(&mut key).unwrap(), &key);
        let expected = json!({
            "265": "tag:ietf.org,2026:rats/ear#03",
            "6": iat,
            "4": exp,
            "1004": { "0": "https://enarx.invalid", "1": "enarx 0.1.0" },
            "10": "MTIzNDU2Nzg",
            "266": { "cca": {
                "1000": 2,
                "1001": { "1": 2, "2": 3, "4": 2, "5": 2 },
                "1003": [policy_id(&policy)],
                "10": report_data,
                "-70300": details,
            } },
        });
        assert_eq!(claims, expected);
    }
}

#[test]
fn what_was_refused() {
    let policy = policy(|text| text);
    let change = |platform: &mut enarx_evidence::cca::PlatformClaims, _: &mut _| {
        platform.lifecycle = Lifecycle(0x4000);
    };
    let refusals = appraise(&attest(&SimulatedRealm::default(), change), &policy, &endorsed()).unwrap_err();
    let now = UnixTime(1_750_000_000);
    let ear = Ear::of_refusals(&refusals, Format::Cca, &policy, now, verifier());
    for mut key in Key::all() {
        let claims = read_jwt(&ear.to_jwt(&mut key).unwrap(), &key);
        let expected = json!({
            "eat_profile": "tag:ietf.org,2026:rats/ear#03",
            "iat": 1_750_000_000,
            "ear_verifier_id": { "developer": "https://enarx.invalid", "build": "enarx 0.1.0" },
            "submods": { "cca": {
                "ear_status": "contraindicated",
                "ear_trustworthiness_vector": { "configuration": 96, "runtime-opaque": 96 },
                "ear_appraisal_policy_ids": [policy_id(&policy)],
                "ear_enarx_appraisal": { "refusals": ["debug-allowed"] },
            } },
        });
        assert_eq!(claims, expected);
        let claims = read_cwt(&ear.to_cwt(&mut key).unwrap(), &key);
        let expected = json!({
            "265": "tag:ietf.org,2026:rats/ear#03",
            "6": 1_750_000_000,
            "1004": { "0": "https://enarx.invalid", "1": "enarx 0.1.0" },
            "266": { "cca": {
                "1000": 96,
                "1001": { "1": 96, "5": 96 },
                "1003": [policy_id(&policy)],
                "-70300": { "refusals": ["debug-allowed"] },
            } },
        });
        assert_eq!(claims, expected);
    }
}

/// Each reason to refuse is about something, and whatever it is, nothing refused is ever to be trusted.
#[test]
fn reasons_become_words() {
    type Change = fn(&mut enarx_evidence::cca::PlatformClaims, &mut enarx_evidence::cca::RealmClaims);
    let cases: [(Change, Value); 4] = [
        (|_, realm| realm.initial = realms::digest(7), json!({ "executables": 33 })),
        (|platform, _| platform.lifecycle = Lifecycle(0x5000), json!({ "hardware": 96 })),
        (
            |_, realm| realm.public_key_hash = HashAlgorithm::Sha512,
            json!({ "configuration": 99, "executables": 99, "hardware": 99, "runtime-opaque": 99 }),
        ),
        (|platform, _| platform.components.clear(), json!({ "hardware": 1 })),
    ];
    for (change, expected) in cases {
        let (bundle, policy) = (attest(&SimulatedRealm::default(), change), policy(|text| text));
        let refusals = appraise(&bundle, &policy, &endorsed()).unwrap_err();
        let ear = Ear::of_refusals(&refusals, Format::Cca, &policy, UnixTime(0), verifier());
        let appraisal = serde_json::to_value(&ear.submods["cca"]).unwrap();
        assert_eq!(appraisal["ear_trustworthiness_vector"], expected);
        assert_eq!(appraisal["ear_status"], "contraindicated");
    }
}

#[test]
fn a_trial_is_not_affirmed() {
    // A simulated platform that the policy accepts.
    let policy = policy(|text| text);
    let bundle = attest(&SimulatedRealm::default(), |_, _| {});
    let result = appraise(&bundle, &policy, &realms::anchors()).unwrap();
    let appraisal = Ear::of_result(&result, verifier()).submods.remove("cca").unwrap();
    assert_eq!((appraisal.status, appraisal.vector.hardware), (Tier::Contraindicated, 96));
    assert_eq!(appraisal.vector.runtime_opaque, 96);

    // Debugging that the policy accepts.
    let accepting = realms::policy(|text| text + "[guest]\ndebug = \"accept\"\n");
    let realm = SimulatedRealm { lifecycle: Lifecycle(0x4000), ..SimulatedRealm::default() };
    let result = appraise(&attest(&realm, |_, _| {}), &accepting, &endorsed()).unwrap();
    let appraisal = Ear::of_result(&result, verifier()).submods.remove("cca").unwrap();
    assert_eq!((appraisal.status, appraisal.vector.configuration), (Tier::Contraindicated, 96));

    // An enclave is kept apart from its instance, which is less than encrypted; this one is simulated besides.
    let enclaves = realms::policy(|text| {
        text.replace("vendor = \"arm\"\ntee = \"cca\"", "vendor = \"aws\"\ntee = \"nitro\"")
    });
    let anchors = TrustAnchors::none().with_simulated("local", simulator().nitro_root_spki_sha256().unwrap());
    let bundle =
        simulator().attest_enclave(&SimulatedEnclave::default(), &REPORT_DATA, &MEASUREMENT, |_| {}).unwrap();
    let result = appraise(&bundle, &enclaves, &anchors).unwrap();
    let appraisal = Ear::of_result(&result, verifier()).submods.remove("nitro").unwrap();
    assert_eq!(appraisal.status, Tier::Contraindicated);
}

#[test]
fn tokens_travel_in_wrappers() {
    let (ear, _) = accepted();
    for mut key in Key::all() {
        let (jwt, cwt) = (ear.to_jwt(&mut key).unwrap(), ear.to_cwt(&mut key).unwrap());
        for (cmw, kind, token) in
            [(ear::wrap_jwt(&jwt), "eat+jwt", jwt.as_bytes()), (ear::wrap_cwt(&cwt), "eat+cwt", &cwt)]
        {
            let json = serde_json::from_str::<Value>(&cmw.to_json().unwrap()).unwrap();
            let kind = format!("application/{kind}; eat_profile=\"tag:ietf.org,2026:rats/ear#03\"");
            // Bit 3 says attestation results.
            assert_eq!(json, json!([kind, Base64UrlUnpadded::encode_string(token), 8]));
            assert_eq!(Cmw::parse(&cmw.to_cbor()), Ok(cmw));
        }
    }
}

#[test]
fn nonces_and_algorithms_have_limits() {
    struct Other;
    impl Signer for Other {
        fn algorithm(&self) -> Algorithm {
            Algorithm::Other(-257)
        }

        fn sign(&mut self, _: &[u8]) -> Result<Vec<u8>, SigningFailed> {
            Ok(vec![])
        }
    }
    let (ear, _) = accepted();
    for (len, accepted) in [(0, false), (7, false), (8, true), (64, true), (65, false)] {
        assert_eq!(ear.clone().with_nonce(&vec![1; len]).is_some(), accepted, "{len} bytes");
    }
    assert_eq!(ear.to_jwt(&mut Other), Err(SigningFailed));
    assert_eq!(ear.to_cwt(&mut Other), Err(SigningFailed));
}
