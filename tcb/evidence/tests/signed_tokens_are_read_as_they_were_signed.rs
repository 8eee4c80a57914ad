// SPDX-License-Identifier: Apache-2.0

//! COSE messages, CCA tokens and Nitro documents: whatever is encoded parses to itself, whatever parses encodes to
//! itself, and the bytes that are signed are the bytes that were there.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod entry;

use enarx_evidence::cca::{
    HashAlgorithm, Lifecycle, LifecycleState, Measurement, MecPolicy, PlatformClaims, PlatformProfile,
    RealmClaims, RealmProfile, SoftwareComponent, Token, Wrapping,
};
use enarx_evidence::cose::{Algorithm, EcKey, Sign1, to_be_signed};
use enarx_evidence::nitro::{Claims, Document, Field, Pcr};
use enarx_evidence::{Fault, ParseError};
use proptest::array::{uniform4, uniform32};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

fn bytes<const N: usize>() -> impl Strategy<Value = [u8; N]> {
    vec(any::<u8>(), N).prop_map(|bytes| bytes.try_into().unwrap())
}

fn algorithm() -> impl Strategy<Value = Algorithm> {
    select(vec![Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa, Algorithm::Other(-36)])
}

fn hash() -> impl Strategy<Value = HashAlgorithm> {
    select(vec![HashAlgorithm::Sha256, HashAlgorithm::Sha384, HashAlgorithm::Sha512])
}

fn measurement() -> impl Strategy<Value = Measurement> {
    (bytes::<64>(), select(vec![32, 48, 64]))
        .prop_map(|(bytes, len)| Measurement::new(&bytes[..len]).unwrap())
}

fn key() -> impl Strategy<Value = EcKey> {
    (bytes::<96>(), any::<bool>()).prop_map(|(xy, long)| {
        let point = [&[4][..], if long { &xy[..] } else { &xy[..64] }].concat();
        EcKey::from_point(&point).unwrap()
    })
}

fn ueid() -> impl Strategy<Value = [u8; 33]> {
    bytes::<33>().prop_map(|mut id| {
        id[0] = PlatformClaims::UEID_RAND;
        id
    })
}

prop_compose! {
    fn component()(
        kind in option::of("[A-Z_0-9]{1,12}"),
        measurement in measurement(),
        version in option::of("[0-9.]{1,12}"),
        signer in measurement(),
        hash in option::of(hash()),
    ) -> SoftwareComponent {
        SoftwareComponent { kind, measurement, version, signer, hash }
    }
}

fn platform_profile() -> impl Strategy<Value = PlatformProfile> {
    let known = vec![PlatformProfile::Legacy, PlatformProfile::V1, PlatformProfile::V2];
    prop_oneof![3 => select(known), 1 => "tag:[a-z]{1,9}".prop_map(PlatformProfile::Other)]
}

prop_compose! {
    fn platform()(
        profile in platform_profile(),
        challenge in measurement(),
        implementation_id in uniform32(any::<u8>()),
        instance_id in ueid(),
        config in vec(any::<u8>(), 0..40),
        lifecycle in any::<u16>(),
        components in vec(component(), 1..6),
        service in option::of("https://[a-z]{1,20}"),
        hash in hash(),
        client_id in option::of(any::<u64>()),
        byte_strings in (option::of(vec(any::<u8>(), 0..9)), option::of(vec(any::<u8>(), 0..9))),
        raw in (option::of(raw()), option::of(raw())),
    ) -> PlatformClaims {
        PlatformClaims {
            profile,
            challenge,
            implementation_id,
            instance_id,
            config,
            lifecycle: Lifecycle(lifecycle),
            components,
            service,
            hash,
            client_id,
            manufacturing_config: byte_strings.0,
            extension: raw.0,
            tbb_rotpk: raw.1,
            peer_signers: byte_strings.1,
        }
    }
}

/// One item of CBOR in one of its encodings that are allowed.
fn raw() -> impl Strategy<Value = Vec<u8>> {
    select(vec![
        vec![0xf6],
        vec![0x80],
        vec![0x81, 0xa1, 0x01, 0x20],
        vec![0xc1, 0x19, 1, 0],
        vec![0xf9, 0, 0],
    ])
}

