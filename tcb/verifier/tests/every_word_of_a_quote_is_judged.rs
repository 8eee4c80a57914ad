// SPDX-License-Identifier: Apache-2.0

//! Quotes of simulated platforms of Intel's that say one thing which is not said by an accepted one: every field of
//! report, certificate and collateral, all signed as they should be. What carries trust is refused for itself.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod quotes;

use enarx_evidence::dcap::{EnclaveId, QuoteVersion, TcbInfoVersion, TcbStatus, TeeType};
use enarx_simulator::{DcapContent, PckAuthority, SimulatedQuote};
use enarx_verifier::Code;
use quotes::{Relying, attest, enclave, set, td};

/// A change of what is said, and exactly what it is refused for although everything is signed as it should be.
type Change = (&'static str, fn(&mut DcapContent), &'static [Code]);

const OLD: &[Code] = &[Code::TcbStatusNotAccepted, Code::AdvisoryNotAccepted];

const TD: &[Change] = &[
    ("QE_VENDOR_ID", |c| c.quote.header.qe_vendor_id[0] ^= 1, &[Code::QeVendorUnknown]),
    ("USER_DATA", |c| c.quote.header.user_data[0] ^= 1, &[]),
    ("TEE_TCB_SVN, an old module", |c| td(c).tee_tcb_svn[0] = 4, OLD),
    (
        "TEE_TCB_SVN, an older module",
        |c| td(c).tee_tcb_svn[0] = 1,
        &[Code::TdxModuleVersionUnknown, Code::TcbStatusNotAccepted],
    ),
    (
        "TEE_TCB_SVN, another module",
        |c| td(c).tee_tcb_svn[1] = 7,
        &[Code::TdxModuleUnknown, Code::TcbStatusNotAccepted],
    ),
    ("TEE_TCB_SVN, old microcode", |c| td(c).tee_tcb_svn[2] = 1, OLD),
    (
        "TEE_TCB_SVN, older microcode",
        |c| td(c).tee_tcb_svn[2] = 0,
        &[Code::TcbLevelMissing, Code::TcbStatusNotAccepted],
    ),
    // Modules of major version 0 are judged by the components of the platform's level.
    ("TEE_TCB_SVN, a module of major version 0", |c| td(c).tee_tcb_svn[..2].copy_from_slice(&[5, 0]), &[]),
    ("TEE_TCB_SVN, an old one", |c| td(c).tee_tcb_svn[..2].copy_from_slice(&[4, 0]), OLD),
    // Which module it is, is named by nobody but the policy.
    ("MRSEAM", |c| td(c).mr_seam[0] ^= 1, &[]),
    ("MRSIGNERSEAM", |c| td(c).mr_signer_seam[47] ^= 1, &[Code::TdxModuleSignerMismatch]),
    ("SEAMATTRIBUTES", |c| td(c).seam_attributes.0 = 1, &[Code::TdxModuleAttributesMismatch]),
    ("DEBUG", |c| set_attribute(c, 0, true), &[Code::DebugAllowed]),
    ("TUD, reserved", |c| set_attribute(c, 1, true), &[Code::DebugAllowed]),
    ("PERF_PROF", |c| set_attribute(c, 5, true), &[Code::DebugAllowed]),
    ("SEC, reserved", |c| set_attribute(c, 8, true), &[Code::AttributesUnknown]),
    ("OTHER, reserved", |c| set_attribute(c, 40, true), &[Code::AttributesUnknown]),
    ("SEPT_VE_DISABLE", |c| set_attribute(c, 28, false), &[Code::SeptVeEnabled]),
    ("MIGRATABLE", |c| set_attribute(c, 29, true), &[Code::MigrationAllowed]),
    ("PKS", |c| set_attribute(c, 30, true), &[]),
    ("XFAM, without SSE", |c| td(c).xfam.0 &= !2, &[Code::ExtendedStateUnknown]),
    ("XFAM, reserved", |c| td(c).xfam.0 |= 1 << 40, &[Code::ExtendedStateUnknown]),
    ("MRTD", |c| td(c).mr_td[0] ^= 1, &[Code::MeasurementNotAccepted]),
    ("MRCONFIGID", |c| td(c).mr_config_id[0] ^= 1, &[]),
    ("MROWNER", |c| td(c).mr_owner[0] ^= 1, &[]),
    ("MROWNERCONFIG", |c| td(c).mr_owner_config[0] ^= 1, &[]),
    ("RTMR0", |c| td(c).rtmr[0][0] ^= 1, &[Code::RegisterNotAccepted]),
    ("RTMR1", |c| td(c).rtmr[1][0] ^= 1, &[Code::RegisterNotAccepted]),
    ("RTMR2", |c| td(c).rtmr[2][0] ^= 1, &[Code::RegisterNotAccepted]),
    ("RTMR3", |c| td(c).rtmr[3][47] ^= 1, &[Code::RegisterNotAccepted]),
    ("REPORTDATA", |c| td(c).report_data[63] ^= 1, &[Code::ReportDataMismatch]),
    // Beside a TCB that is up to date it says nothing.
    ("TEE_TCB_SVN_2", |c| td(c).extension.as_mut().unwrap().tee_tcb_svn_2[0] = 1, &[]),
    (
        "MRSERVICETD",
        |c| td(c).extension.as_mut().unwrap().mr_service_td[0] ^= 1,
        &[Code::ServiceTdNotAccepted],
    ),
    ("trailing bytes", |c| c.quote.trailing.push(7), &[]),
];

