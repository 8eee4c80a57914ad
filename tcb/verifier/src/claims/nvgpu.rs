// SPDX-License-Identifier: Apache-2.0

//! What NVIDIA's GPUs and switches say.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use enarx_evidence::nvgpu::{OpaqueField, Report};
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use crate::policy::{Feature, Features, Product, Vocabulary as _};

/// What the report of a device and the certificate of its key say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NvGpuClaims {
    /// The report.
    pub report: Report,
    /// The product.
    pub product: Product,
    /// The name in the certificate of the device's key.
    pub device: String,
    /// The version of the driver, if the device names it.
    pub driver_version: Option<String>,
    /// The version of the VBIOS.
    pub vbios_version: Option<String>,
    /// The versions of driver and VBIOS whose reference manifests the measurements were compared with.
    pub manifests: Vec<String>,
    /// SHA-384 of all measurements in the order of their indices: each as its index in one byte, the length of its value
    /// in eight, big-endian, and its value.
    pub measurement: [u8; 48],
}

impl NvGpuClaims {
    /// A device that does not name its versions does not tell them.
    pub(super) fn features(&self) -> Features {
        let versions = [(Feature::Drivers, &self.driver_version), (Feature::Firmwares, &self.vbios_version)];
        let told = versions.into_iter().filter_map(|(feature, version)| Some((feature, version.as_ref()?)));
        told.map(|(feature, version)| (feature, Vec::from([version.as_bytes().to_vec()]))).collect()
    }
}

impl Serialize for NvGpuClaims {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let report = &self.report;
        let mut fields = serializer.serialize_struct("NvGpuClaims", 10)?;
        fields.serialize_field("product", self.product.name())?;
        fields.serialize_field("device", &self.device)?;
        fields.serialize_field("driver_version", &self.driver_version)?;
        fields.serialize_field("vbios_version", &self.vbios_version)?;
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
        fields.serialize_field("compared_with_manifests", &self.manifests)?;
        fields.end()
    }
}
