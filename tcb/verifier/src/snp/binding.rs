// SPDX-License-Identifier: Apache-2.0

//! What ties a report to the certificate of its key, and to this session.

use enarx_evidence::snp::cert::KeyExtensions;
use enarx_evidence::snp::{Generation, Layout, Product, RawTcb, Report, SigningKey, TcbVersion};
use enarx_evidence::x509::PublicKey;

use super::key::KeyCertificate;
use crate::binding::Bound;
use crate::crypto::{Hash, Scheme, SignatureVerifier, Signed};
use crate::refusal::{Findings, Subject};
use crate::{Code, Root};

/// Whether a certificate is for the TCB version and chip of a report.
pub(super) fn agrees(report: &Report, extensions: &KeyExtensions) -> bool {
    let layout = if extensions.tcb.fmc.is_some() { Layout::Turin } else { Layout::Classic };
    let tcb = report.reported_tcb.decode(layout) == Ok(extensions.tcb);
    let chip = extensions.hwid.as_deref().is_none_or(|hwid| is_chip(report, hwid) || report.chip_id_masked());
    tcb && chip
}

/// The product, if the report says it: from version 3 on.
pub(super) fn product(report: &Report) -> Option<Product> {
    report.cpuid.and_then(Product::from_cpuid)
}

/// The generation that report, certificate and root agree on. `None` if nothing tells it.
pub(super) fn generation(
    report: &Report,
    key: Option<&KeyCertificate<'_>>,
    root: Option<&Root>,
    findings: &mut Findings,
) -> Option<Generation> {
    if let (Some(cpuid), None) = (report.cpuid, product(report)) {
        let expected = "a processor that is known here";
        findings.refuse(Subject::Product, Code::ProductUnknown, expected, cpuid);
        return None;
    }
    let by_report = product(report).map(Product::generation);
    let by_certificate = key.map(|key| key.extensions.product_name.as_str());
    let named = by_certificate.and_then(Generation::from_product_name);
    let by_root = match root {
        Some(Root::Amd(generation)) => Some(*generation),
        _ => None,
    };
    if let (Some(name), None) = (by_certificate, named) {
        let expected = "a product name that is known here";
        findings.refuse(Subject::Product, Code::ProductUnknown, expected, format_args!("`{name}`"));
        return None;
    }
    let Some(generation) = by_report.or(named).or(by_root) else {
        let expected = "a report or certificate that names a product";
        findings.refuse(Subject::Product, Code::ProductUnknown, expected, "none");
        return None;
    };
    for (who, found) in [("the certificate", named), ("the root", by_root)] {
        if let Some(found) = found {
            let expected = format_args!("{who}, of {generation}");
            findings.check(Subject::Product, Code::ProductMismatch, found == generation, expected, found);
        }
    }
    Some(generation)
}

/// The certificate is for the reported TCB, and for no other field of that kind.
pub(super) fn tcb(
    report: &Report,
    key: &KeyCertificate<'_>,
    generation: Generation,
    findings: &mut Findings,
) {
    if let Ok(reported) = report.reported_tcb.decode(generation.tcb_layout()) {
        let certified = key.extensions.tcb;
        let same = certified == reported;
        findings.check(Subject::TcbBinding, Code::TcbMismatch, same, reported, certified);
    }
}

/// A VCEK's certificate is for this chip. A masked `CHIP_ID` cannot be compared; that the chip's key signed the
/// report proves the same. A VLEK belongs to no chip.
pub(super) fn chip_id(
    report: &Report,
    key: &KeyCertificate<'_>,
    generation: Generation,
    findings: &mut Findings,
) {
    if report.key_info.signing_key != SigningKey::Vcek {
        return;
    }
    let hwid = key.extensions.hwid.as_deref().unwrap_or_default();
    let found = hex::encode(hwid);
    if report.chip_id_masked() {
        let expected = "any chip, since the host hides which";
        findings.check(Subject::ChipId, Code::ChipIdMismatch, true, expected, found);
        return;
    }
    let same = hwid.len() == generation.chip_id_len() && is_chip(report, hwid);
    let expected = report.chip_id.get(..generation.chip_id_len()).unwrap_or_default();
    findings.check(Subject::ChipId, Code::ChipIdMismatch, same, hex::encode(expected), found);
}

/// Whether `CHIP_ID` is this identifier, and zeros after it.
fn is_chip(report: &Report, hwid: &[u8]) -> bool {
    let Some((id, rest)) = report.chip_id.split_at_checked(hwid.len()) else { return false };
    !hwid.is_empty() && id == hwid && rest.iter().all(|byte| *byte == 0)
}

/// The certified key signed the report (56860, chapter 10).
pub(super) fn signature(
    report: &Report,
    bytes: &[u8],
    key_certificate: &KeyCertificate<'_>,
    crypto: &mut dyn SignatureVerifier,
    findings: &mut Findings,
) {
    let algorithm = report.signature_algo;
    let known = algorithm == Report::ECDSA_P384_SHA384;
    let expected = "1, ECDSA P-384 with SHA-384";
    let code = Code::SignatureAlgorithmUnsupported;
    findings.check(Subject::SignatureAlgorithm, code, known, expected, algorithm);

    let key = key_certificate.certificate.key;
    if !matches!(key, PublicKey::P384(_)) {
        let expected = "a key on P-384";
        findings.refuse(Subject::ReportSignature, Code::KeyUnsupported, expected, "another kind of key");
        return;
    }
    let message = bytes.get(..Report::SIGNED_LEN).unwrap_or_default();
    let signature = [report.signature.r, report.signature.s].concat();
    let scheme = Scheme::Ecdsa(Hash::Sha384);
    let valid = known && crypto.verify(&Signed { key, scheme, message, signature: &signature });
    let expected = format_args!("a signature by the key of {}", key_certificate.certificate.common_name());
    let found = if valid { "a good signature" } else { "a signature that does not verify" };
    findings.check(Subject::ReportSignature, Code::ReportSignatureInvalid, valid, expected, found);
}

/// The report was made for this session, or for what else it is bound to.
pub(super) fn report_data(report: &Report, bound: Bound<'_>, findings: &mut Findings) {
    let (wanted, found) = (bound.report_data, &report.report_data);
    let (same, wanted, found) = (found == wanted, hex::encode(wanted), hex::encode(found));
    findings.check(bound.subject, bound.code, same, wanted, found);
}

/// Current, committed, launch and reported TCB by name. `None` if reserved bytes say that a layout is not that of
/// the generation.
pub(super) fn tcb_versions(
    report: &Report,
    generation: Generation,
    findings: &mut Findings,
) -> Option<[TcbVersion; 4]> {
    let mut decode = |subject: Subject, raw: RawTcb| match raw.decode(generation.tcb_layout()) {
        Ok(tcb) => Some(tcb),
        Err(error) => {
            let expected = format_args!("a TCB version of {generation}");
            findings.refuse(subject, Code::EvidenceMalformed, expected, error);
            None
        }
    };
    let current = decode(Subject::CurrentTcb, report.current_tcb);
    let committed = decode(Subject::CommittedTcb, report.committed_tcb);
    let launch = decode(Subject::LaunchTcb, report.launch_tcb);
    let reported = decode(Subject::ReportedTcb, report.reported_tcb);
    Some([current?, committed?, launch?, reported?])
}
