// SPDX-License-Identifier: Apache-2.0

//! Verification of NVIDIA GPUs and switches: did a genuine device measure this firmware, for this session?
//!
//! In order: the report parses; the certificate of the device's key is there, and a chain leads from it to NVIDIA's
//! root; the key signed request and answer; the nonce of the request is bound to this session (see
//! [`crate::binding`]); the firmware that the report names is that for which the key was made; where NVIDIA's reference
//! manifests were sent, they are genuine, about this driver and VBIOS, and the measurements are theirs.
//!
//! NVIDIA publishes no revocation lists of single devices; it answers by OCSP, which is not asked here.

mod device;
mod manifest;

use alloc::boxed::Box;

use enarx_evidence::nvgpu::{OpaqueField, Report, firmware_id};
use enarx_evidence::x509::Certificate;
use sha2::{Digest as _, Sha384};

use crate::appraisal::Examined;
use crate::binding::carries;
use crate::chain::{self, Profile, Revocable};
use crate::crypto::{Hash, Scheme, SignatureVerifier, Signed};
use crate::endorsements::{self, Endorsements};
use crate::refusal::{Findings, Subject};
use crate::{Claims, Code, NvGpuClaims, Root, Verification};

/// The chains of devices: key of the device, its boot ROM, provisioner, family, root. Authorities say in their own
/// certificate where the list is that could revoke them.
const CHAIN: Profile = Profile {
    max_intermediates: 3,
    revocable: Revocable::WhoeverNamesAList,
    root: |root| matches!(root, Root::Nvidia),
};

/// Verifies a report and its endorsements, and notes every check. `None` if it says nothing that could be
/// understood.
pub(crate) fn examine(
    verification: &Verification<'_>,
    crypto: &mut dyn SignatureVerifier,
    findings: &mut Findings,
) -> Option<Examined> {
    let bytes = &verification.bundle.evidence.bytes;
    let report = parse(bytes, findings)?;
    let opened = endorsements::open(&verification.bundle.endorsements, findings);
    let endorsements = Endorsements::read(&opened, findings);
    let found = device::certificate(bytes, &report, &endorsements, crypto, findings);
    let root = found.as_ref().and_then(|(leaf, _)| {
        device::usage(leaf, findings);
        chain::verify(leaf, &endorsements, &CHAIN, verification, crypto, findings)
    });
    if let Some((leaf, signed)) = &found {
        signature(leaf, *signed, findings);
    }
    let (wanted, nonce) = (verification.report_data, &report.nonce);
    let expected = format_args!("the SHA-256 of {}", hex::encode(wanted));
    let bound = carries(nonce, wanted);
    findings.check(Subject::GpuNonce, Code::ReportDataMismatch, bound, expected, hex::encode(nonce));
    let (leaf, _) = found?;
    firmware(&report, &leaf, findings);
    let product = device::product(&leaf, findings)?;
    let (driver_version, vbios_version) = (device::driver_version(&report), device::vbios_version(&report));
    let versions = [driver_version.as_deref(), vbios_version.as_deref()];
    let manifests =
        manifest::verify(&report, versions, root.as_ref(), &endorsements, verification, crypto, findings);
    let claims = NvGpuClaims {
        product,
        measurement: measurement(&report),
        device: leaf.common_name().into(),
        driver_version,
        vbios_version,
        manifests,
        report,
    };
    Some(Examined { claims: Claims::NvGpu(Box::new(claims)), root })
}

/// Each value with its index and length before it, so that no other measurements have the same digest.
fn measurement(report: &Report) -> [u8; 48] {
    let mut digest = Sha384::new();
    for (index, measurement) in &report.measurements {
        digest.update([*index]);
        digest.update((measurement.value.len() as u64).to_be_bytes());
        digest.update(&measurement.value);
    }
    digest.finalize().into()
}

fn parse(bytes: &[u8], findings: &mut Findings) -> Option<Report> {
    let expected = "a request for measurements of SPDM 1.1 and its answer";
    match Report::parse(bytes) {
        Ok(report) => {
            let found = format_args!("{} measurements", report.measurements.len());
            findings.check(Subject::GpuReport, Code::EvidenceMalformed, true, expected, found);
            Some(report)
        }
        Err(error) => {
            findings.refuse(Subject::GpuReport, Code::EvidenceMalformed, expected, error);
            None
        }
    }
}

/// The device's key signed request and answer.
fn signature(leaf: &Certificate<'_>, signed: bool, findings: &mut Findings) {
    let expected = format_args!("a signature by the key of {}", leaf.common_name());
    let found = if signed { "a good signature" } else { "a signature that does not verify" };
    findings.check(Subject::GpuSignature, Code::ReportSignatureInvalid, signed, expected, found);
}

/// Whether a key signed request and answer (DSP0274, section 10.11.1).
fn is_signed(
    bytes: &[u8],
    report: &Report,
    leaf: &Certificate<'_>,
    crypto: &mut dyn SignatureVerifier,
) -> bool {
    let signed = bytes.len().saturating_sub(Report::SIGNATURE_LEN);
    crypto.verify(&Signed {
        key: leaf.key,
        scheme: Scheme::Ecdsa(Hash::Sha384),
        message: bytes.get(..signed).unwrap_or_default(),
        signature: &report.signature,
    })
}

/// The key was made for the firmware that the report names. Drivers before version 550 and switches name none.
fn firmware(report: &Report, leaf: &Certificate<'_>, findings: &mut Findings) {
    let certified = firmware_id(&leaf.extensions);
    let found = certified.map_or_else(|| "none".into(), hex::encode);
    let (same, expected) = match report.opaque.get(OpaqueField::FirmwareId) {
        Some(named) => (certified.is_some_and(|certified| certified == named), hex::encode(named)),
        None => (true, "any, since the report names none".into()),
    };
    findings.check(Subject::GpuFirmware, Code::FirmwareIdMismatch, same, expected, found);
}
