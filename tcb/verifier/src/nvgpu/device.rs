// SPDX-License-Identifier: Apache-2.0

//! Which device it is: the certificate of its key, and what that calls the device.

use alloc::format;
use alloc::string::String;

use enarx_evidence::nvgpu::{OpaqueField, Report, firmware_id};
use enarx_evidence::x509::{Certificate, PublicKey};

use super::is_signed;
use crate::Code;
use crate::crypto::SignatureVerifier;
use crate::endorsements::Endorsements;
use crate::policy::Product;
use crate::refusal::{Findings, Subject};

/// How names of devices begin in their certificates: with the chip.
const CHIPS: [(&str, Product); 3] =
    [("GH", Product::Hopper), ("GB", Product::Blackwell), ("LS", Product::NvSwitch)];

/// The certificate of the key that signed, and whether it did. If none did, it is that of the firmware which the report
/// names, so that what is refused then is the signature.
pub(super) fn certificate<'a>(
    bytes: &[u8],
    report: &Report,
    endorsements: &Endorsements<'a>,
    crypto: &mut dyn SignatureVerifier,
    findings: &mut Findings,
) -> Option<(Certificate<'a>, bool)> {
    let leaves = || endorsements.certificates.iter().filter(|found| is_device_key(found));
    let named = report.opaque.get(OpaqueField::FirmwareId);
    let is_named = |leaf: &&Certificate<'_>| {
        firmware_id(&leaf.extensions).is_some_and(|certified| Some(certified.as_slice()) == named)
    };
    let signer = leaves().find(|leaf| is_signed(bytes, report, leaf, crypto));
    let found = signer.or_else(|| leaves().find(is_named)).or_else(|| leaves().next()).copied();
    let name = found.as_ref().map_or("none", Certificate::common_name);
    let expected = "a certificate of the device's key";
    findings.check(Subject::GpuKey, Code::KeyCertificateMissing, found.is_some(), expected, name);
    found.map(|leaf| (leaf, signer.is_some()))
}

fn is_device_key(certificate: &Certificate<'_>) -> bool {
    let ca = certificate.extensions.basic_constraints().is_some_and(|constraints| constraints.ca);
    !ca && matches!(certificate.key, PublicKey::P384(_))
}

/// The key is one that signs reports.
pub(super) fn usage(leaf: &Certificate<'_>, findings: &mut Findings) {
    let signs = leaf.extensions.key_usage().is_some_and(|usage| usage.digital_signature);
    let expected = format_args!("{}, a key that signs", leaf.common_name());
    let found = if signs { "it is" } else { "it is not" };
    findings.check(Subject::GpuKey, Code::KeyUnsupported, signs, expected, found);
}

/// The product, by the chip that the certificate names. `None` if it is not known.
pub(super) fn product(leaf: &Certificate<'_>, findings: &mut Findings) -> Option<Product> {
    let name = leaf.common_name();
    let product = CHIPS.iter().find(|(chip, _)| name.starts_with(chip)).map(|(_, product)| *product);
    let expected = "a chip that is known here";
    findings.check(Subject::GpuProduct, Code::ProductUnknown, product.is_some(), expected, name);
    product
}

/// The version of the driver, if the device names it.
pub(super) fn driver_version(report: &Report) -> Option<String> {
    report.opaque.text(OpaqueField::DriverVersion)
}

/// The version of the VBIOS as NVIDIA writes it.
pub(super) fn vbios_version(report: &Report) -> Option<String> {
    match *report.opaque.get(OpaqueField::VbiosVersion)? {
        // Two numbers of 32 bits, little-endian: 96009f00h and 1 are written 96.00.9F.00.01.
        [a, b, c, d, last, 0, 0, 0] => Some(format!("{d:02X}.{c:02X}.{b:02X}.{a:02X}.{last:02X}")),
        _ => report.opaque.text(OpaqueField::VbiosVersion),
    }
}
