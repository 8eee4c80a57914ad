// SPDX-License-Identifier: Apache-2.0

//! The quoting enclave: that it is one of Intel's, on the platform of the certificate, and made the attestation key.

use enarx_evidence::dcap::{EnclaveId, EnclaveIdentity, EnclaveTcbLevel, Header, Quote, SgxReport};
use sha2::{Digest as _, Sha256};

use super::certification::Pck;
use crate::Code;
use crate::refusal::{Findings, Subject};

/// The quote says that Intel's quoting enclave made it.
pub(super) fn vendor(quote: &Quote, findings: &mut Findings) {
    let (expected, found) = (hex::encode(Header::INTEL_QE), hex::encode(quote.header.qe_vendor_id));
    findings.check(Subject::QeVendor, Code::QeVendorUnknown, expected == found, &expected, &found);
}

/// The enclave's report names the attestation key, and has zeros behind.
pub(super) fn attestation_key(quote: &Quote, findings: &mut Findings) {
    let signature = &quote.signature;
    let digest = Sha256::new()
        .chain_update(signature.attestation_key)
        .chain_update(&signature.qe.auth_data)
        .finalize();
    let mut expected = [0; 64];
    expected.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    let found = &signature.qe.report.report_data;
    let same = expected == *found;
    let (expected, found) = (hex::encode(expected), hex::encode(found));
    findings.check(Subject::AttestationKey, Code::AttestationKeyMismatch, same, expected, found);
}

/// The platform's key signed the enclave's report.
pub(super) fn signature(pck: &Pck<'_>, findings: &mut Findings) {
    let expected = format_args!("a signature by the key of {}", pck.certificate.common_name());
    let found = if pck.signed { "a good signature" } else { "a signature that does not verify" };
    findings.check(Subject::QeReport, Code::QeReportSignatureInvalid, pck.signed, expected, found);
}

/// The enclave is the one that an identity is about (PCS, "Get Quoting Enclave Identity"), and this is what Intel
/// thinks of its version.
pub(super) fn identity<'b>(
    report: &SgxReport,
    identity: &'b EnclaveIdentity,
    findings: &mut Findings,
) -> Option<&'b EnclaveTcbLevel> {
    let mut same = |subject, code, expected: &[u8], found: &[u8]| {
        let (expected, found) = (hex::encode(expected), hex::encode(found));
        findings.check(subject, code, expected == found, &expected, &found);
    };
    same(Subject::QeSigner, Code::QeSignerMismatch, &identity.mr_signer, &report.mr_signer);
    let misc_select = masked(report.misc_select.0.to_le_bytes(), identity.misc_select_mask);
    same(Subject::QeMiscSelect, Code::QeMiscSelectMismatch, &identity.misc_select, &misc_select);
    let attributes = masked(report.attributes.to_bytes(), identity.attributes_mask);
    same(Subject::QeAttributes, Code::QeAttributesMismatch, &identity.attributes, &attributes);
    let (expected, found) = (identity.isv_prod_id, report.isv_prod_id);
    findings.check(Subject::QeProduct, Code::QeProductMismatch, expected == found, expected, found);

    let level = identity.levels.iter().find(|level| report.isv_svn >= level.isv_svn);
    let expected = "a version that Intel knows";
    match level {
        Some(level) => {
            let found = format_args!("version {}: {}", report.isv_svn, level.status);
            findings.check(Subject::QeVersion, Code::QeVersionUnknown, true, expected, found);
        }
        None => findings.refuse(Subject::QeVersion, Code::QeVersionUnknown, expected, report.isv_svn),
    }
    level
}

/// The enclave that makes quotes of a kind.
pub(super) fn id(quote: &Quote) -> EnclaveId {
    use enarx_evidence::dcap::TeeType;
    match quote.body.tee() {
        TeeType::Sgx => EnclaveId::Qe,
        TeeType::Tdx => EnclaveId::TdQe,
    }
}

fn masked<const N: usize>(mut bytes: [u8; N], mask: [u8; N]) -> [u8; N] {
    bytes.iter_mut().zip(mask).for_each(|(byte, mask)| *byte &= mask);
    bytes
}
