// SPDX-License-Identifier: Apache-2.0

//! What NVIDIA's GPUs and switches say.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;

use enarx_evidence::nvgpu::{OpaqueField, Report};
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use crate::policy::{Product, Vocabulary as _};

/// What the report of a device and the certificate of its key say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NvGpuClaims {
    /// The report.
    pub report: Report,
    /// The product.
    pub product: Product,
    /// The name in the certificate of the device's key.
    pub device: String,
    /// SHA-384 of the values of all measurements, in the order of their indices.
    pub measurement: [u8; 48],
}

impl NvGpuClaims {
    /// The version of the driver, if the device names it.
    pub fn driver_version(&self) -> Option<String> {
        self.report.opaque.text(OpaqueField::DriverVersion)
    }

    /// The version of the VBIOS as NVIDIA writes it.
    pub fn vbios_version(&self) -> Option<String> {
        let value = self.report.opaque.get(OpaqueField::VbiosVersion)?;
        match *value {
            // Two numbers of 32 bits, little-endian: 00.9f.00.96 and 01 are written 96.00.9f.00.01.
            [a, b, c, d, last, 0, 0, 0] => Some(format!("{d:02X}.{c:02X}.{b:02X}.{a:02X}.{last:02X}")),
            _ => self.report.opaque.text(OpaqueField::VbiosVersion),
        }
    }
}

impl Serialize for NvGpuClaims {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let report = &self.report;
        let mut fields = serializer.serialize_struct("NvGpuClaims", 9)?;
        fields.serialize_field("product", self.product.name())?;
        fields.serialize_field("device", &self.device)?;
        fields.serialize_field("driver_version", &self.driver_version())?;
        fields.serialize_field("vbios_version", &self.vbios_version())?;
        let text = |field| report.opaque.text(field);
        fields.serialize_field("project", &text(OpaqueField::Project))?;
        fields.serialize_field("project_sku", &text(OpaqueField::ProjectSku))?;
        fields.serialize_field("chip_sku", &text(OpaqueField::ChipSku))?;
        fields
            .serialize_field("firmware_id", &report.opaque.get(OpaqueField::FirmwareId).map(hex::encode))?;
        let value = |(index, measurement): (&u8, &enarx_evidence::nvgpu::Measurement)| {
            (*index, hex::encode(&measurement.value))
        };
        let measurements = report.measurements.iter().map(value).collect::<BTreeMap<_, _>>();
        fields.serialize_field("measurements", &measurements)?;
        fields.end()
    }
}