prop_compose! {
    fn realm()(
        profile in prop_oneof![
            3 => select(vec![RealmProfile::Legacy, RealmProfile::V1, RealmProfile::V2]),
            1 => "tag:[a-z]{1,9}".prop_map(RealmProfile::Other),
        ],
        challenge in bytes::<64>(),
        instance_id in option::of(ueid()),
        personalization in bytes::<64>(),
        initial in measurement(),
        extensible in uniform4(measurement()),
        hashes in (hash(), hash()),
        key in key(),
        raw_key in bytes::<96>(),
        bare in any::<bool>(),
        mec_policy in option::of(select(vec![MecPolicy::Shared, MecPolicy::Private])),
    ) -> RealmClaims {
        let public_key = match profile {
            RealmProfile::Legacy if bare => [&[4][..], &raw_key[..]].concat(),
            _ => key.encode(),
        };
        RealmClaims {
            profile,
            challenge,
            instance_id,
            personalization,
            initial,
            extensible,
            hash: hashes.0,
            public_key,
            public_key_hash: hashes.1,
            mec_policy,
        }
    }
}

fn field(least: usize, limit: usize) -> impl Strategy<Value = Field> {
    prop_oneof![
        Just(Field::Absent),
        Just(Field::Null),
        vec(any::<u8>(), least..=limit).prop_map(Field::Bytes),
    ]
}

fn pcr() -> impl Strategy<Value = Pcr> {
    (bytes::<64>(), select(vec![32, 48, 64])).prop_map(|(bytes, len)| Pcr::new(&bytes[..len]).unwrap())
}

prop_compose! {
    fn nitro()(
        module_id in "i-[0-9a-f]{17}-enc[0-9a-f]{19}",
        timestamp in 1_u64..,
        pcrs in btree_map(0_u8..32, pcr(), 1..=32),
        certificate in vec(any::<u8>(), 1..=Claims::MAX_CERTIFICATE),
        cabundle in vec(vec(any::<u8>(), 1..700), 1..=Claims::MAX_CABUNDLE),
        public_key in field(1, Claims::MAX_PUBLIC_KEY),
        user_data in field(0, Claims::MAX_USER_DATA),
        nonce in field(0, Claims::MAX_NONCE),
    ) -> Claims {
        Claims { module_id, timestamp, pcrs, certificate, cabundle, public_key, user_data, nonce }
    }
}

fn signed(algorithm: Algorithm, payload: &[u8], signature: &[u8], tagged: bool) -> Vec<u8> {
    let protected = algorithm.protected_header();
    Sign1 { tagged, ..Sign1::new(&protected, payload, signature) }.encode()
}

