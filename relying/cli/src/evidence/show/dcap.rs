// SPDX-License-Identifier: Apache-2.0

//! Fields of Intel's quotes, and of what Intel signs about platforms. The sections are those of the documents that
//! `enarx_evidence::dcap` names.

use enarx_evidence::ParseError;
use enarx_evidence::dcap::{
    Body, Certification, EnclaveIdentity, Header, Quote, SgxAttributes, SgxReport, TcbInfo, TdAttributes,
    TdReport,
};
use enarx_verifier::UnixTime;
use serde_json::{Value, json};

use super::{Record, endorsement};

pub(super) fn records(bytes: &[u8], records: &mut Vec<Record>) -> Result<(), ParseError> {
    let quote = Quote::parse(bytes)?;
    records.push(header(&quote.header));
    match &quote.body {
        Body::Sgx(report) => records.extend(enclave("SGX report of the enclave", report)),
        Body::Td(report) => records.extend(td(report)),
    }
    let signature = &quote.signature;
    let mut record = Record::new("signature data of the quote", "TDX Quoting, A.3.8 to A.3.11");
    record.bytes("signature", signature.signature);
    record.bytes("attestation key", signature.attestation_key);
    record.bytes("signature of the QE report", signature.qe.signature);
    record.bytes("QE authentication data", &signature.qe.auth_data);
    let certification = &signature.certification;
    record
        .text("certification data", format_args!("type {}, {}", certification.kind(), certification.name()));
    record.field("bytes after the quote", quote.trailing.len());
    records.push(record);
    records.extend(enclave("report of the quoting enclave", &signature.qe.report));
    match &signature.certification {
        Certification::PckChain(chain) => endorsement::records(chain, records),
        Certification::EncryptedPpid(ppid) => {
            let mut record = Record::new("certification data", "SGX Quoting, A.4, table 10");
            record.bytes("encrypted PPID", ppid.ciphertext);
            record.bytes("CPUSVN", ppid.cpu_svn);
            record.field("PCESVN", ppid.pce_svn);
            record.field("PCEID", ppid.pce_id);
            records.push(record);
            Ok(())
        }
        Certification::Other { data, .. } => {
            let mut record = Record::new("certification data", "SGX Quoting, A.4, table 10");
            record.bytes("data", data);
            records.push(record);
            Ok(())
        }
    }
}

fn header(header: &Header) -> Record {
    let mut record = Record::new("header of the quote", "SGX Quoting, A.4; TDX Quoting, A.3.1");
    record.field("version", header.version.number());
    record.field("QE SVN", header.qe_svn);
    record.field("PCE SVN", header.pce_svn);
    record.bytes("QE vendor ID", header.qe_vendor_id);
    record.bytes("user data", header.user_data);
    record
}

fn enclave(title: &str, report: &SgxReport) -> [Record; 2] {
    let mut record = Record::new(title, "SDM, volume 3D, section 40.15");
    record.bytes("CPUSVN", report.cpu_svn);
    record.text("MISCSELECT", format_args!("{:#010x}", report.misc_select.0));
    record.bytes("ISVEXTPRODID", report.isv_ext_prod_id);
    record.bytes("MRENCLAVE", report.mr_enclave);
    record.bytes("MRSIGNER", report.mr_signer);
    record.bytes("CONFIGID", report.config_id);
    record.field("ISVPRODID", report.isv_prod_id);
    record.field("ISVSVN", report.isv_svn);
    record.field("CONFIGSVN", report.config_svn);
    record.bytes("ISVFAMILYID", report.isv_family_id);
    record.bytes("REPORTDATA", report.report_data);
    [record, enclave_attributes(title, report.attributes)]
}

fn enclave_attributes(title: &str, attributes: SgxAttributes) -> Record {
    let mut record = Record::new(format!("ATTRIBUTES, {title}"), "SDM, volume 3D, section 37.7.1");
    record.text("FLAGS", format_args!("{:#018x}", attributes.flags));
    record.field("INIT", attributes.init());
    record.field("DEBUG", attributes.debug());
    record.field("MODE64BIT", attributes.mode_64_bit());
    record.field("PROVISIONKEY", attributes.provision_key());
    record.field("EINITTOKEN_KEY", attributes.einit_token_key());
    record.field("CET", attributes.cet());
    record.field("KSS", attributes.kss());
    record.field("AEXNOTIFY", attributes.aex_notify());
    record.text("XFRM", format_args!("{:#018x}", attributes.xfrm.0));
    record
}

