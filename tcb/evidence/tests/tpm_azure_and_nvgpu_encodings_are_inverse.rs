// SPDX-License-Identifier: Apache-2.0

//! What `encoding_and_parsing_are_inverse.rs` says of other formats, of TPM 2.0, Azure and NVIDIA.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test says what it skipped")]

use std::collections::BTreeMap;

use enarx_evidence::azure::{
    AzureEvidence, HardwareReport, HclReport, HclVersion, Jwk, RuntimeData, TdReport, VmConfiguration,
};
use enarx_evidence::nvgpu::{Measurement, OpaqueData, OpaqueField, Report};
use enarx_evidence::tpm::{
    Attest, AttestationKey, Attributes, ClockInfo, Curve, HashAlgorithm, KeyScheme, PcrSelection, PcrValues,
    Public, PublicId, Quote, RsaPadding, Signature, TpmEvidence,
};
use enarx_evidence::x509::{Certificate, PublicKey, documents};
use enarx_evidence::{Fault, nvgpu, snp};
use proptest::array::{uniform4, uniform16, uniform32};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

fn bytes<const N: usize>() -> impl Strategy<Value = [u8; N]> {
    vec(any::<u8>(), N).prop_map(|bytes| bytes.try_into().unwrap())
}

fn hash() -> impl Strategy<Value = HashAlgorithm> {
    prop::sample::select(HashAlgorithm::ALL.to_vec())
}

fn selections() -> impl Strategy<Value = Vec<PcrSelection>> {
    let one = (1_u8..=4, any::<u32>());
    btree_map(hash(), one, 0..=4).prop_map(|banks| {
        let selection = |(bank, (size, bits)): (_, (u8, u32))| {
            let unused = 32 - 8 * u32::from(size);
            PcrSelection { bank, size, registers: bits >> unused }
        };
        banks.into_iter().map(selection).collect()
    })
}

prop_compose! {
    fn attest()(
        data in (vec(any::<u8>(), 0..=66), vec(any::<u8>(), 0..=66), vec(any::<u8>(), 0..=66)),
        numbers in any::<(u64, u64)>(),
        counts in any::<(u32, u32)>(),
        safe in any::<bool>(),
        pcr_select in selections(),
    ) -> Attest {
        let (qualified_signer, extra_data, pcr_digest) = data;
        let clock = ClockInfo { clock: numbers.0, reset_count: counts.0, restart_count: counts.1, safe };
        Attest { qualified_signer, extra_data, clock, firmware_version: numbers.1, pcr_select, pcr_digest }
    }
}

fn signature() -> impl Strategy<Value = Signature> {
    let padding = prop_oneof![Just(RsaPadding::Pkcs1), Just(RsaPadding::Pss)];
    prop_oneof![
        (padding, hash(), vec(any::<u8>(), 0..=512)).prop_map(|(padding, hash, signature)| Signature::Rsa {
            padding,
            hash,
            signature
        }),
        (hash(), vec(any::<u8>(), 0..=66), vec(any::<u8>(), 0..=66))
            .prop_map(|(hash, r, s)| Signature::Ecdsa { hash, r, s }),
    ]
}

fn rsa() -> impl Strategy<Value = (KeyScheme, PublicId)> {
    let scheme = prop_oneof![
        Just(KeyScheme::Any),
        hash().prop_map(KeyScheme::RsaSsa),
        hash().prop_map(KeyScheme::RsaPss)
    ];
    (scheme, any::<u32>(), vec(any::<u8>(), 1..=512)).prop_map(|(scheme, exponent, mut modulus)| {
        modulus[0] |= 0x80;
        let bits = u16::try_from(modulus.len() * 8).unwrap();
        (scheme, PublicId::Rsa { bits, exponent, modulus })
    })
}

fn ecc() -> impl Strategy<Value = (KeyScheme, PublicId)> {
    let scheme = prop_oneof![Just(KeyScheme::Any), hash().prop_map(KeyScheme::Ecdsa)];
    (scheme, any::<bool>(), bytes::<48>(), bytes::<48>()).prop_map(|(scheme, short, x, y)| {
        let curve = if short { Curve::P256 } else { Curve::P384 };
        let len = curve.coordinate_len();
        (scheme, PublicId::Ecc { curve, x: x[..len].to_vec(), y: y[..len].to_vec() })
    })
}

