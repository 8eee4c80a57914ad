// SPDX-License-Identifier: Apache-2.0

//! Of quotes, certificate extensions and collateral of Intel's: whatever is encoded parses to itself, and each
//! rule of the formats is held.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use enarx_evidence::Fault;
use enarx_evidence::dcap::{
    Body, Certification, Collateral, Configuration, EnclaveId, EnclaveIdentity, EnclaveTcbLevel,
    EncryptedPpid, Header, MiscSelect, PckExtensions, PckTcb, QeCertification, Quote, QuoteSignature,
    QuoteVersion, SeamAttributes, SgxAttributes, SgxReport, SgxType, Signed, TcbInfo, TcbInfoVersion,
    TcbLevel, TcbStatus, TdAttributes, TdReport, TdReportExtension, TdxModule, TdxModuleIdentity, TeeType,
    Xfam,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn bytes<const N: usize>() -> impl Strategy<Value = [u8; N]> {
    vec(any::<u8>(), N).prop_map(|bytes| bytes.try_into().unwrap())
}

prop_compose! {
    fn sgx_report()(
        svns in (bytes::<16>(), bytes::<16>(), bytes::<16>(), bytes::<16>()),
        misc_select in any::<u32>(),
        digests in (bytes::<32>(), bytes::<32>()),
        numbers in any::<[u16; 3]>(),
        config_id in bytes::<64>(),
        report_data in bytes::<64>(),
    ) -> SgxReport {
        SgxReport {
            cpu_svn: svns.0,
            misc_select: MiscSelect(misc_select),
            isv_ext_prod_id: svns.1,
            attributes: SgxAttributes::from_bytes(svns.2),
            mr_enclave: digests.0,
            mr_signer: digests.1,
            config_id,
            isv_prod_id: numbers[0],
            isv_svn: numbers[1],
            config_svn: numbers[2],
            isv_family_id: svns.3,
            report_data,
        }
    }
}

prop_compose! {
    fn td_report(extended: bool)(
        tee_tcb_svn in bytes::<16>(),
        seam in (bytes::<48>(), bytes::<48>()),
        bits in any::<[u64; 3]>(),
        digests in (bytes::<48>(), bytes::<48>(), bytes::<48>(), bytes::<48>()),
        rtmr in (bytes::<48>(), bytes::<48>(), bytes::<48>(), bytes::<48>()),
        report_data in bytes::<64>(),
        extension in (bytes::<16>(), bytes::<48>()),
    ) -> TdReport {
        TdReport {
            tee_tcb_svn,
            mr_seam: seam.0,
            mr_signer_seam: seam.1,
            seam_attributes: SeamAttributes(bits[0]),
            td_attributes: TdAttributes(bits[1]),
            xfam: Xfam(bits[2]),
            mr_td: digests.0,
            mr_config_id: digests.1,
            mr_owner: digests.2,
            mr_owner_config: digests.3,
            rtmr: [rtmr.0, rtmr.1, rtmr.2, rtmr.3],
            report_data,
            extension: extended
                .then_some(TdReportExtension { tee_tcb_svn_2: extension.0, mr_service_td: extension.1 }),
        }
    }
}

fn body() -> impl Strategy<Value = (QuoteVersion, Body)> {
    use QuoteVersion::{V3, V4, V5};
    let versions = prop::sample::select(vec![V3, V4, V5]);
    prop_oneof![
        (versions, sgx_report()).prop_map(|(version, report)| (version, Body::Sgx(Box::new(report)))),
        (prop::sample::select(vec![V4, V5]), td_report(false))
            .prop_map(|(version, report)| (version, Body::Td(Box::new(report)))),
        td_report(true).prop_map(|report| (V5, Body::Td(Box::new(report)))),
    ]
}

fn certification() -> impl Strategy<Value = Certification> {
    let ppid = (bytes::<384>(), bytes::<16>(), any::<u16>(), any::<u16>()).prop_map(
        |(ciphertext, cpu_svn, pce_svn, pce_id)| EncryptedPpid { ciphertext, cpu_svn, pce_svn, pce_id },
    );
    let other = (prop::sample::select(vec![1_u16, 2, 4, 7]), vec(any::<u8>(), 0..100));
    prop_oneof![
        ppid.prop_map(|ppid| Certification::EncryptedPpid(Box::new(ppid))),
        vec(any::<u8>(), 0..500).prop_map(Certification::PckChain),
        other.prop_map(|(kind, data)| Certification::Other { kind, data }),
    ]
}

prop_compose! {
    fn quote()(
        (version, body) in body(),
        svns in any::<[u16; 2]>(),
        qe_vendor_id in bytes::<16>(),
        user_data in bytes::<20>(),
        signatures in (bytes::<64>(), bytes::<64>(), bytes::<64>()),
        qe_report in sgx_report(),
        auth_data in vec(any::<u8>(), 0..100),
        certification in certification(),
        trailing in vec(any::<u8>(), 0..100),
    ) -> Quote {
        let [qe_svn, pce_svn] = if version == QuoteVersion::V3 { svns } else { [0; 2] };
        Quote {
            header: Header { version, qe_svn, pce_svn, qe_vendor_id, user_data },
            body,
            signature: QuoteSignature {
                signature: signatures.0,
                attestation_key: signatures.1,
                qe: QeCertification { report: qe_report, signature: signatures.2, auth_data },
                certification,
            },
            trailing,
        }
    }
}

prop_compose! {
    fn pck()(
        ids in (bytes::<16>(), bytes::<2>(), bytes::<6>()),
        tcb in (bytes::<16>(), any::<u16>(), bytes::<16>()),
        sgx_type in prop::sample::select(vec![
            SgxType::Standard, SgxType::Scalable, SgxType::ScalableWithIntegrity,
        ]),
        platform_instance_id in option::of(bytes::<16>()),
        configuration in option::of(any::<[Option<bool>; 3]>()),
    ) -> PckExtensions {
        PckExtensions {
            ppid: ids.0,
            tcb: PckTcb { components: tcb.0, pce_svn: tcb.1, cpu_svn: tcb.2 },
            pce_id: ids.1,
            fmspc: ids.2,
            sgx_type,
            platform_instance_id,
            configuration: configuration.map(|[dynamic_platform, cached_keys, smt_enabled]| Configuration {
                dynamic_platform, cached_keys, smt_enabled,
            }),
        }
    }
}

/// Up to the end of the year 9999.
fn date() -> impl Strategy<Value = u64> {
    0_u64..253_402_300_800
}

fn status() -> impl Strategy<Value = TcbStatus> {
    let published = TcbStatus::ALL.into_iter().filter(|status| status.is_published());
    prop::sample::select(published.collect::<Vec<_>>())
}

fn advisories() -> impl Strategy<Value = Vec<String>> {
    vec("INTEL-SA-0[0-9]{4}", 0..4)
}

fn enclave_levels() -> impl Strategy<Value = Vec<EnclaveTcbLevel>> {
    let level =
        (any::<u16>(), date(), status(), advisories()).prop_map(|(isv_svn, date, status, advisories)| {
            EnclaveTcbLevel { isv_svn, date, status, advisories }
        });
    vec(level, 0..4)
}

fn module() -> impl Strategy<Value = TdxModule> {
    (bytes::<48>(), bytes::<8>(), bytes::<8>()).prop_map(|(mr_signer, attributes, attributes_mask)| {
        TdxModule { mr_signer, attributes, attributes_mask }
    })
}

fn levels(tdx: bool) -> impl Strategy<Value = Vec<TcbLevel>> {
    let level = (bytes::<16>(), any::<u16>(), bytes::<16>(), date(), status(), advisories()).prop_map(
        move |(sgx_components, pce_svn, components, date, status, advisories)| TcbLevel {
            sgx_components,
            pce_svn,
            tdx_components: tdx.then_some(components),
            date,
            status,
            advisories,
        },
    );
    vec(level, 0..4)
}

fn tcb_info() -> impl Strategy<Value = TcbInfo> {
    let kinds = vec![
        (TcbInfoVersion::V2, TeeType::Sgx),
        (TcbInfoVersion::V3, TeeType::Sgx),
        (TcbInfoVersion::V3, TeeType::Tdx),
    ];
    prop::sample::select(kinds).prop_flat_map(|(version, tee)| {
        let tdx = tee == TeeType::Tdx;
        let identities = proptest::collection::btree_map(any::<u8>(), (module(), enclave_levels()), 0..3);
        let head = (date(), date(), bytes::<6>(), bytes::<2>(), any::<u32>());
        (head, module(), identities, levels(tdx)).prop_map(move |(head, module, identities, levels)| {
            let identity = |(major, (module, levels))| TdxModuleIdentity { major, module, levels };
            let identities = identities.into_iter().map(identity);
            TcbInfo {
                version,
                tee,
                issue_date: head.0,
                next_update: head.1,
                fmspc: head.2,
                pce_id: head.3,
                evaluation_data_number: head.4,
                tdx_module: tdx.then_some(module),
                tdx_module_identities: if tdx { identities.collect() } else { vec![] },
                levels,
            }
        })
    })
}

prop_compose! {
    fn identity()(
        id in prop::sample::select(EnclaveId::ALL.to_vec()),
        dates in (date(), date()),
        evaluation_data_number in any::<u32>(),
        misc in (bytes::<4>(), bytes::<4>()),
        attributes in (bytes::<16>(), bytes::<16>()),
        mr_signer in bytes::<32>(),
        isv_prod_id in any::<u16>(),
        levels in enclave_levels(),
    ) -> EnclaveIdentity {
        EnclaveIdentity {
            id,
            issue_date: dates.0,
            next_update: dates.1,
            evaluation_data_number,
            misc_select: misc.0,
            misc_select_mask: misc.1,
            attributes: attributes.0,
            attributes_mask: attributes.1,
            mr_signer,
            isv_prod_id,
            levels,
        }
    }
}

proptest! {
    #[test]
    fn of_quotes(quote in quote()) {
        let bytes = quote.encode();
        prop_assert_eq!(quote.encode_signed(), &bytes[..quote.signed_len()]);
        prop_assert_eq!(&Quote::parse(&bytes), &Ok(quote));
    }

    #[test]
    fn of_quotes_with_one_byte_changed(quote in quote(), at in any::<prop::sample::Index>(), flip in 1_u8..) {
        let mut bytes = quote.encode();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        if let Ok(other) = Quote::parse(&bytes) {
            prop_assert_ne!(&other, &quote);
            prop_assert_eq!(other.encode(), bytes);
        }
    }

    #[test]
    fn of_quotes_cut_short(quote in quote(), at in any::<prop::sample::Index>()) {
        let bytes = quote.encode();
        let whole = bytes.len() - quote.trailing.len();
        let cut = &bytes[..at.index(bytes.len())];
        prop_assert_eq!(Quote::parse(cut).is_ok(), cut.len() >= whole);
    }

    #[test]
    fn of_pck_extensions(pck in pck()) {
        prop_assert_eq!(PckExtensions::parse(&pck.encode()), Ok(pck));
    }

    #[test]
    fn of_tcb_info(info in tcb_info(), signature in bytes::<64>()) {
        let text = info.encode();
        prop_assert_eq!(&TcbInfo::parse(text.as_bytes()).unwrap(), &info);
        let signed = Signed { content: info, signed: text.as_bytes(), signature };
        let collateral = Collateral::TcbInfo(signed);
        let served = collateral.encode();
        prop_assert_eq!(Collateral::parse(&served).unwrap(), collateral);
    }

    #[test]
    fn of_enclave_identities(identity in identity(), signature in bytes::<64>()) {
        let text = identity.encode();
        prop_assert_eq!(&EnclaveIdentity::parse(text.as_bytes()).unwrap(), &identity);
        let signed = Signed { content: identity, signed: text.as_bytes(), signature };
        let collateral = Collateral::EnclaveIdentity(signed);
        let served = collateral.encode();
        prop_assert_eq!(Collateral::parse(&served).unwrap(), collateral);
    }
}

const IDENTITY: &str = r#"{"id":"QE","version":2,"issueDate":"2022-04-26T23:28:09Z","nextUpdate":"2022-05-26T23:28:09Z","tcbEvaluationDataNumber":12,"miscselect":"00000000","miscselectMask":"FFFFFFFF","attributes":"11000000000000000000000000000000","attributesMask":"FBFFFFFFFFFFFFFF0000000000000000","mrsigner":"8C4F5775D796503E96137F77C68A829A0056AC8DED70140B081B094490C57BFF","isvprodid":1,"tcbLevels":[{"tcb":{"isvsvn":6},"tcbDate":"2021-11-10T00:00:00Z","tcbStatus":"UpToDate"}]}"#;

#[test]
fn a_document_is_written_as_intel_writes_it() {
    assert_eq!(EnclaveIdentity::parse(IDENTITY.as_bytes()).unwrap().encode(), IDENTITY);
}

#[test]
fn what_a_document_must_not_say_is_refused() {
    let wrong = [
        ("a member that is not known", r#""version":2"#, r#""version":2,"more":1"#),
        ("a member twice", r#""version":2"#, r#""version":2,"version":2"#),
        ("a member that is missing", r#""isvprodid":1,"#, ""),
        ("a status that is never published", "UpToDate", "TDRelaunchAdvised"),
        ("a status that does not exist", "UpToDate", "Fine"),
        ("a number that is too large", r#""isvprodid":1"#, r#""isvprodid":65536"#),
        ("a number with a fraction", r#""isvprodid":1"#, r#""isvprodid":1.0"#),
        ("a number as a text", r#""isvprodid":1"#, r#""isvprodid":"1""#),
        ("a digest that is too short", "8C4F5775", "8C4F57"),
        ("a digest with another letter", "8C4F5775", "8C4F577G"),
        ("a date without time", "2022-04-26T23:28:09Z", "2022-04-26"),
        ("a date of another zone", "2022-04-26T23:28:09Z", "2022-04-26T23:28:09+01:00"),
        ("a date with fractions of seconds", "2022-04-26T23:28:09Z", "2022-04-26T23:28:09.1Z"),
        ("a date that does not exist", "2022-04-26T23:28:09Z", "2022-02-30T23:28:09Z"),
        ("another enclave", r#""id":"QE""#, r#""id":"PCE""#),
        ("something after it", "]}", "]} x"),
    ];
    for (what, from, to) in wrong {
        assert!(IDENTITY.contains(from), "{from}");
        let refused = EnclaveIdentity::parse(IDENTITY.replacen(from, to, 1).as_bytes());
        assert_eq!(refused.unwrap_err().fault, Fault::Malformed, "{what}");
    }
    let version = IDENTITY.replace(r#""version":2"#, r#""version":1"#);
    let refused = EnclaveIdentity::parse(version.as_bytes()).unwrap_err();
    assert_eq!(refused.fault, Fault::Unsupported { found: 1 });
    let cut = EnclaveIdentity::parse(&IDENTITY.as_bytes()[..100]).unwrap_err();
    assert_eq!(cut.fault, Fault::Truncated);
}

#[test]
fn lists_have_limits() {
    let level = r#"{"tcb":{"isvsvn":6},"tcbDate":"2021-11-10T00:00:00Z","tcbStatus":"UpToDate"}"#;
    let with = |count: usize| IDENTITY.replace(level, &vec![level; count].join(","));
    assert_eq!(EnclaveIdentity::parse(with(256).as_bytes()).unwrap().levels.len(), 256);
    assert_eq!(EnclaveIdentity::parse(with(257).as_bytes()).unwrap_err().fault, Fault::Malformed);
    let long = [IDENTITY.as_bytes(), &b" ".repeat(65_536)].concat();
    assert_eq!(EnclaveIdentity::parse(&long).unwrap_err().fault, Fault::TooLarge { limit: 65_536 });
}

#[test]
fn the_signed_bytes_are_the_bytes_that_were_served() {
    let spaced = IDENTITY.replace(':', " : ").replace("T23 : 28 : 09Z", "T23:28:09Z");
    let spaced = spaced.replace("T00 : 00 : 00Z", "T00:00:00Z");
    let served =
        format!("\n {{ \"signature\" : \"{}\" , \"enclaveIdentity\" : {spaced} }}\n", "ab".repeat(64));
    let Collateral::EnclaveIdentity(signed) = Collateral::parse(served.as_bytes()).unwrap() else {
        panic!("another document");
    };
    assert_eq!(signed.signed, spaced.as_bytes());
    assert_eq!(signed.signature, [0xab; 64]);
}

#[test]
fn a_document_has_one_content_and_one_signature() {
    let signature = "ab".repeat(64);
    let wrong = [
        format!(r#"{{"enclaveIdentity":{IDENTITY}}}"#),
        format!(r#"{{"signature":"{signature}"}}"#),
        format!(r#"{{"enclaveIdentity":{IDENTITY},"signature":"{signature}","more":1}}"#),
        format!(r#"{{"enclaveIdentity":{IDENTITY},"tcbInfo":{{}},"signature":"{signature}"}}"#),
        format!(r#"{{"enclaveIdentity":{IDENTITY},"signature":"{signature}00"}}"#),
        format!(r#"{{"enclaveIdentity":{IDENTITY},"enclaveIdentity":{IDENTITY},"signature":"{signature}"}}"#),
    ];
    for text in wrong {
        assert_eq!(Collateral::parse(text.as_bytes()).unwrap_err().fault, Fault::Malformed, "{text}");
    }
}