fn td(report: &TdReport) -> [Record; 2] {
    let version = if report.extension.is_some() { "1.5" } else { "1.0" };
    let mut record = Record::new(format!("TD report {version}"), "TDX Quoting, A.3.2 and A.4.2");
    record.bytes("TEE_TCB_SVN", report.tee_tcb_svn);
    record.bytes("MRSEAM", report.mr_seam);
    record.bytes("MRSIGNERSEAM", report.mr_signer_seam);
    record.text("SEAMATTRIBUTES", format_args!("{:#018x}", report.seam_attributes.0));
    record.text("XFAM", format_args!("{:#018x}", report.xfam.0));
    record.bytes("MRTD", report.mr_td);
    record.bytes("MRCONFIGID", report.mr_config_id);
    record.bytes("MROWNER", report.mr_owner);
    record.bytes("MROWNERCONFIG", report.mr_owner_config);
    for (number, value) in report.rtmr.iter().enumerate() {
        record.bytes(format!("RTMR{number}"), value);
    }
    record.bytes("REPORTDATA", report.report_data);
    let extension = report.extension.as_ref();
    record.field("TEE_TCB_SVN_2", extension.map(|extension| hex::encode(extension.tee_tcb_svn_2)));
    record.field("MRSERVICETD", extension.map(|extension| hex::encode(extension.mr_service_td)));
    [record, td_attributes(report.td_attributes)]
}

fn td_attributes(attributes: TdAttributes) -> Record {
    let mut record = Record::new("TDATTRIBUTES", "TDX ABI, ATTRIBUTES");
    record.text("TDATTRIBUTES", format_args!("{:#018x}", attributes.0));
    record.field("DEBUG", attributes.debug());
    record.field("HGS_PLUS_PROF", attributes.profiling());
    record.field("PERF_PROF and the like", attributes.under_debug());
    record.field("ICSSD", attributes.icssd());
    record.field("LASS", attributes.lass());
    record.field("SEPT_VE_DISABLE", attributes.sept_ve_disable());
    record.field("MIGRATABLE", attributes.migratable());
    record.field("PKS", attributes.pks());
    record.field("KL", attributes.key_locker());
    record.field("TPA", attributes.tpa());
    record.field("PERFMON", attributes.perfmon());
    record
}

/// TCB info: the platform that it is about, and its levels.
pub(super) fn tcb_info(info: &TcbInfo) -> Record {
    let mut record = Record::new("TCB info", "PCS, appendix A");
    record.text("tee", info.tee);
    record.text("version", format_args!("{:?}", info.version));
    record.text("issueDate", UnixTime(info.issue_date));
    record.text("nextUpdate", UnixTime(info.next_update));
    record.bytes("fmspc", info.fmspc);
    record.bytes("pceId", info.pce_id);
    record.field("tcbEvaluationDataNumber", info.evaluation_data_number);
    let modules: Vec<_> = info.tdx_module_identities.iter().map(|module| Value::from(module.id())).collect();
    record.field("tdxModuleIdentities", modules);
    for (number, level) in info.levels.iter().enumerate() {
        record.field(
            format!("level {number}"),
            json!({
                "status": level.status.name(),
                "date": UnixTime(level.date).to_string(),
                "sgx": level.sgx_components,
                "pcesvn": level.pce_svn,
                "tdx": level.tdx_components,
                "advisories": level.advisories,
            }),
        );
    }
    record
}

/// An enclave identity: which enclave is Intel's, and its levels.
pub(super) fn enclave_identity(identity: &EnclaveIdentity) -> Record {
    let mut record = Record::new("enclave identity", "PCS, appendix A");
    record.field("id", identity.id.name());
    record.text("issueDate", UnixTime(identity.issue_date));
    record.text("nextUpdate", UnixTime(identity.next_update));
    record.field("tcbEvaluationDataNumber", identity.evaluation_data_number);
    record.bytes("miscselect", identity.misc_select);
    record.bytes("miscselectMask", identity.misc_select_mask);
    record.bytes("attributes", identity.attributes);
    record.bytes("attributesMask", identity.attributes_mask);
    record.bytes("mrsigner", identity.mr_signer);
    record.field("isvprodid", identity.isv_prod_id);
    for (number, level) in identity.levels.iter().enumerate() {
        record.field(
            format!("level {number}"),
            json!({
                "status": level.status.name(),
                "date": UnixTime(level.date).to_string(),
                "isvsvn": level.isv_svn,
                "advisories": level.advisories,
            }),
        );
    }
    record
}
