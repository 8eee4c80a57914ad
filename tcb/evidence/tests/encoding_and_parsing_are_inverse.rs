// SPDX-License-Identifier: Apache-2.0

//! One meaning has one encoding: whatever is encoded parses to itself, whatever parses encodes to itself.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use enarx_evidence::snp::cert::KeyExtensions;
use enarx_evidence::snp::{
    CertTable, Cpuid, FirmwareVersion, GuestPolicy, Guid, KeyInfo, Layout, Mitigations, PlatformInfo, RawTcb,
    Report, Signature, SigningKey, TcbVersion, Version,
};
use enarx_evidence::{Bundle, Endorsements, Evidence, Fault, Format};
use proptest::array::{uniform16, uniform32};
use proptest::collection::vec;
use proptest::prelude::*;

fn bytes<const N: usize>() -> impl Strategy<Value = [u8; N]> {
    vec(any::<u8>(), N).prop_map(|bytes| bytes.try_into().unwrap())
}

fn key_info() -> impl Strategy<Value = KeyInfo> {
    let signing_key = prop_oneof![Just(SigningKey::Vcek), Just(SigningKey::Vlek), Just(SigningKey::None)];
    (any::<bool>(), any::<bool>(), signing_key).prop_map(|(author_key_en, mask_chip_key, signing_key)| {
        KeyInfo { author_key_en, mask_chip_key, signing_key }
    })
}

fn firmware() -> impl Strategy<Value = FirmwareVersion> {
    any::<[u8; 3]>().prop_map(|[build, minor, major]| FirmwareVersion { build, minor, major })
}

prop_compose! {
    fn report()(
        number in 2_u32..=5,
        words in any::<[u32; 3]>(),
        longs in any::<[u64; 8]>(),
        ids in (uniform16(any::<u8>()), uniform16(any::<u8>())),
        report_data in bytes::<64>(),
        digests in (bytes::<48>(), bytes::<48>(), bytes::<48>(), bytes::<48>(), bytes::<48>()),
        thirty_two in (uniform32(any::<u8>()), uniform32(any::<u8>()), uniform32(any::<u8>())),
        cpuid in any::<[u8; 3]>(),
        chip_id in bytes::<64>(),
        key_info in key_info(),
        versions in (firmware(), firmware()),
    ) -> Report {
        let version = Version::from_number(number).unwrap();
        let [family, model, stepping] = cpuid;
        Report {
            version,
            guest_svn: words[0],
            policy: GuestPolicy(longs[0]),
            family_id: ids.0,
            image_id: ids.1,
            vmpl: words[1],
            signature_algo: words[2],
            current_tcb: RawTcb(longs[1]),
            platform_info: PlatformInfo(longs[2]),
            key_info,
            report_data,
            measurement: digests.0,
            host_data: thirty_two.0,
            id_key_digest: digests.1,
            author_key_digest: digests.2,
            report_id: thirty_two.1,
            report_id_ma: thirty_two.2,
            reported_tcb: RawTcb(longs[3]),
            cpuid: (version >= Version::V3).then_some(Cpuid { family, model, stepping }),
            chip_id,
            committed_tcb: RawTcb(longs[4]),
            current: versions.0,
            committed: versions.1,
            launch_tcb: RawTcb(longs[5]),
            mitigations: (version >= Version::V5).then_some(Mitigations { launch: longs[6], current: longs[7] }),
            signature: Signature { r: digests.3, s: digests.4 },
        }
    }
}

fn bundle() -> impl Strategy<Value = Bundle> {
    (vec(any::<u8>(), 0..2000), vec(vec(any::<u8>(), 0..300), 0..=Bundle::MAX_ENDORSEMENTS)).prop_map(
        |(bytes, items)| Bundle {
            evidence: Evidence { format: Format::SevSnp, bytes },
            endorsements: Endorsements { items },
        },
    )
}

fn tcb() -> impl Strategy<Value = TcbVersion> {
    (any::<Option<u8>>(), any::<[u8; 4]>()).prop_map(|(fmc, [bootloader, tee, snp, microcode])| TcbVersion {
        fmc,
        bootloader,
        tee,
        snp,
        microcode,
    })
}

