// SPDX-License-Identifier: Apache-2.0

//! Fields of what virtual machines of Azure prove themselves with.

use enarx_evidence::ParseError;
use enarx_evidence::azure::{
    AzureEvidence, HardwareReport, HclReport, HclVersion, Jwk, RuntimeData, TdReport,
};

use super::{Record, dcap, snp, tpm};

pub(super) fn records(bytes: &[u8], records: &mut Vec<Record>) -> Result<(), ParseError> {
    let evidence = AzureEvidence::decode(bytes)?;
    hcl_report(&evidence.hcl_report, records)?;
    tpm::quote(&evidence.quote, records);
    evidence.td_quote.iter().try_for_each(|quote| dcap::records(quote, records))
}

pub(super) fn hcl_report(report: &HclReport, records: &mut Vec<Record>) -> Result<(), ParseError> {
    let mut record = Record::new("HCL report", "Azure, guest attestation, HCL report");
    let version = match report.version {
        HclVersion::V1 => 1,
        HclVersion::V2 => 2,
    };
    record.field("version", version);
    record.field("bytes of runtime data", report.runtime_data.len());
    record.field("zeros after it", report.padding);
    records.push(record);
    match &report.hardware {
        HardwareReport::Snp(report) => snp::report(report, records),
        HardwareReport::Tdx(report) => records.push(td_report(report)),
    }
    records.push(runtime(&RuntimeData::parse(&report.runtime_data)?));
    Ok(())
}

fn runtime(data: &RuntimeData) -> Record {
    let mut record = Record::new("runtime data", "Azure, guest attestation, runtime claims");
    let key = |key: &Jwk| {
        format!("RSA of {} bits, modulus {}", key.modulus.len().saturating_mul(8), hex::encode(&key.modulus))
    };
    record.field("HCLAkPub", key(&data.attestation_key));
    record.field("HCLEkPub", data.endorsement_key.as_ref().map(key));
    let configuration = &data.configuration;
    record.field("console-enabled", configuration.console_enabled);
    record.field("secure-boot", configuration.secure_boot);
    record.field("tpm-enabled", configuration.tpm_enabled);
    record.field("tpm-persisted", configuration.tpm_persisted);
    record.field("vmUniqueId", configuration.vm_unique_id.as_str());
    record.field("user-data", data.user_data.as_str());
    record
}

fn td_report(report: &TdReport) -> Record {
    let mut record = Record::new("TDREPORT_STRUCT", "TDX ABI, TDREPORT_STRUCT");
    record.field("REPORTTYPE.VERSION", report.version);
    record.bytes("CPUSVN", report.cpu_svn);
    record.bytes("TEE_TCB_INFO_HASH", report.tee_tcb_info_hash);
    record.bytes("TEE_INFO_HASH", report.tee_info_hash);
    record.bytes("REPORTDATA", report.report_data);
    record.bytes("MAC", report.mac);
    record.bytes("TEE_TCB_SVN", report.tee_tcb_svn);
    record.bytes("MRSEAM", report.mr_seam);
    record.bytes("MRSIGNERSEAM", report.mr_signer_seam);
    record.bytes("SEAMATTRIBUTES", report.seam_attributes);
    record.bytes("TEE_TCB_SVN2", report.tee_tcb_svn_2);
    record.bytes("ATTRIBUTES", report.attributes);
    record.bytes("XFAM", report.xfam);
    record.bytes("MRTD", report.mr_td);
    record.bytes("MRCONFIGID", report.mr_config_id);
    record.bytes("MROWNER", report.mr_owner);
    record.bytes("MROWNERCONFIG", report.mr_owner_config);
    for (number, value) in report.rtmr.iter().enumerate() {
        record.bytes(format!("RTMR{number}"), value);
    }
    record.bytes("SERVTD_HASH", report.servtd_hash);
    record
}