proptest! {
    #[test]
    fn messages(
        algorithm in algorithm(),
        payload in vec(any::<u8>(), 0..300),
        signature in vec(any::<u8>(), 0..=Sign1::MAX_SIGNATURE),
        tagged in any::<bool>(),
    ) {
        let bytes = signed(algorithm, &payload, &signature, tagged);
        let message = Sign1::parse(&bytes).unwrap();
        prop_assert_eq!(message.algorithm(), Ok(algorithm));
        prop_assert_eq!((message.payload, message.signature, message.tagged), (&*payload, &*signature, tagged));
        prop_assert_eq!(message.encode(), bytes);
    }

    #[test]
    fn messages_with_one_byte_changed(
        payload in vec(any::<u8>(), 0..60),
        at in any::<prop::sample::Index>(),
        flip in 1_u8..,
    ) {
        let mut bytes = signed(Algorithm::Es384, &payload, &[7; 96], true);
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        entry::cose_sign1(&bytes);
    }

    #[test]
    fn keys(key in key()) {
        prop_assert_eq!(EcKey::parse(&key.encode()), Ok(key));
        prop_assert_eq!(EcKey::from_spki(&key.spki()), Some(key));
        prop_assert_eq!(EcKey::from_point(key.point()), Some(key));
        entry::cose_key(&key.encode());
    }

    #[test]
    fn cca_claims(platform in platform(), realm in realm()) {
        prop_assert_eq!(PlatformClaims::parse(&platform.encode()), Ok(platform));
        prop_assert_eq!(RealmClaims::parse(&realm.encode()), Ok(realm));
    }

    #[test]
    fn cca_tokens(platform in platform(), realm in realm(), cmw in any::<bool>(), at in any::<prop::sample::Index>(), flip in 1_u8..) {
        let wrapping = if cmw { Wrapping::Cmw } else { Wrapping::Collection };
        let [inner_platform, inner_realm] = [platform.encode(), realm.encode()]
            .map(|payload| signed(Algorithm::Es384, &payload, &[9; 96], true));
        let mut bytes = Token::wrap(wrapping, &inner_platform, &inner_realm);
        let token = Token::parse(&bytes).unwrap();
        prop_assert_eq!(&token.platform_claims, &platform);
        prop_assert_eq!(&token.realm_claims, &realm);
        prop_assert_eq!(token.wrapping, wrapping);
        prop_assert_eq!(token.encode(), &*bytes);

        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        entry::cca_token(&bytes);
    }

    #[test]
    fn nitro_documents(claims in nitro(), at in any::<prop::sample::Index>(), flip in 1_u8..) {
        let payload = claims.encode();
        let mut bytes = signed(Algorithm::Es384, &payload, &[9; 96], false);
        let document = Document::parse(&bytes).unwrap();
        prop_assert_eq!(&document.claims, &claims);
        prop_assert_eq!(document.encode(), &*bytes);

        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        entry::nitro_document(&bytes);
    }

    #[test]
    fn any_bytes(bytes in vec(any::<u8>(), 0..600)) {
        entry::cose_sign1(&bytes);
        entry::cose_key(&bytes);
        entry::cca_token(&bytes);
        entry::cca_claims(&bytes);
        entry::nitro_document(&bytes);
        entry::nitro_claims(&bytes);
    }
}

/// RFC 9052, section 4.4: the array of context, protected header, external data and payload.
#[test]
fn what_is_signed_is_the_structure_of_the_specification() {
    let expected =
        hex::decode(["84", "6a5369676e617475726531", "43a10126", "40", "4454657374"].concat()).unwrap();
    assert_eq!(to_be_signed(&Algorithm::Es256.protected_header(), b"Test"), expected);
}

fn fault(of: Result<Sign1<'_>, ParseError>) -> (&'static str, Fault) {
    of.map(|_| ()).map_err(|error| (error.field, error.fault)).unwrap_err()
}

#[test]
fn headers_that_change_the_meaning_are_refused() {
    let message = |protected: &str, unprotected: &str| {
        let protected = hex::decode(protected).unwrap();
        let unprotected = hex::decode(unprotected).unwrap();
        Sign1 { unprotected: &unprotected, ..Sign1::new(&protected, b"payload", &[0; 96]) }.encode()
    };
    let refused = |protected, unprotected| fault(Sign1::parse(&message(protected, unprotected)));
    // No algorithm, none that is signed, one that appears twice.
    assert_eq!(refused("a0", "a0"), ("alg", Fault::Missing));
    assert_eq!(refused("a0", "a1013822"), ("unprotected", Fault::Duplicate));
    assert_eq!(refused("a1013822", "a10126"), ("unprotected", Fault::Duplicate));
    assert_eq!(refused("a20138220126", "a0"), ("label", Fault::Duplicate));
    // A critical parameter, in either header.
    assert_eq!(refused("a2013822028104", "a0"), ("crit", Fault::Unsupported { found: 2 }));
    assert_eq!(refused("a1013822", "a1028104"), ("unprotected", Fault::Duplicate));
    // Not a map.
    assert_eq!(refused("f6", "a0"), ("header", Fault::Malformed));
    assert_eq!(refused("a1013822", "f6"), ("unprotected", Fault::Malformed));
    // A key's name beside the algorithm changes nothing.
    assert!(Sign1::parse(&message("a201382204420102", "a1044101")).is_ok());
}