prop_compose! {
    fn extensions()(
        struct_version in any::<u8>(),
        product_name in "[A-Z][a-z]{3,6}(-B[0-9])?",
        tcb in tcb(),
        hwid in prop_oneof![Just(None), vec(any::<u8>(), 8).prop_map(Some), vec(any::<u8>(), 64).prop_map(Some)],
        csp_id in prop_oneof![Just(None), "[ -~]{0,127}".prop_map(Some)],
    ) -> KeyExtensions {
        KeyExtensions { struct_version, product_name, tcb, hwid, csp_id }
    }
}

proptest! {
    #[test]
    fn of_reports(report in report()) {
        let bytes = report.encode();
        prop_assert_eq!(&Report::parse(&bytes), &Ok(report));
    }

    #[test]
    fn of_reports_with_one_byte_changed(report in report(), at in 0..Report::LEN, flip in 1_u8..) {
        let mut bytes = report.encode();
        bytes[at] ^= flip;
        if let Ok(other) = Report::parse(&bytes) {
            prop_assert_ne!(&other, &report);
            prop_assert_eq!(other.encode(), bytes);
        }
    }

    #[test]
    fn of_bundles(bundle in bundle()) {
        prop_assert_eq!(&Bundle::decode(&bundle.encode()), &Ok(bundle));
    }

    #[test]
    fn of_bundles_with_one_byte_changed(bundle in bundle(), at in any::<prop::sample::Index>(), flip in 1_u8..) {
        let mut bytes = bundle.encode();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        if let Ok(other) = Bundle::decode(&bytes) {
            prop_assert_ne!(&other, &bundle);
            prop_assert_eq!(other.encode(), bytes);
        }
    }

    #[test]
    fn of_tcb_versions(tcb in tcb()) {
        let layout = if tcb.fmc.is_some() { Layout::Turin } else { Layout::Classic };
        prop_assert_eq!(tcb.encode(layout).decode(layout), Ok(tcb));
    }

    #[test]
    fn of_certificate_extensions(extensions in extensions()) {
        let encoded = extensions.encode();
        let pairs = encoded.iter().map(|extension| (extension.oid, extension.value.as_slice()));
        prop_assert_eq!(KeyExtensions::parse(pairs), Ok(Some(extensions)));
    }

    #[test]
    fn of_certificate_tables(entries in vec((1_u8.., vec(any::<u8>(), 0..100)), 0..CertTable::MAX_ENTRIES)) {
        let entries = entries.into_iter().map(|(guid, blob)| (Guid([guid; 16]), blob)).collect();
        let table = CertTable { entries };
        prop_assert_eq!(CertTable::parse(&table.encode()), Ok(table));
    }
}

#[test]
fn a_bundle_above_a_limit_is_refused() {
    let bundle = |evidence: usize, count: usize, len: usize| Bundle {
        evidence: Evidence { format: Format::SevSnp, bytes: vec![0; evidence] },
        endorsements: Endorsements { items: vec![vec![0; len]; count] },
    };
    let refused = |bundle: Bundle| Bundle::decode(&bundle.encode()).unwrap_err().fault;
    assert_eq!(
        refused(bundle(Bundle::MAX_EVIDENCE + 1, 0, 0)),
        Fault::TooLarge { limit: Bundle::MAX_EVIDENCE }
    );
    assert_eq!(
        refused(bundle(0, Bundle::MAX_ENDORSEMENTS + 1, 0)),
        Fault::TooLarge { limit: Bundle::MAX_ENDORSEMENTS }
    );
    assert_eq!(
        refused(bundle(0, 1, Bundle::MAX_ENDORSEMENT + 1)),
        Fault::TooLarge { limit: Bundle::MAX_ENDORSEMENT }
    );
    let largest = bundle(Bundle::MAX_EVIDENCE, Bundle::MAX_ENDORSEMENTS, Bundle::MAX_ENDORSEMENT);
    assert_eq!(Bundle::decode(&largest.encode()), Ok(largest));
}

#[test]
fn a_number_has_one_encoding() {
    let bundle = Bundle {
        evidence: Evidence { format: Format::SevSnp, bytes: vec![] },
        endorsements: Endorsements::default(),
    };
    assert_eq!(hex::encode(bundle.encode()), "a30001014002 80".replace(' ', ""));
    // The format number 1 in two bytes: the same value, and not our encoding.
    let longer = hex::decode("a3001801014002 80".replace(' ', "")).unwrap();
    assert_eq!(Bundle::decode(&longer).unwrap_err().fault, Fault::Malformed);
    let unknown = hex::decode("a300186401400280").unwrap();
    assert_eq!(Bundle::decode(&unknown).unwrap_err().fault, Fault::Unsupported { found: 100 });
}
