// SPDX-License-Identifier: Apache-2.0

//! Tokens recorded elsewhere are read in full, and written back as they were.
//!
//! The records are not part of this project. They are looked for beside it, or where `ENARX_VECTORS` says.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test says what it skipped")]

mod entry;

use std::path::PathBuf;

use enarx_evidence::cca::{MecPolicy, PlatformProfile, RealmProfile, Token, Wrapping};
use enarx_evidence::cose::Algorithm;
use enarx_evidence::nitro::{Document, Field};

fn records() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors");
    let dir = PathBuf::from(std::env::var("ENARX_VECTORS").unwrap_or_else(|_| beside.to_owned()));
    if !dir.join("manifest.toml").exists() {
        println!("skipped: no recorded evidence in {}", dir.display());
        return None;
    }
    Some(dir)
}

#[test]
fn tokens_of_arm_cca() {
    let Some(dir) = records() else { return };
    let read = |name: &str| std::fs::read(dir.join("cca").join(name).join("token.cbor")).unwrap();
    let cases = [
        ("tag399-legacy-tf-rmm", Wrapping::Collection, PlatformProfile::Legacy, RealmProfile::Legacy, 4),
        ("tag399-legacy-trustee", Wrapping::Collection, PlatformProfile::Legacy, RealmProfile::Legacy, 13),
        (
            "rak-binding-mismatch-rust",
            Wrapping::Collection,
            PlatformProfile::Legacy,
            RealmProfile::Legacy,
            16,
        ),
        ("tag399-profile-2023-rust", Wrapping::Collection, PlatformProfile::V1, RealmProfile::V1, 13),
        ("tag907-legacy-tfm", Wrapping::Cmw, PlatformProfile::Legacy, RealmProfile::Legacy, 13),
        ("tag907-realm2-tfm", Wrapping::Cmw, PlatformProfile::V1, RealmProfile::V2, 13),
    ];
    for (name, wrapping, platform, realm, components) in cases {
        let bytes = read(name);
        let token = Token::parse(&bytes).unwrap();
        assert_eq!(token.encode(), bytes, "{name}");
        assert_eq!((token.wrapping, token.platform.tagged), (wrapping, true), "{name}");
        assert_eq!(token.platform.algorithm(), Ok(Algorithm::Es384));
        assert_eq!(token.platform_claims.profile, platform, "{name}");
        assert_eq!(token.realm_claims.profile, realm, "{name}");
        assert_eq!(token.platform_claims.components.len(), components, "{name}");
        assert_eq!(token.platform_claims.lifecycle.0, 12291);
        entry::cca_token(&bytes);
    }
    let bytes = read("tag907-realm2-tfm");
    let claims = Token::parse(&bytes).unwrap().realm_claims;
    assert_eq!(claims.mec_policy, Some(MecPolicy::Private));
    assert_eq!(claims.instance_id.unwrap()[..3], [1, 2, 3]);
    let bytes = read("tag399-legacy-tf-rmm");
    let component = Token::parse(&bytes).unwrap().platform_claims.components.remove(0);
    assert_eq!((component.kind.as_deref(), component.version.as_deref()), (Some("BL"), Some("3.4.2")));
}

#[test]
fn documents_of_nitro_enclaves() {
    let Some(dir) = records() else { return };
    let read = |name: &str| std::fs::read(dir.join("nitro").join(name).join("document.bin")).unwrap();
    let cases = [
        ("prod-2021-anjuna", 16, false),
        ("debug-all-fields-anjuna", 16, true),
        ("prod-nonce-evervault", 16, false),
        ("debug-evervault", 16, true),
        ("debug-fortanix", 16, true),
        ("tampered-signature-fortanix", 16, true),
        ("prod-hex-base", 16, false),
        ("prod-2024-ldclabs", 16, false),
    ];
    for (name, registers, debug) in cases {
        let bytes = read(name);
        let document = Document::parse(&bytes).unwrap();
        assert_eq!(document.encode(), bytes, "{name}");
        assert_eq!(document.claims.encode(), document.message.payload, "{name}");
        assert!(!document.message.tagged);
        assert_eq!(document.message.algorithm(), Ok(Algorithm::Es384));
        assert_eq!(document.claims.pcrs.len(), registers, "{name}");
        assert_eq!(document.claims.pcr(0).unwrap().is_zero(), debug, "{name}");
        entry::nitro_document(&bytes);
    }
    let bytes = read("debug-evervault");
    let claims = Document::parse(&bytes).unwrap().claims;
    assert_eq!(claims.user_data.bytes(), Some(&b"hello, world!"[..]));
    assert_eq!((claims.nonce, claims.timestamp), (Field::Null, 1_665_582_606_081));
}