#[test]
fn certificates_stand_in_the_header() {
    for count in [1, 2, Sign1::MAX_CERTIFICATES] {
        let certificates = vec![vec![0x30, 0x00]; count];
        let header = Sign1::certificates_header(&certificates);
        let protected = Algorithm::Es384.protected_header();
        let bytes = Sign1 { unprotected: &header, ..Sign1::new(&protected, &[], &[]) }.encode();
        assert_eq!(Sign1::parse(&bytes).unwrap().certificates().unwrap(), certificates);
    }
    let read = |header: &str| {
        let header = hex::decode(header).unwrap();
        let certificates = Sign1 { unprotected: &header, ..Sign1::new(&[], &[], &[]) }.certificates();
        certificates.map(|found| found.len()).map_err(|error| error.fault)
    };
    assert_eq!(read("a0"), Ok(0));
    assert_eq!(read("a1182180"), Ok(0));
    assert_eq!(read("a1182189404040404040404040"), Err(Fault::TooLarge { limit: 8 }));
    assert_eq!(read("a1182100"), Err(Fault::Malformed));
}

#[test]
fn a_detached_payload_and_other_tags_are_refused() {
    let detached = hex::decode("d28444a1013822a0f640").unwrap();
    assert_eq!(fault(Sign1::parse(&detached)), ("payload", Fault::Malformed));
    // COSE_Sign, with several signatures.
    let several = hex::decode("d8628444a1013822a04040").unwrap();
    assert_eq!(fault(Sign1::parse(&several)), ("tag", Fault::Unsupported { found: 98 }));
}

#[test]
fn keys_that_are_not_quite_keys_are_refused() {
    let key = EcKey::from_point(&[&[4_u8][..], &[1; 96]].concat()).unwrap();
    let encoded = hex::encode(key.encode());
    let parse =
        |text: &str| EcKey::parse(&hex::decode(text).unwrap()).map_err(|error| (error.field, error.fault));
    assert_eq!(parse(&encoded), Ok(key));
    assert_eq!(parse(&encoded.replacen("0102", "0101", 1)), Err(("kty", Fault::Unsupported { found: 1 })));
    assert_eq!(parse(&encoded.replacen("2002", "2003", 1)), Err(("crv", Fault::Unsupported { found: 3 })));
    // The coordinates of the other curve.
    assert_eq!(parse(&encoded.replacen("2002", "2001", 1)), Err(("x", Fault::Malformed)));
    assert_eq!(EcKey::from_point(&[2; 49]), None);
    assert_eq!(EcKey::from_point(&[6; 97]), None);
    let spki = key.spki();
    assert_eq!(EcKey::from_spki(&[&spki[..], &[0]].concat()), None);
    assert_eq!(EcKey::from_spki(&spki[..spki.len() - 1]), None);
}

/// RFC 7517, appendix A.1: the key of the first example.
#[test]
fn keys_in_json_are_the_same_keys() {
    let jwk = r#"{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"enc","kid":"1"}"#;
    let key = EcKey::from_jwk(jwk.as_bytes()).unwrap();
    let x = "30a0424cd21c2944838a2d75c92b37e76ea20d9f00893a3b4eee8a3c0aafec3e";
    let y = "e04b65e92456d9888b52b379bdfbd51ee869ef1f0fc65b6659695b6cce081723";
    assert_eq!(hex::encode(key.point()), format!("04{x}{y}"));
    let refused = |json: &str| EcKey::from_jwk(json.as_bytes()).unwrap_err().field;
    assert_eq!(refused(&jwk.replace("\"EC\"", "\"OKP\"")), "kty");
    assert_eq!(refused(&jwk.replace("P-256", "P-521")), "crv");
    assert_eq!(refused(&jwk.replace("P-256", "P-384")), "x");
    assert_eq!(refused(&jwk.replace("MKBC", "")), "x");
    assert_eq!(refused(&jwk.replace("FyM\"", "FyM=\"")), "y");
    assert_eq!(refused(&jwk.replace("\"use\":\"enc\"", "\"crv\":\"P-384\"")), "JSON");
    assert_eq!(refused(&" ".repeat(5000)), "JSON");
}

