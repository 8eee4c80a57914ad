// SPDX-License-Identifier: Apache-2.0

//! Fields of the measurements of NVIDIA's GPUs and switches. DSP0274 is the specification of SPDM.

use enarx_evidence::ParseError;
use enarx_evidence::nvgpu::{OpaqueField, Report, Rim};

use super::Record;

/// Every type of opaque data that has a name here.
const OPAQUE: &[(OpaqueField, &str)] = &[
    (OpaqueField::DriverVersion, "driver version"),
    (OpaqueField::VbiosVersion, "VBIOS version"),
    (OpaqueField::Nvdec0, "NVDEC0"),
    (OpaqueField::BoardId, "board"),
    (OpaqueField::ChipSku, "chip SKU"),
    (OpaqueField::ChipSkuMod, "chip SKU, variant"),
    (OpaqueField::Project, "project"),
    (OpaqueField::ProjectSku, "project SKU"),
    (OpaqueField::ProjectSkuMod, "project SKU, variant"),
    (OpaqueField::FirmwareId, "firmware identifier"),
    (OpaqueField::ProtectedPcie, "protected PCIe"),
    (OpaqueField::SwitchPdis, "switches"),
    (OpaqueField::ChipInfo, "chip"),
];

pub(super) fn records(bytes: &[u8], records: &mut Vec<Record>) -> Result<(), ParseError> {
    let report = Report::parse(bytes)?;
    let mut record = Record::new("SPDM measurements", "DSP0274, section 10.11");
    record.bytes("request.Nonce", report.nonce);
    record.field("SlotIDParam", report.slot);
    record.bytes("response.Param", report.parameters);
    record.bytes("response.Nonce", report.device_nonce);
    record.bytes("Signature", report.signature);
    records.push(record);

    let mut record = Record::new("OpaqueData", "DSP0274, section 10.11; NVIDIA, opaque data");
    for (kind, value) in report.opaque.iter() {
        let known = OPAQUE.iter().find(|(field, _)| field.number() == kind);
        let name = known.map_or_else(|| format!("type {kind}"), |(_, name)| (*name).to_owned());
        match known.and_then(|(field, _)| report.opaque.text(*field)) {
            Some(text) => record.field(name, text),
            None => record.bytes(name, value),
        }
    }
    records.push(record);

    let mut record = Record::new("measurements", "DSP0274, section 10.11.1");
    for (index, measurement) in &report.measurements {
        let value = hex::encode(&measurement.value);
        record.text(format!("{index}, kind {:#04x}", measurement.kind), value);
    }
    records.push(record);
    Ok(())
}

/// What the measurements of a device may be.
pub(super) fn reference_manifest(found: &Rim) -> Record {
    let mut record = Record::new("reference integrity manifest", "NIST IR 8060, section 2; TCG RIM");
    record.field("product", found.product.as_str());
    record.field("colloquialVersion", found.version.as_str());
    record.field("certificates", found.certificates.len());
    record.bytes("Digest", found.digest);
    record.bytes("Signature", found.signature);
    for (index, values) in &found.references {
        let values = values.iter().map(hex::encode).collect::<Vec<_>>();
        record.text(format!("measurement {index}"), values.join(" or "));
    }
    record
}
