// SPDX-License-Identifier: Apache-2.0

//! Appraisal of any bytes, and policies and feeds of advisories of any text. Property tests and fuzz targets run the same functions.

#![allow(dead_code, reason = "each test and fuzz target uses one")]

use enarx_evidence::Bundle;
use enarx_verifier::advisory::{Draft, Feed, FeedError};
use enarx_verifier::crypto::{SignatureVerifier, Signed};
use enarx_verifier::policy::{self, Base};
use enarx_verifier::{Policy, ReferenceValue, Request, TrustAnchors, UnixTime, appraise, appraise_with};

const NOW: UnixTime = UnixTime(1_750_000_000);

/// Appraises bytes that claim to be a bundle. They cannot be accepted: nobody signed them.
pub(crate) fn appraisal(bytes: &[u8]) {
    let Ok(bundle) = Bundle::decode(bytes) else { return };
    let request = Request {
        bundle: &bundle,
        report_data: &[0; 64],
        anchors: &TrustAnchors::vendors(),
        reference_values: &[],
        policy: &Policy::closed(),
        advisories: &[],
        now: NOW,
    };
    let refusals = appraise(&request).map(|_| ()).expect_err("accepted");
    assert!(refusals.iter().count() > 0);
}

/// Takes every signature for good, so that what stands behind signatures is reached as well.
struct Believing;

impl SignatureVerifier for Believing {
    fn verify(&mut self, _: &Signed<'_>) -> bool {
        true
    }
}

/// A policy that asks about everything and accepts much.
const POLICY: &str = r#"
version = 1
[keep]
measurements = ["release"]
[keep.registers]
pcr0 = ["release"]
rtmr0 = ["release"]
rem0 = ["release"]
[guest]
debug = "accept"
migration = "accept"
vmpl = [0, 1, 2, 3]
vlek = "accept"
[[allow]]
id = "amd"
vendor = "amd"
tee = "sev-snp"
minimum_tcb = "not-checked"
[[allow]]
id = "intel"
vendor = "intel"
tee = "tdx"
[[allow]]
id = "arm"
vendor = "arm"
tee = "cca"
"#;

/// Appraises bytes as if everything in them were signed, by whoever should have. They are refused all the same: nobody
/// knows the root.
pub(crate) fn believing(bytes: &[u8]) {
    let Ok(bundle) = Bundle::decode(bytes) else { return };
    let policy = Policy::parse(POLICY).expect("a policy");
    let release = ReferenceValue { name: "release".into(), measurement: [0x22; 48].to_vec() };
    let request = Request {
        bundle: &bundle,
        report_data: &[0x11; 64],
        anchors: &TrustAnchors::none(),
        reference_values: &[release],
        policy: &policy,
        advisories: &[],
        now: NOW,
    };
    assert!(appraise_with(&request, &mut Believing).is_err());
}

/// Reads a policy, or says where it is wrong.
pub(crate) fn policy(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    match Policy::parse(text) {
        Ok(policy) => {
            let _ = (policy.digest(), policy.allow_rules().count(), policy.deny_rules().count());
            assert!(policy.notices(NOW).iter().all(|notice| notice.place.line() >= 1));
            assert!(policy.notices(NOW).is_sorted_by_key(|notice| notice.place.line()));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    // As one that narrows another, and as one that is narrowed.
    let base = |text: &str| Base { name: "base".into(), text: text.into() };
    let mut template = |_: &str, _: Option<&str>| Ok(base(policy::template()));
    let mut given = |_: &str, _: Option<&str>| Ok(base(text));
    let _ = Policy::parse_with("team", text, &mut template);
    let narrowing = "version = 1\nextends = \"base\"\n[guest]\nsmt = \"refuse\"\n";
    if let (Ok(narrow), Ok(wide)) = (Policy::parse_with("team", narrowing, &mut given), Policy::parse(text)) {
        assert_eq!(narrow.allow_rules().count(), wide.allow_rules().count());
    }
}

/// Reads a feed of advisories, which nobody signed, and its body.
pub(crate) fn advisory_feed(bytes: &[u8]) {
    // Whoever is named, the bytes are not signed: the head is read, then the signature fails.
    if let Err(FeedError::IssuerNotNamed { found }) = Feed::parse(bytes, &[]) {
        assert_eq!(Feed::parse(bytes, &[found]), Err(FeedError::Signature { issuer: found }));
    }
    let Ok(body) = core::str::from_utf8(bytes) else { return };
    match Draft::parse(body) {
        Ok(draft) => assert!(draft.contents().version > 0 && draft.message().ends_with(bytes)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
