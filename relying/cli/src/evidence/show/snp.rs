// SPDX-License-Identifier: Apache-2.0

//! Fields of SEV-SNP reports. 56860 is AMD's specification of the firmware's interface.

use enarx_evidence::ParseError;
use enarx_evidence::snp::{FirmwareVersion, GuestPolicy, Layout, PlatformInfo, Product, RawTcb, Report};

use super::Record;

pub(super) fn records(bytes: &[u8], records: &mut Vec<Record>) -> Result<(), ParseError> {
    report(&Report::parse(bytes)?, records);
    Ok(())
}

/// A report, wherever it was.
pub(super) fn report(report: &Report, records: &mut Vec<Record>) {
    records.extend([head(report), policy(report.policy), platform(report.platform_info), body(report)]);
}

fn head(report: &Report) -> Record {
    let mut record = Record::new("ATTESTATION_REPORT of SEV-SNP", "56860, section 7.3");
    record.field("VERSION", report.version.number());
    record.field("GUEST_SVN", report.guest_svn);
    record.bytes("FAMILY_ID", report.family_id);
    record.bytes("IMAGE_ID", report.image_id);
    match report.vmpl {
        Report::VMPL_HOST => record.field("VMPL", "the host asked for the report"),
        level => record.field("VMPL", level),
    }
    record.field("SIGNATURE_ALGO", report.signature_algo);
    record.field("AUTHOR_KEY_EN", report.key_info.author_key_en);
    record.field("MASK_CHIP_KEY", report.key_info.mask_chip_key);
    record.text("SIGNING_KEY", report.key_info.signing_key);
    record
}

fn policy(policy: GuestPolicy) -> Record {
    let mut record = Record::new("POLICY: what the guest was launched to allow", "56860, section 4.3");
    record.text("POLICY", format_args!("{:#018x}", policy.0));
    record.text("ABI", format_args!("at least {}.{}", policy.abi_major(), policy.abi_minor()));
    record.field("SMT", policy.smt());
    record.field("MIGRATE_MA", policy.migrate_ma());
    record.field("DEBUG", policy.debug());
    record.field("SINGLE_SOCKET", policy.single_socket());
    record.field("CXL_ALLOW", policy.cxl_allow());
    record.field("MEM_AES_256_XTS", policy.mem_aes_256_xts());
    record.field("RAPL_DIS", policy.rapl_dis());
    record.field("CIPHERTEXT_HIDING", policy.ciphertext_hiding());
    record.field("PAGE_SWAP_DISABLE", policy.page_swap_disable());
    if policy.unknown() != 0 {
        record.text("not known here", format_args!("{:#x}", policy.unknown()));
    }
    record
}

fn platform(info: PlatformInfo) -> Record {
    let mut record = Record::new("PLATFORM_INFO: what is switched on in the host", "56860, section 7.3");
    record.text("PLATFORM_INFO", format_args!("{:#018x}", info.0));
    record.field("SMT_EN", info.smt());
    record.field("TSME_EN", info.tsme());
    record.field("ECC_EN", info.ecc());
    record.field("RAPL_DIS", info.rapl_disabled());
    record.field("CIPHERTEXT_HIDING_EN", info.ciphertext_hiding());
    record.field("ALIAS_CHECK_COMPLETE", info.alias_check_complete());
    record.field("TIO_EN", info.tio());
    record
}

fn body(report: &Report) -> Record {
    let mut record = Record::new("ATTESTATION_REPORT, continued", "56860, sections 2.2 and 7.3");
    record.bytes("REPORT_DATA", report.report_data);
    record.bytes("MEASUREMENT", report.measurement);
    record.bytes("HOST_DATA", report.host_data);
    record.bytes("ID_KEY_DIGEST", report.id_key_digest);
    record.bytes("AUTHOR_KEY_DIGEST", report.author_key_digest);
    record.bytes("REPORT_ID", report.report_id);
    record.bytes("REPORT_ID_MA", report.report_id_ma);
    let product = report.cpuid.and_then(Product::from_cpuid);
    record.field("CPUID", report.cpuid.map(|cpuid| cpuid.to_string()));
    record.field("product", product.map(Product::name));
    record.bytes("CHIP_ID", report.chip_id);
    // Reports of version 2 are older than the other layout.
    let layout = product.map_or(Layout::Classic, |product| product.generation().tcb_layout());
    let tcbs = [
        ("CURRENT_TCB", report.current_tcb),
        ("COMMITTED_TCB", report.committed_tcb),
        ("LAUNCH_TCB", report.launch_tcb),
        ("REPORTED_TCB", report.reported_tcb),
    ];
    for (name, tcb) in tcbs {
        record.field(name, tcb_words(tcb, layout));
    }
    record.field("CURRENT_VERSION", firmware(report.current));
    record.field("COMMITTED_VERSION", firmware(report.committed));
    let vectors = report.mitigations.map(|vectors| (vectors.launch, vectors.current)).unzip();
    record.field("LAUNCH_MIT_VECTOR", vectors.0.map(|vector| format!("{vector:#x}")));
    record.field("CURRENT_MIT_VECTOR", vectors.1.map(|vector| format!("{vector:#x}")));
    record.bytes("SIGNATURE.R", report.signature.r);
    record.bytes("SIGNATURE.S", report.signature.s);
    record
}

fn tcb_words(tcb: RawTcb, layout: Layout) -> String {
    match tcb.decode(layout) {
        Ok(levels) => format!("{:#018x} {levels}", tcb.0),
        Err(error) => format!("{:#018x} ({error})", tcb.0),
    }
}

fn firmware(version: FirmwareVersion) -> String {
    format!("{}.{}.{}", version.major, version.minor, version.build)
}