prop_compose! {
    fn public()(
        name_alg in hash(),
        bits in any::<u32>(),
        auth_policy in vec(any::<u8>(), 0..=64),
        key in prop_oneof![rsa(), ecc()],
    ) -> Public {
        let (scheme, id) = key;
        Public { name_alg, attributes: Attributes(bits), auth_policy, scheme, id }
    }
}

fn values() -> impl Strategy<Value = PcrValues> {
    btree_map(hash(), btree_map(0_u8..32, bytes::<64>(), 0..5), 0..=4).prop_map(|banks| {
        let cut = |(bank, registers): (HashAlgorithm, BTreeMap<u8, [u8; 64]>)| {
            let value = |(number, value): (u8, [u8; 64])| (number, value[..bank.digest_len()].to_vec());
            (bank, registers.into_iter().map(value).collect())
        };
        PcrValues { banks: banks.into_iter().map(cut).collect() }
    })
}

fn quote() -> impl Strategy<Value = Quote> {
    (attest(), signature(), values()).prop_map(|(attest, signature, values)| Quote {
        attest,
        signature,
        values,
    })
}

fn tpm_evidence() -> impl Strategy<Value = TpmEvidence> {
    let key = prop_oneof![
        Just(None),
        public().prop_map(|public| Some(AttestationKey::Public(public))),
        vec(any::<u8>(), 0..600).prop_map(|spki| Some(AttestationKey::Spki(spki))),
    ];
    (quote(), key).prop_map(|(quote, key)| TpmEvidence { quote, key })
}

prop_compose! {
    fn td_report()(
        version in 0_u8..=1,
        svns in (uniform16(any::<u8>()), uniform16(any::<u8>()), uniform16(any::<u8>())),
        words in any::<[u64; 4]>(),
        digests in (bytes::<48>(), bytes::<48>(), bytes::<48>(), bytes::<48>(), bytes::<48>()),
        owner in (bytes::<48>(), bytes::<48>(), bytes::<48>(), bytes::<48>()),
        rtmr in uniform4(bytes::<48>()),
        report_data in bytes::<64>(),
        mac in uniform32(any::<u8>()),
    ) -> TdReport {
        let [valid, seam_attributes, attributes, xfam] = words.map(u64::to_le_bytes);
        TdReport {
            version,
            cpu_svn: svns.0,
            tee_tcb_info_hash: digests.0,
            tee_info_hash: digests.1,
            report_data,
            mac,
            valid,
            tee_tcb_svn: svns.1,
            mr_seam: digests.2,
            mr_signer_seam: digests.3,
            seam_attributes,
            tee_tcb_svn_2: svns.2,
            attributes,
            xfam,
            mr_td: digests.4,
            mr_config_id: owner.0,
            mr_owner: owner.1,
            mr_owner_config: owner.2,
            rtmr,
            servtd_hash: owner.3,
        }
    }
}

/// A report of SEV-SNP, version 3, of which only the report data is of interest here.
fn snp_report(report_data: [u8; 64]) -> snp::Report {
    let mut bytes = [0; snp::Report::LEN];
    bytes[0] = 3;
    bytes[0x50..0x90].copy_from_slice(&report_data);
    snp::Report::parse(&bytes).unwrap()
}

prop_compose! {
    fn hcl_report()(
        first in any::<bool>(),
        td_report in td_report(),
        snp in any::<bool>(),
        runtime_data in vec(any::<u8>(), 0..1500),
        padding in 0_usize..1000,
    ) -> HclReport {
        let hardware = if snp {
            HardwareReport::Snp(Box::new(snp_report(td_report.report_data)))
        } else {
            HardwareReport::Tdx(Box::new(td_report))
        };
        let version = if first { HclVersion::V1 } else { HclVersion::V2 };
        HclReport { version, hardware, runtime_data, padding }
    }
}