fn set_attribute(content: &mut DcapContent, number: u32, value: bool) {
    let report = td(content);
    report.td_attributes = report.td_attributes.with(number, value);
}

const QUOTING_ENCLAVE: &[Change] = &[
    ("CPUSVN", |c| c.quote.signature.qe.report.cpu_svn[0] ^= 1, &[]),
    ("MISCSELECT", |c| c.quote.signature.qe.report.misc_select.0 = 1, &[Code::QeMiscSelectMismatch]),
    (
        "ATTRIBUTES, debug",
        |c| {
            let report = &mut c.quote.signature.qe.report;
            report.attributes = report.attributes.with_debug(true);
        },
        &[Code::QeAttributesMismatch],
    ),
    (
        "ATTRIBUTES, without the provisioning key",
        |c| c.quote.signature.qe.report.attributes.flags &= !0x10,
        &[Code::QeAttributesMismatch],
    ),
    ("MRENCLAVE", |c| c.quote.signature.qe.report.mr_enclave[0] ^= 1, &[]),
    ("MRSIGNER", |c| c.quote.signature.qe.report.mr_signer[31] ^= 1, &[Code::QeSignerMismatch]),
    ("ISVPRODID", |c| c.quote.signature.qe.report.isv_prod_id ^= 0x100, &[Code::QeProductMismatch]),
    ("ISVSVN, old", |c| c.quote.signature.qe.report.isv_svn = 7, OLD),
    ("ISVSVN, older", |c| c.quote.signature.qe.report.isv_svn = 3, &[Code::QeVersionUnknown]),
    ("REPORTDATA", |c| c.quote.signature.qe.report.report_data[0] ^= 1, &[Code::AttestationKeyMismatch]),
    (
        "REPORTDATA, behind the digest",
        |c| c.quote.signature.qe.report.report_data[32] = 1,
        &[Code::AttestationKeyMismatch],
    ),
    ("authentication data", |c| c.quote.signature.qe.auth_data.push(0), &[Code::AttestationKeyMismatch]),
    (
        "attestation key",
        |c| c.quote.signature.attestation_key[0] ^= 1,
        &[Code::AttestationKeyMismatch, Code::QuoteSignatureInvalid],
    ),
];

const CERTIFICATE: &[Change] = &[
    ("PPID", |c| c.pck.ppid[0] ^= 1, &[]),
    ("TCB component", |c| c.pck.tcb.components[0] = 6, &[Code::TcbLevelMissing, Code::TcbStatusNotAccepted]),
    ("PCESVN, old", |c| c.pck.tcb.pce_svn = 12, OLD),
    ("PCESVN, older", |c| c.pck.tcb.pce_svn = 4, &[Code::TcbLevelMissing, Code::TcbStatusNotAccepted]),
    ("CPUSVN", |c| c.pck.tcb.cpu_svn[0] ^= 1, &[]),
    ("PCE-ID", |c| c.pck.pce_id[1] ^= 1, &[Code::PceIdMismatch, Code::TcbStatusNotAccepted]),
    ("FMSPC", |c| c.pck.fmspc[5] ^= 1, &[Code::FmspcMismatch, Code::TcbStatusNotAccepted]),
    ("Platform Instance ID", |c| c.pck.platform_instance_id = None, &[]),
    ("Configuration", |c| c.pck.configuration = None, &[]),
    ("PCK revoked", |c| c.pck_revoked = true, &[Code::CertificateRevoked]),
    ("Platform CA revoked", |c| c.authority_revoked = true, &[Code::CertificateRevoked]),
    ("TCB signing revoked", |c| c.tcb_signer_revoked = true, &[Code::CertificateRevoked]),
];

const DAY: u64 = 24 * 60 * 60;

