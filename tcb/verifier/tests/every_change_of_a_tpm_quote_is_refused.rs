// SPDX-License-Identifier: Apache-2.0

//! Accepted quotes of simulated TPMs with one thing changed: what a quote says, before or after it is signed, each
//! byte of it, the key, and bytes of each of its certificates.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod machines;

use enarx_evidence::Bundle;
use enarx_evidence::tpm::{
    AttestationKey, Attributes, HashAlgorithm, KeyScheme, PcrSelection, PublicId, TpmEvidence,
};
use enarx_simulator::{Curve, SimulatedTpm, TpmContent, TpmKey};
use enarx_verifier::{Claims, Code, KeyName, TrustAnchors};
use machines::{REPORT_DATA, Relying, local, quoted, set, stranger};
use sha2::{Digest as _, Sha256};

const FORGED: Code = Code::TpmSignatureInvalid;

const KEY: usize = 0;
const AUTHORITY: usize = 1;
const ROOT: usize = 2;
const LIST: usize = 3;

const KEYS: [TpmKey; 4] =
    [TpmKey::RsaSsa, TpmKey::RsaPss, TpmKey::Ecdsa(Curve::P256), TpmKey::Ecdsa(Curve::P384)];

fn attest(tpm: &SimulatedTpm, change: impl FnOnce(&mut TpmContent)) -> Bundle {
    local().attest_tpm(tpm, &REPORT_DATA, change).unwrap()
}

/// A quote whose key only its certificate names.
fn undescribed() -> SimulatedTpm {
    SimulatedTpm { described: false, ..SimulatedTpm::default() }
}

fn digest_of(content: &mut TpmContent) {
    let mut values = Vec::new();
    for selection in &content.attest.pcr_select {
        for number in selection.numbers() {
            values.extend_from_slice(content.values.get(selection.bank, number).unwrap());
        }
    }
    content.attest.pcr_digest = Sha256::digest(values).to_vec();
}

fn set_register(content: &mut TpmContent, number: u8, byte: u8) {
    let bank = content.values.banks.get_mut(&HashAlgorithm::Sha256).unwrap();
    bank.insert(number, vec![byte; 32]);
}