fn azure_evidence() -> impl Strategy<Value = AzureEvidence> {
    (hcl_report(), quote(), vec(any::<u8>(), 0..6000)).prop_map(|(hcl_report, quote, td_quote)| {
        let tdx = matches!(hcl_report.hardware, HardwareReport::Tdx(_));
        AzureEvidence { hcl_report, quote, td_quote: tdx.then_some(td_quote) }
    })
}

fn jwk(name: &'static str) -> impl Strategy<Value = Jwk> {
    (1_u8.., vec(any::<u8>(), 0..300)).prop_map(move |(first, rest)| Jwk {
        name: name.to_owned(),
        modulus: [vec![first], rest].concat(),
        exponent: vec![1, 0, 1],
    })
}

prop_compose! {
    fn runtime_data()(
        attestation_key in jwk("HCLAkPub"),
        endorsement_key in prop::option::of(jwk("HCLEkPub")),
        flags in any::<[bool; 4]>(),
        vm_unique_id in "[ -~]{0,40}",
        user_data in "[0-9a-f]{0,128}",
    ) -> RuntimeData {
        let [console_enabled, secure_boot, tpm_enabled, tpm_persisted] = flags;
        let configuration =
            VmConfiguration { console_enabled, secure_boot, tpm_enabled, tpm_persisted, vm_unique_id };
        RuntimeData { attestation_key, endorsement_key, configuration, user_data }
    }
}

fn opaque() -> impl Strategy<Value = OpaqueData> {
    vec((any::<u16>(), vec(any::<u8>(), 0..60)), 0..OpaqueData::MAX_FIELDS).prop_map(OpaqueData::of)
}

prop_compose! {
    fn report()(
        nonces in (uniform32(any::<u8>()), uniform32(any::<u8>())),
        slot in any::<u8>(),
        parameters in any::<[u8; 2]>(),
        measurements in btree_map(1_u8..=0xfe, (any::<u8>(), vec(any::<u8>(), 0..64)), 0..80),
        opaque in opaque(),
        signature in bytes::<96>(),
    ) -> Report {
        let measurement = |(index, (kind, value))| (index, Measurement { kind, value });
        let measurements = measurements.into_iter().map(measurement).collect();
        Report { nonce: nonces.0, slot, parameters, measurements, device_nonce: nonces.1, opaque, signature }
    }
}

/// The bytes with one of them changed.
fn changed(mut bytes: Vec<u8>, at: prop::sample::Index, flip: u8) -> Vec<u8> {
    let at = at.index(bytes.len());
    bytes[at] ^= flip;
    bytes
}

proptest! {
    #[test]
    fn of_tpm_structures(attest in attest(), signature in signature(), public in public()) {
        prop_assert_eq!(Attest::parse(&attest.encode()), Ok(attest));
        prop_assert_eq!(Signature::parse(&signature.encode()), Ok(signature));
        let encoded = public.encode();
        let len = u16::try_from(encoded.len()).unwrap().to_be_bytes();
        prop_assert_eq!(Public::parse_sized(&[&len, encoded.as_slice()].concat()), Ok(public.clone()));
        prop_assert_eq!(Public::parse(&encoded), Ok(public));
    }

    #[test]
    fn of_tpm_evidence(evidence in tpm_evidence(), at in any::<prop::sample::Index>(), flip in 1_u8..) {
        let bytes = evidence.encode();
        prop_assert_eq!(&TpmEvidence::decode(&bytes), &Ok(evidence.clone()));
        let bytes = changed(bytes, at, flip);
        if let Ok(other) = TpmEvidence::decode(&bytes) {
            prop_assert_ne!(&other, &evidence);
            prop_assert_eq!(other.encode(), bytes);
        }
    }

    #[test]
    fn of_hcl_reports(report in hcl_report(), at in any::<prop::sample::Index>(), flip in 1_u8..) {
        let bytes = report.encode();
        prop_assert_eq!(&HclReport::parse(&bytes), &Ok(report.clone()));
        let bytes = changed(bytes, at, flip);
        if let Ok(other) = HclReport::parse(&bytes) {
            prop_assert_ne!(&other, &report);
            prop_assert_eq!(other.encode(), bytes);
        }
    }

    #[test]
    fn of_td_reports(report in td_report(), at in 0..TdReport::LEN, flip in 1_u8..) {
        let mut bytes = report.encode();
        prop_assert_eq!(&TdReport::parse(&bytes), &Ok(report.clone()));
        bytes[at] ^= flip;
        if let Ok(other) = TdReport::parse(&bytes) {
            prop_assert_ne!(&other, &report);
            prop_assert_eq!(other.encode(), bytes);
        }
    }

    #[test]
    fn of_runtime_data(data in runtime_data()) {
        prop_assert_eq!(RuntimeData::parse(&data.to_json()), Ok(data));
    }

    #[test]
    fn of_azure_evidence(evidence in azure_evidence(), at in any::<prop::sample::Index>(), flip in 1_u8..) {
        let bytes = evidence.encode();
        prop_assert_eq!(&AzureEvidence::decode(&bytes), &Ok(evidence.clone()));
        let bytes = changed(bytes, at, flip);
        if let Ok(other) = AzureEvidence::decode(&bytes) {
            prop_assert_ne!(&other, &evidence);
            prop_assert_eq!(other.encode(), bytes);
        }
    }

    #[test]
    fn of_gpu_reports(report in report(), at in any::<prop::sample::Index>(), flip in 1_u8..) {
        let bytes = report.encode();
        prop_assert_eq!(&Report::parse(&bytes), &Ok(report.clone()));
        let bytes = changed(bytes, at, flip);
        if let Ok(other) = Report::parse(&bytes) {
            prop_assert_ne!(&other, &report);
            prop_assert_eq!(other.encode(), bytes);
        }
    }
}