const COLLATERAL: &[Change] = &[
    ("TCB info, issueDate", |c| c.tcb_info.issue_date += 2 * DAY, &[Code::TcbInfoNotYetValid]),
    ("TCB info, nextUpdate", |c| c.tcb_info.next_update -= 30 * DAY, &[Code::TcbInfoExpired]),
    ("TCB info, id", about_sgx, &[Code::TcbInfoMismatch, Code::TcbStatusNotAccepted]),
    ("TCB info, fmspc", |c| c.tcb_info.fmspc[5] ^= 1, &[Code::FmspcMismatch, Code::TcbStatusNotAccepted]),
    ("TCB info, pceId", |c| c.tcb_info.pce_id[0] ^= 1, &[Code::PceIdMismatch, Code::TcbStatusNotAccepted]),
    ("TCB info, tcbEvaluationDataNumber", |c| c.tcb_info.evaluation_data_number = 0, &[]),
    // Modules of another major version.
    ("tdxModule", |c| c.tcb_info.tdx_module.as_mut().unwrap().mr_signer[0] ^= 1, &[]),
    (
        "tdxModuleIdentities",
        |c| c.tcb_info.tdx_module_identities.clear(),
        &[Code::TdxModuleUnknown, Code::TcbStatusNotAccepted],
    ),
    (
        "tdxModuleIdentities, mrsigner",
        |c| c.tcb_info.tdx_module_identities[1].module.mr_signer[0] ^= 1,
        &[Code::TdxModuleSignerMismatch],
    ),
    (
        "tdxModuleIdentities, attributes",
        |c| c.tcb_info.tdx_module_identities[1].module.attributes[0] ^= 1,
        &[Code::TdxModuleAttributesMismatch],
    ),
    (
        "tdxModuleIdentities, tcbStatus",
        |c| c.tcb_info.tdx_module_identities[1].levels[0].status = TcbStatus::Revoked,
        &[Code::TcbStatusNotAccepted],
    ),
    (
        "tdxModuleIdentities, tcbLevels",
        |c| c.tcb_info.tdx_module_identities[1].levels.clear(),
        &[Code::TdxModuleVersionUnknown, Code::TcbStatusNotAccepted],
    ),
    (
        "tdxModuleIdentities, advisoryIDs",
        |c| c.tcb_info.tdx_module_identities[1].levels[0].advisories.push("INTEL-SA-00009".into()),
        &[Code::AdvisoryNotAccepted],
    ),
    ("tcbLevels", |c| c.tcb_info.levels.clear(), &[Code::TcbLevelMissing, Code::TcbStatusNotAccepted]),
    ("tcbLevels, SGX component", |c| c.tcb_info.levels[0].sgx_components[15] = 1, OLD),
    ("tcbLevels, TDX component", |c| c.tcb_info.levels[0].tdx_components.as_mut().unwrap()[15] = 1, OLD),
    // The module is judged apart.
    ("tcbLevels, module", |c| c.tcb_info.levels[0].tdx_components.as_mut().unwrap()[0] = 9, &[]),
    ("tcbLevels, pcesvn", |c| c.tcb_info.levels[0].pce_svn = 14, OLD),
    ("tcbLevels, tcbDate", |c| c.tcb_info.levels[0].date = 0, &[]),
    (
        "tcbLevels, tcbStatus",
        |c| c.tcb_info.levels[0].status = TcbStatus::ConfigurationNeeded,
        &[Code::TcbStatusNotAccepted],
    ),
    (
        "tcbLevels, advisoryIDs",
        |c| c.tcb_info.levels[0].advisories.push("INTEL-SA-00009".into()),
        &[Code::AdvisoryNotAccepted],
    ),
    ("identity, id", |c| c.identity.id = EnclaveId::Qe, &[Code::QeIdentityMismatch]),
    ("identity, issueDate", |c| c.identity.issue_date += 2 * DAY, &[Code::QeIdentityNotYetValid]),
    ("identity, nextUpdate", |c| c.identity.next_update -= 30 * DAY, &[Code::QeIdentityExpired]),
    ("identity, tcbEvaluationDataNumber", |c| c.identity.evaluation_data_number = 0, &[]),
    ("identity, miscselect", |c| c.identity.misc_select[0] = 1, &[Code::QeMiscSelectMismatch]),
    ("identity, attributes", |c| c.identity.attributes[0] ^= 2, &[Code::QeAttributesMismatch]),
    ("identity, attributesMask", |c| c.identity.attributes_mask[0] = 0xff, &[Code::QeAttributesMismatch]),
    ("identity, mrsigner", |c| c.identity.mr_signer[0] ^= 1, &[Code::QeSignerMismatch]),
    ("identity, isvprodid", |c| c.identity.isv_prod_id = 1, &[Code::QeProductMismatch]),
    ("identity, tcbLevels", |c| c.identity.levels.clear(), &[Code::QeVersionUnknown]),
    (
        "identity, tcbStatus",
        |c| c.identity.levels[0].status = TcbStatus::OutOfDate,
        &[Code::TcbStatusNotAccepted],
    ),
    (
        "identity, advisoryIDs",
        |c| c.identity.levels[0].advisories.push("INTEL-SA-00009".into()),
        &[Code::AdvisoryNotAccepted],
    ),
];