#[test]
fn the_life_of_a_platform_is_told_by_the_high_byte() {
    let state = |value| Lifecycle(value).state();
    assert_eq!(state(0x00ff), Some(LifecycleState::Unknown));
    assert_eq!(state(0x0100), None);
    assert_eq!(state(0x2fff), None);
    assert_eq!(state(0x3000), Some(LifecycleState::Secured));
    assert_eq!(state(0x30ff), Some(LifecycleState::Secured));
    assert_eq!(state(0x3100), None);
    assert_eq!(state(0x4000), Some(LifecycleState::NonCcaPlatformDebug));
    assert_eq!(state(0x5001), Some(LifecycleState::RecoverableCcaPlatformDebug));
    assert_eq!(state(0x60ff), Some(LifecycleState::Decommissioned));
    assert_eq!(state(0xffff), None);
}

#[test]
fn nothing_absent_and_empty_are_three_things() {
    let claims = |user_data: Field| Claims {
        module_id: "i".into(),
        timestamp: 1,
        pcrs: [(0, Pcr::new(&[0; 48]).unwrap())].into(),
        certificate: vec![0],
        cabundle: vec![vec![0]],
        public_key: Field::Absent,
        user_data,
        nonce: Field::Null,
    };
    let encoded = [Field::Absent, Field::Null, Field::Bytes(vec![])].map(|field| claims(field).encode());
    assert!(encoded[0] != encoded[1] && encoded[1] != encoded[2] && encoded[0] != encoded[2]);
    for (bytes, field) in encoded.iter().zip([Field::Absent, Field::Null, Field::Bytes(vec![])]) {
        assert_eq!(Claims::parse(bytes).unwrap().user_data, field);
    }
    let refused = |claims: Claims| {
        Claims::parse(&claims.encode()).map(|_| ()).map_err(|error| (error.field, error.fault)).unwrap_err()
    };
    let largest = Claims { nonce: Field::Bytes(vec![0; 1024]), ..claims(Field::Bytes(vec![0; 1024])) };
    assert!(Claims::parse(&largest.encode()).is_ok());
    assert_eq!(refused(claims(Field::Bytes(vec![0; 1025]))), ("user_data", Fault::TooLarge { limit: 1024 }));
    let nonce = Claims { nonce: Field::Bytes(vec![0; 1025]), ..claims(Field::Null) };
    assert_eq!(refused(nonce), ("nonce", Fault::TooLarge { limit: 1024 }));
    let key = Claims { public_key: Field::Bytes(vec![]), ..claims(Field::Null) };
    assert_eq!(refused(key), ("public_key", Fault::Malformed));
    let key = Claims { public_key: Field::Bytes(vec![0; 1025]), ..claims(Field::Null) };
    assert_eq!(refused(key), ("public_key", Fault::TooLarge { limit: 1024 }));
    let bundle = Claims { cabundle: vec![vec![0]; 9], ..claims(Field::Null) };
    assert_eq!(refused(bundle), ("cabundle", Fault::TooLarge { limit: 8 }));
    assert_eq!(refused(Claims { cabundle: vec![], ..claims(Field::Null) }), ("cabundle", Fault::Malformed));
    assert_eq!(refused(Claims { pcrs: [].into(), ..claims(Field::Null) }), ("pcrs", Fault::Malformed));
    let pcrs = [(32, Pcr::new(&[0; 48]).unwrap())].into();
    assert_eq!(refused(Claims { pcrs, ..claims(Field::Null) }), ("pcrs", Fault::Malformed));
    assert_eq!(refused(Claims { timestamp: 0, ..claims(Field::Null) }), ("timestamp", Fault::Malformed));
    assert_eq!(
        refused(Claims { module_id: String::new(), ..claims(Field::Null) }),
        ("module_id", Fault::Malformed)
    );
}