#[test]
fn a_bank_or_register_twice_is_refused() {
    let attest = |select: &str| {
        let text = format!("ff544347 8018 0000 0000 {} 00 {} {select} 0000", "00".repeat(16), "00".repeat(8));
        Attest::parse(&hex::decode(text.replace(' ', "")).unwrap()).map_err(|error| error.fault)
    };
    assert!(attest("00000002 000b03010000 000c03010000").is_ok());
    assert_eq!(attest("00000002 000b03010000 000b03020000"), Err(Fault::Duplicate));
    assert_eq!(attest("00000005"), Err(Fault::TooLarge { limit: 4 }));
    assert_eq!(attest("00000001 001203010000"), Err(Fault::Unsupported { found: 0x12 }));

    let fields = |text: &str| OpaqueData::parse(&hex::decode(text).unwrap()).map_err(|error| error.fault);
    assert!(fields("0300010031 1400010031".replace(' ', "").as_str()).is_ok());
    assert_eq!(fields("0300010031 0300010032".replace(' ', "").as_str()), Err(Fault::Duplicate));
}

#[test]
fn runtime_data_names_each_key_once() {
    let parse = |keys: &str| RuntimeData::parse(format!(r#"{{"keys":[{keys}]}}"#).as_bytes());
    let key = |name: &str| format!(r#"{{"kid":"{name}","kty":"RSA","e":"AQAB","n":"gQ","more":[{{}}]}}"#);
    let data = parse(&key("HCLAkPub")).unwrap();
    assert_eq!((data.attestation_key.modulus, data.attestation_key.exponent), (vec![0x81], vec![1, 0, 1]));
    let refused = |keys: &str| parse(keys).map_err(|error| (error.field, error.fault)).unwrap_err();
    assert_eq!(refused(&key("HCLEkPub")), ("HCLAkPub", Fault::Missing));
    assert_eq!(refused(&[key("HCLAkPub"), key("HCLAkPub")].join(",")), ("HCLAkPub", Fault::Duplicate));
    let twice = key("HCLAkPub").replace("\"kty\"", "\"n\":\"gQ\",\"kty\"");
    assert_eq!(refused(&twice), ("JSON", Fault::Malformed));
    for (from, to) in [("RSA", "EC"), ("gQ", "gQ=="), ("gQ", "AIE"), ("gQ", "g+")] {
        assert_eq!(refused(&key("HCLAkPub").replace(from, to)), ("HCLAkPub", Fault::Malformed), "{to}");
    }
    let deep = format!(r#"{{"keys":[{}],"x":{}}}"#, key("HCLAkPub"), "[".repeat(2000));
    assert_eq!(RuntimeData::parse(deep.as_bytes()).unwrap_err().fault, Fault::Malformed);
}

/// The evidence recorded on real machines, if it is there.
fn recorded(path: &str) -> Option<Vec<u8>> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors");
    let dir = std::env::var("ENARX_VECTORS").unwrap_or_else(|_| beside.to_owned());
    let read = std::fs::read(format!("{dir}/{path}")).ok();
    if read.is_none() {
        println!("skipped: no recorded evidence in {dir}");
    }
    read
}

#[test]
fn recorded_structures_are_read_and_written_as_they_were() {
    for case in ["gce-cos85-nonce/quote_sha1", "gce-cos85-nonce/quote_sha384", "gce-windows-sha1/quote"] {
        let Some(bytes) = recorded(&format!("tpm/{case}.msg")) else { return };
        assert_eq!(Attest::parse(&bytes).unwrap().encode(), bytes);
        let bytes = recorded(&format!("tpm/{case}.sig")).unwrap();
        assert_eq!(Signature::parse(&bytes).unwrap().encode(), bytes);
    }
    for case in ["gce-cos85-nonce", "gce-windows-sha1"] {
        let bytes = recorded(&format!("tpm/{case}/ak_public.tpmt")).unwrap();
        let public = Public::parse(&bytes).unwrap();
        assert_eq!(public.encode(), bytes);
        let attributes = public.attributes;
        assert!(attributes.restricted() && attributes.sign() && attributes.fixed_tpm());
        assert!(attributes.fixed_parent() && attributes.sensitive_data_origin() && !attributes.decrypt());
    }
    for case in ["azure-snp-vtpm/genoa-v3-trustee", "azure-tdx-vtpm/spr-v4-trustee-v1"] {
        let bytes = recorded(&format!("{case}/hcl_report.bin")).unwrap();
        let report = HclReport::parse(&bytes).unwrap();
        assert_eq!(report.encode(), bytes);
        let data = RuntimeData::parse(&report.runtime_data).unwrap();
        assert_eq!(data.attestation_key.modulus.len(), 256);
        assert!(data.endorsement_key.is_some() && data.configuration.secure_boot);
    }
    for (case, version) in [("hopper-535.86.09", Some("535.86.09")), ("switch-ls10", None)] {
        let bytes = recorded(&format!("nvgpu/{case}/report.bin")).unwrap();
        let report = Report::parse(&bytes).unwrap();
        assert_eq!(report.encode(), bytes);
        assert_eq!(report.opaque.text(OpaqueField::DriverVersion).as_deref(), version);
    }
}

#[test]
fn the_firmware_of_a_device_is_that_of_its_certificate() {
    for case in ["hopper-550.90.07-rim-ocsp", "hopper-590.12-json", "blackwell-575.32"] {
        let Some(chain) = recorded(&format!("nvgpu/{case}/chain.pem")) else { return };
        let leaf = documents(&chain, 8).unwrap().remove(0);
        let extensions = Certificate::parse(&leaf).unwrap().extensions;
        let report = Report::parse(&recorded(&format!("nvgpu/{case}/report.bin")).unwrap()).unwrap();
        let firmware = report.opaque.get(OpaqueField::FirmwareId).unwrap();
        assert_eq!(nvgpu::firmware_id(&extensions).unwrap(), firmware, "{case}");
    }
}

#[test]
fn the_key_of_a_certificate_is_written_as_it_stands_there() {
    let paths = ["tpm/ak-cert-cmc/ak_cert.pem", "tpm/ak-cert-cmc/ca.pem", "roots/nvidia/rim-root.pem"];
    for path in paths {
        let Some(pem) = recorded(path) else { return };
        let der = documents(&pem, 1).unwrap().remove(0);
        let certificate = Certificate::parse(&der).unwrap();
        assert_eq!(certificate.key.to_spki().unwrap(), certificate.spki);
        assert_eq!(PublicKey::from_spki(certificate.spki), Ok(certificate.key));
    }
}