/// TCB info of the same platform, about SGX.
fn about_sgx(content: &mut DcapContent) {
    let info = &mut content.tcb_info;
    info.tee = TeeType::Sgx;
    info.tdx_module = None;
    info.tdx_module_identities.clear();
    info.levels.iter_mut().for_each(|level| level.tdx_components = None);
}

const ENCLAVE: &[Change] = &[
    ("CPUSVN", |c| enclave(c).cpu_svn[0] ^= 1, &[]),
    ("MISCSELECT", |c| enclave(c).misc_select.0 = 1, &[]),
    ("MISCSELECT, reserved", |c| enclave(c).misc_select.0 = 4, &[Code::AttributesUnknown]),
    ("INIT", |c| enclave(c).attributes.flags &= !1, &[Code::AttributesUnknown]),
    ("DEBUG", |c| enclave(c).attributes.flags |= 2, &[Code::DebugAllowed]),
    ("MODE64BIT", |c| enclave(c).attributes.flags &= !4, &[Code::AttributesUnknown]),
    ("ATTRIBUTES, reserved", |c| enclave(c).attributes.flags |= 8, &[Code::AttributesUnknown]),
    ("XFRM, without x87", |c| enclave(c).attributes.xfrm.0 &= !1, &[Code::ExtendedStateUnknown]),
    ("XFRM, reserved", |c| enclave(c).attributes.xfrm.0 |= 1 << 63, &[Code::ExtendedStateUnknown]),
    ("MRENCLAVE", |c| enclave(c).mr_enclave[0] ^= 1, &[Code::MeasurementNotAccepted]),
    ("MRSIGNER", |c| enclave(c).mr_signer[0] ^= 1, &[]),
    ("ISVPRODID", |c| enclave(c).isv_prod_id ^= 1, &[]),
    ("ISVSVN", |c| enclave(c).isv_svn ^= 1, &[]),
    ("CONFIGID", |c| enclave(c).config_id[0] ^= 1, &[]),
    ("REPORTDATA", |c| enclave(c).report_data[0] ^= 1, &[Code::ReportDataMismatch]),
    ("PCESVN, old", |c| c.pck.tcb.pce_svn = 12, OLD),
    ("identity, id", |c| c.identity.id = EnclaveId::TdQe, &[Code::QeIdentityMismatch]),
    ("PCK revoked", |c| c.pck_revoked = true, &[Code::CertificateRevoked]),
    ("Processor CA revoked", |c| c.authority_revoked = true, &[Code::CertificateRevoked]),
];

fn check(platform: &SimulatedQuote, changes: &[Change]) {
    let relying = Relying::party();
    assert_eq!(relying.codes(&attest(platform, |_| {})), set(&[]));
    let mut wrong = Vec::new();
    for (what, change, expected) in changes {
        let codes = relying.codes(&attest(platform, change));
        if codes != set(expected) {
            wrong.push(format!("{what}: {codes:?}"));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn what_a_td_says() {
    check(&SimulatedQuote::default(), TD);
}

#[test]
fn what_a_quoting_enclave_says() {
    check(&SimulatedQuote::default(), QUOTING_ENCLAVE);
}

#[test]
fn what_certificates_say() {
    check(&SimulatedQuote::default(), CERTIFICATE);
}

#[test]
fn what_collateral_says() {
    check(&SimulatedQuote::default(), COLLATERAL);
}

#[test]
fn what_an_enclave_says() {
    check(&SimulatedQuote::enclave(), ENCLAVE);
    // TCB info of version 2 says the same.
    let relying = Relying::party();
    let older = attest(&SimulatedQuote::enclave(), |c| c.tcb_info.version = TcbInfoVersion::V2);
    assert_eq!(relying.codes(&older), set(&[]));
}

#[test]
fn every_form_of_quote_is_accepted() {
    let relying = Relying::party();
    let (td, enclave) = (SimulatedQuote::default(), SimulatedQuote::enclave());
    let forms = [
        SimulatedQuote { version: QuoteVersion::V4, extended: false, ..td.clone() },
        SimulatedQuote { extended: false, ..td.clone() },
        SimulatedQuote { authority: PckAuthority::Processor, ..td },
        SimulatedQuote { version: QuoteVersion::V4, ..enclave.clone() },
        SimulatedQuote { version: QuoteVersion::V5, ..enclave.clone() },
        SimulatedQuote { authority: PckAuthority::Platform, ..enclave },
    ];
    for form in forms {
        assert_eq!(relying.codes(&attest(&form, |_| {})), set(&[]), "{form:?}");
    }
}