/// A change of what a quote says, and exactly what that is refused for if the TPM signs it, and if it does not.
type Change = (&'static str, fn(&mut TpmContent), &'static [Code], &'static [Code]);

const CHANGES: &[Change] = &[
    ("qualifiedSigner", |content| content.attest.qualified_signer[9] ^= 1, &[], &[FORGED]),
    (
        "extraData",
        |content| content.attest.extra_data[0] ^= 1,
        &[Code::ReportDataMismatch],
        &[FORGED, Code::ReportDataMismatch],
    ),
    (
        "extraData, shorter",
        |content| content.attest.extra_data.truncate(31),
        &[Code::ReportDataMismatch],
        &[FORGED, Code::ReportDataMismatch],
    ),
    (
        "extraData, empty",
        |content| content.attest.extra_data.clear(),
        &[Code::ReportDataMismatch],
        &[FORGED, Code::ReportDataMismatch],
    ),
    ("clock", |content| content.attest.clock.clock += 1, &[], &[FORGED]),
    ("resetCount", |content| content.attest.clock.reset_count += 1, &[], &[FORGED]),
    ("restartCount", |content| content.attest.clock.restart_count += 1, &[], &[FORGED]),
    ("safe", |content| content.attest.clock.safe = false, &[], &[FORGED]),
    ("firmwareVersion", |content| content.attest.firmware_version += 1, &[], &[FORGED]),
    (
        "pcrDigest",
        |content| content.attest.pcr_digest[0] ^= 1,
        &[Code::PcrDigestMismatch, Code::MeasurementNotAccepted],
        &[FORGED, Code::PcrDigestMismatch, Code::MeasurementNotAccepted],
    ),
    (
        "pcrSelect, without a register that the policy names",
        |content| content.attest.pcr_select[0].registers ^= 1 << 4,
        &[Code::PcrDigestMismatch, Code::RegisterNotQuoted],
        &[FORGED, Code::PcrDigestMismatch, Code::RegisterNotQuoted],
    ),
    (
        "pcrSelect and pcrDigest, without a register that the policy names",
        |content| {
            content.attest.pcr_select[0].registers ^= 1 << 4;
            digest_of(content);
        },
        &[Code::RegisterNotQuoted, Code::MeasurementNotAccepted],
        &[FORGED, Code::RegisterNotQuoted, Code::MeasurementNotAccepted],
    ),
    (
        "pcrSelect and pcrDigest, without any register",
        |content| {
            content.attest.pcr_select.clear();
            digest_of(content);
        },
        &[Code::RegisterNotQuoted, Code::MeasurementNotAccepted],
        &[FORGED, Code::RegisterNotQuoted, Code::MeasurementNotAccepted],
    ),
    (
        "a register that the policy names",
        |content| {
            set_register(content, 4, 0x44);
            digest_of(content);
        },
        &[Code::RegisterNotAccepted, Code::MeasurementNotAccepted],
        &[FORGED, Code::RegisterNotAccepted, Code::MeasurementNotAccepted],
    ),
    (
        "a register that it does not name",
        |content| {
            set_register(content, 9, 0x99);
            digest_of(content);
        },
        &[Code::RegisterNotAccepted, Code::MeasurementNotAccepted],
        &[FORGED, Code::RegisterNotAccepted, Code::MeasurementNotAccepted],
    ),
    (
        "a register of a dynamic launch",
        |content| {
            set_register(content, 17, 0x17);
            digest_of(content);
        },
        &[Code::RegisterNotAccepted, Code::MeasurementNotAccepted],
        &[FORGED, Code::RegisterNotAccepted, Code::MeasurementNotAccepted],
    ),
];

#[test]
fn each_kind_of_key_is_accepted() {
    let relying = Relying::party();
    for key in KEYS {
        for (described, certified) in [(true, true), (false, true)] {
            let tpm = SimulatedTpm { key, described, certified, ..SimulatedTpm::default() };
            assert_eq!(relying.codes(&attest(&tpm, |_| {})), set(&[]), "{key:?}");
        }
        // Without a certificate the key itself has to be endorsed.
        let tpm = SimulatedTpm { key, certified: false, ..SimulatedTpm::default() };
        let bundle = attest(&tpm, |_| {});
        assert_eq!(relying.codes(&bundle), set(&[Code::TpmKeyNotEndorsed]));
        let mut endorsing = Relying::party();
        let pinned = local().tpm_key_spki_sha256(key).unwrap();
        endorsing.anchors = TrustAnchors::vendors().with_endorsed("mine", pinned);
        assert_eq!(endorsing.codes(&bundle), set(&[]), "{key:?}");
        let neither = SimulatedTpm { described: false, ..tpm };
        assert_eq!(endorsing.codes(&attest(&neither, |_| {})), set(&[Code::TpmKeyMissing]));
    }
}

#[test]
fn what_a_quote_says() {
    let relying = Relying::party();
    for (what, change, signed, unsigned) in CHANGES {
        for tpm in [SimulatedTpm::default(), undescribed()] {
            assert_eq!(relying.codes(&attest(&tpm, change)), set(signed), "{what}, signed");
            // The same change by somebody who has no key: the signature is that of the sound quote.
            let mut evidence = TpmEvidence::decode(&attest(&tpm, change).evidence.bytes).unwrap();
            let sound = attest(&tpm, |_| {});
            evidence.quote.signature = TpmEvidence::decode(&sound.evidence.bytes).unwrap().quote.signature;
            let mut forged = sound;
            forged.evidence.bytes = evidence.encode();
            assert_eq!(relying.codes(&forged), set(unsigned), "{what}, unsigned");
        }
    }
}

#[test]
fn the_values_beside_a_quote() {
    let relying = Relying::party();
    let changed = |change: fn(&mut TpmContent)| relying.codes(&attest(&undescribed(), change));
    let mismatch = set(&[Code::PcrDigestMismatch, Code::RegisterNotAccepted]);
    assert_eq!(changed(|content| set_register(content, 0, 7)), mismatch);
    assert_eq!(changed(|content| set_register(content, 23, 7)), mismatch);
    let bank = |content: &mut TpmContent| content.values.banks.remove(&HashAlgorithm::Sha256).unwrap();
    assert_eq!(
        changed(|content| drop(content.values.banks.get_mut(&HashAlgorithm::Sha256).unwrap().remove(&23))),
        set(&[Code::PcrValuesMissing])
    );
    // The measurement is there without them, and what it is about is not.
    let without = attest(&undescribed(), |content| drop(bank(content)));
    assert_eq!(relying.codes(&without), set(&[Code::PcrValuesMissing]));
    // A value of a register that is not quoted is nobody's, whatever it says.
    let unquoted = attest(&undescribed(), |content| {
        content.attest.pcr_select = vec![PcrSelection::of(HashAlgorithm::Sha256, &[0, 1, 2, 3])];
        digest_of(content);
    });
    let refused = set(&[Code::RegisterNotQuoted, Code::MeasurementNotAccepted]);
    assert_eq!(relying.codes(&unquoted), refused);
}

#[test]
fn each_byte_of_a_quote() {
    let relying = Relying::party();
    let bundle = attest(&undescribed(), |_| {});
    assert_eq!(relying.codes(&bundle), set(&[]));
    for at in 0..bundle.evidence.bytes.len() {
        let mut changed = bundle.clone();
        changed.evidence.bytes[at] ^= if at % 2 == 0 { 0x01 } else { 0x80 };
        let codes = relying.codes(&changed);
        let reasons = [Code::EvidenceMalformed, FORGED, Code::PcrDigestMismatch, Code::PcrValuesMissing];
        assert!(codes.iter().any(|code| reasons.contains(code)), "byte {at}: {codes:?}");
    }
    for len in 0..bundle.evidence.bytes.len() {
        let mut changed = bundle.clone();
        changed.evidence.bytes.truncate(len);
        assert_eq!(relying.codes(&changed), set(&[Code::EvidenceMalformed]), "{len} bytes");
    }
}

#[test]
fn what_the_tpm_says_about_the_key() {
    let relying = Relying::party();
    // Numbers of bits in `TPMA_OBJECT`: fixedTPM, fixedParent, sensitiveDataOrigin, restricted, decrypt, sign.
    for bit in [1, 4, 5, 16, 17, 18] {
        let bundle = attest(&SimulatedTpm::default(), |content| {
            content.public.attributes = Attributes(content.public.attributes.0 ^ 1 << bit);
        });
        assert_eq!(relying.codes(&bundle), set(&[Code::TpmKeyAttributes]), "bit {bit}");
    }
    for scheme in [KeyScheme::Any, KeyScheme::RsaPss(HashAlgorithm::Sha256)] {
        let bundle = attest(&SimulatedTpm::default(), |content| content.public.scheme = scheme);
        assert_eq!(relying.codes(&bundle), set(&[Code::TpmKeyAttributes]), "{scheme:?}");
    }
    let exponent = attest(&SimulatedTpm::default(), |content| {
        if let PublicId::Rsa { exponent, .. } = &mut content.public.id {
            *exponent = 3;
        }
    });
    assert_eq!(relying.codes(&exponent), set(&[Code::TpmKeyNotEndorsed, FORGED]));
    let modulus = attest(&SimulatedTpm::default(), |content| {
        if let PublicId::Rsa { modulus, .. } = &mut content.public.id {
            modulus[100] ^= 1;
        }
    });
    assert_eq!(relying.codes(&modulus), set(&[Code::TpmKeyNotEndorsed, FORGED]));
}

/// The name of a described key directly below something with this handle, all of it with SHA-256: `nameAlg` and
/// H(handle, `nameAlg`, H(`TPMT_PUBLIC`)) (*TPM 2.0, part 1*, sections 16 and 26.5).
fn name_below(handle: [u8; 4], content: &TpmContent) -> Vec<u8> {
    let named = |digest: &[u8]| [&[0x00, 0x0b], digest].concat();
    let own = named(&Sha256::digest(content.public.encode()));
    named(&Sha256::digest([&handle[..], &own].concat()))
}

#[test]
fn the_name_of_the_key() {
    use KeyName::{Confirmed, Unconfirmed};
    let relying = Relying::party();
    let name = |change: fn(&mut TpmContent)| {
        let result = relying.appraise(&attest(&SimulatedTpm::default(), change)).unwrap();
        let Claims::Tpm(claims) = result.claims() else { panic!("another TEE") };
        claims.name
    };
    assert_eq!(name(|_| {}), Confirmed);
    // Owner, endorsement, platform; the null hierarchy; another key.
    assert_eq!(name(|c| c.attest.qualified_signer = name_below([0x40, 0, 0, 0x01], c)), Confirmed);
    assert_eq!(name(|c| c.attest.qualified_signer = name_below([0x40, 0, 0, 0x0b], c)), Confirmed);
    assert_eq!(name(|c| c.attest.qualified_signer = name_below([0x40, 0, 0, 0x0c], c)), Confirmed);
    assert_eq!(name(|c| c.attest.qualified_signer = name_below([0x40, 0, 0, 0x07], c)), Unconfirmed);
    assert_eq!(name(|c| c.attest.qualified_signer = name_below([0x81, 0, 0, 0x01], c)), Unconfirmed);
    assert_eq!(name(|c| c.attest.qualified_signer[33] ^= 1), Unconfirmed);
    // What is said of the key and is not so: `userWithAuth`, a policy for its use.
    assert_eq!(name(|c| c.public.attributes = Attributes(c.public.attributes.0 ^ 1 << 6)), Unconfirmed);
    assert_eq!(name(|c| c.public.auth_policy = vec![7; 32]), Unconfirmed);
    // A name made with another hash function than the description says, or that is none.
    let wrong: [fn(&mut TpmContent); 5] = [
        |c| c.attest.qualified_signer[1] = 0x0c,
        |c| c.attest.qualified_signer.truncate(33),
        |c| c.attest.qualified_signer.push(0),
        |c| c.attest.qualified_signer.clear(),
        |c| c.public.name_alg = HashAlgorithm::Sha384,
    ];
    for change in wrong {
        let codes = relying.codes(&attest(&SimulatedTpm::default(), change));
        assert_eq!(codes, set(&[Code::TpmKeyAttributes]));
    }
    // Who describes no key says nothing that a name could confirm.
    let result = relying.appraise(&attest(&undescribed(), |c| c.attest.qualified_signer.clear())).unwrap();
    let Claims::Tpm(claims) = result.claims() else { panic!("another TEE") };
    assert_eq!((claims.attributes, claims.name), (None, Unconfirmed));
}

#[test]
fn a_key_of_another_tpm() {
    let relying = Relying::party();
    let foreign = stranger().attest_tpm(&SimulatedTpm::default(), &REPORT_DATA, |_| {}).unwrap();
    assert_eq!(relying.codes(&foreign), set(&[Code::SimulatedNotAccepted]));
    // Its quote with the certificates of a known one.
    let own = attest(&SimulatedTpm::default(), |_| {});
    let mut mixed = foreign.clone();
    mixed.endorsements = own.endorsements.clone();
    assert_eq!(relying.codes(&mixed), set(&[Code::TpmKeyNotEndorsed]));
    // The same, and the key is that of the known one.
    let mut evidence = TpmEvidence::decode(&foreign.evidence.bytes).unwrap();
    evidence.key = TpmEvidence::decode(&own.evidence.bytes).unwrap().key;
    mixed.evidence.bytes = evidence.encode();
    assert_eq!(relying.codes(&mixed), set(&[FORGED]));
    evidence.key = None;
    mixed.evidence.bytes = evidence.encode();
    assert_eq!(relying.codes(&mixed), set(&[FORGED]));
    // A key that is no key.
    evidence.key = Some(AttestationKey::Spki(vec![0x30, 0]));
    mixed.evidence.bytes = evidence.encode();
    assert_eq!(relying.codes(&mixed), set(&[Code::KeyUnsupported]));
}

#[test]
fn bytes_of_each_certificate() {
    use Code::{
        CertificateSignatureInvalid, CrlMissing, CrlSignatureInvalid, EndorsementMalformed, IssuerMissing,
        RootMissing, TpmKeyNotEndorsed,
    };
    let (relying, bundle) = (Relying::party(), attest(&SimulatedTpm::default(), |_| {}));
    let read = [EndorsementMalformed, CertificateSignatureInvalid, IssuerMissing];
    relying.bytes_of(&bundle, KEY, &[&read[..], &[TpmKeyNotEndorsed]].concat());
    relying.bytes_of(&bundle, AUTHORITY, &[&read[..], &[RootMissing]].concat());
    relying.bytes_of(&bundle, ROOT, &[&read[..], &[RootMissing]].concat());
    relying.bytes_of(&bundle, LIST, &[EndorsementMalformed, CrlSignatureInvalid, CrlMissing]);
}

#[test]
fn a_certificate_or_list_left_out_or_of_another_kind() {
    let relying = Relying::party();
    let bundle = attest(&SimulatedTpm::default(), |_| {});
    let missing = [
        (KEY, Code::TpmKeyNotEndorsed),
        (AUTHORITY, Code::IssuerMissing),
        (ROOT, Code::RootMissing),
        (LIST, Code::CrlMissing),
    ];
    for (endorsement, code) in missing {
        let mut changed = bundle.clone();
        changed.endorsements.items.remove(endorsement);
        assert_eq!(relying.codes(&changed), set(&[code]));
    }
    let revoked = attest(&SimulatedTpm::default(), |content| content.authority_revoked = true);
    assert_eq!(relying.codes(&revoked), set(&[Code::CertificateRevoked]));
    // The certificate of an authority is not that of an attestation key.
    let authority = attest(&SimulatedTpm::default(), |content| content.authority = true);
    assert_eq!(relying.codes(&authority), set(&[Code::TpmKeyNotEndorsed]));
}

#[test]
fn sha1_is_accepted_only_by_name() {
    let (sha1, sha256) = (HashAlgorithm::Sha1, HashAlgorithm::Sha256);
    let with = |banks: &[HashAlgorithm]| {
        let tpm = SimulatedTpm { banks: banks.to_vec(), ..SimulatedTpm::default() };
        attest(&tpm, |_| {})
    };
    let relying = Relying::party();
    assert_ne!(quoted(&[sha1]), quoted(&[sha256]));
    assert_eq!(relying.codes(&with(&[sha1])), set(&[Code::WeakHashNotAccepted]));
    // Beside a stronger bank with the same registers it is not needed.
    assert_eq!(relying.codes(&with(&[sha1, sha256])), set(&[]));
    let accepting = Relying::under(machines::policy(|text| format!("{text}[tpm]\nsha1 = \"accept\"\n")));
    assert_eq!(accepting.codes(&with(&[sha1])), set(&[]));
}
