// SPDX-License-Identifier: Apache-2.0

//! Reports as NVIDIA's devices give them out, with the certificates of the device.

use std::time::Duration;

use enarx_evidence::nvgpu::{Measurement, OpaqueData, OpaqueField, Report, encode_firmware_id};
use enarx_evidence::{Bundle, Endorsements, Evidence, Format};
use sha2::{Digest as _, Sha256};

use crate::keys::{Curve, EcKey};
use crate::pki::{EcAuthority, Subject, Use, distribution_point, now, raw_extension};
use crate::{Simulator, SimulatorError};

const ROOT: &str = "Simulated NVIDIA Device Identity CA";
const LIST: &str = "http://simulated.invalid/devices.crl";

const YEAR: Duration = Duration::from_hours(365 * 24);
/// Clocks of host and tenant differ a little.
const BACKDATED: Duration = Duration::from_hours(24);
/// How long revocation lists are current.
const CURRENT: Duration = Duration::from_hours(30 * 24);

/// Bytes of the signature at the end of a report.
const SIGNATURE: usize = Report::SIGNATURE_LEN;

/// A simulated device. Keys and certificates below the root are made anew for each report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulatedGpu {
    /// The chip, with which the name of the device begins.
    pub chip: String,
}

impl Default for SimulatedGpu {
    fn default() -> Self {
        Self { chip: "GH100".into() }
    }
}

/// What a device says, before it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpuContent {
    /// The report. Its signature is put in afterwards.
    pub report: Report,
    /// The firmware that the key of the device was made for.
    pub firmware_id: [u8; 48],
    /// The certificate says that the key is for certificates.
    pub authority: bool,
    /// The provisioner is revoked.
    pub provisioner_revoked: bool,
}

impl Simulator {
    /// What identifies the root of simulated devices: the SHA-256 of its subject public key info.
    pub fn gpu_root_spki_sha256(&self) -> Result<[u8; 32], SimulatorError> {
        Ok(Sha256::digest(&self.gpu_root()?.spki()?).into())
    }

    /// What a host with such a device would give out: its report, and as endorsements the certificates of device, boot
    /// ROM, provisioner, family and root, and the lists of family and root. `change` may change what is said before it
    /// is signed.
    pub fn attest_gpu(
        &self,
        gpu: &SimulatedGpu,
        report_data: &[u8; 64],
        change: impl FnOnce(&mut GpuContent),
    ) -> Result<Bundle, SimulatorError> {
        let mut content = content(report_data);
        change(&mut content);
        let (key, items) = self.device(gpu, &content)?;
        let encoded = content.report.encode();
        let signed = encoded.get(..encoded.len().saturating_sub(SIGNATURE)).unwrap_or_default();
        let signature = key.sign_fixed(signed)?;
        content.report.signature =
            signature.try_into().map_err(|_| SimulatorError::Crypto { action: "sign evidence" })?;
        let bytes = content.report.encode();
        Ok(Bundle {
            evidence: Evidence { format: Format::NvGpu, bytes },
            endorsements: Endorsements { items },
        })
    }

    fn gpu_root(&self) -> Result<EcAuthority, SimulatorError> {
        EcAuthority::root(&self.store, "nvgpu/root", Curve::P384, ROOT)
    }

    fn device(
        &self,
        gpu: &SimulatedGpu,
        content: &GpuContent,
    ) -> Result<(EcKey, Vec<Vec<u8>>), SimulatorError> {
        let (root, from) = (self.gpu_root()?, now().saturating_sub(BACKDATED));
        let chip = &gpu.chip;
        let authority = |issuer: &EcAuthority, name: &str, listed: bool| {
            let common_name = format!("Simulated {chip} {name}");
            let used_for = Use::Authority { path_len: None };
            let subject = Subject { common_name: &common_name, used_for, from, valid_for: YEAR * 20 };
            let extensions = if listed { vec![distribution_point(LIST)?] } else { Vec::new() };
            issuer.below_with(&subject, extensions)
        };
        let family = authority(&root, "Identity", true)?;
        let provisioner = authority(&family, "Provisioner ICA 1", true)?;
        let boot_rom = authority(&provisioner, "GSP BROM", false)?;
        let key = EcKey::generate(Curve::P384)?;
        let used_for = if content.authority { Use::Authority { path_len: None } } else { Use::Data };
        let common_name = format!("{chip} A01 GSP FMC LF (simulated)");
        let subject = Subject { common_name: &common_name, used_for, from, valid_for: YEAR * 20 };
        let (oid, value) = encode_firmware_id(&content.firmware_id);
        let leaf = boot_rom.certify_with(&subject, &key, vec![raw_extension(oid, &value)?])?;
        let revoked = [provisioner.certificate.as_slice()];
        let revoked = if content.provisioner_revoked { &revoked[..] } else { &[] };
        let lists =
            [family.revocation_list(revoked, from, CURRENT)?, root.revocation_list(&[], from, CURRENT)?];
        let chain = [boot_rom, provisioner, family, root].map(|authority| authority.certificate);
        Ok((key, [leaf].into_iter().chain(chain).chain(lists).collect()))
    }
}

fn content(report_data: &[u8; 64]) -> GpuContent {
    let firmware_id = [0x46; 48];
    let measurement = |index: u8| (index, Measurement { kind: 1, value: vec![index; 48] });
    let opaque = [
        (OpaqueField::DriverVersion, b"550.90.07\0".to_vec()),
        (OpaqueField::VbiosVersion, vec![0x00, 0x9f, 0x00, 0x96, 0x01, 0, 0, 0]),
        (OpaqueField::FirmwareId, firmware_id.to_vec()),
    ];
    let report = Report {
        nonce: Sha256::digest(report_data).into(),
        slot: 0,
        parameters: [0; 2],
        measurements: (1..=64).map(measurement).collect(),
        device_nonce: [0x5a; 32],
        opaque: OpaqueData::of(opaque.map(|(field, value)| (field.number(), value))),
        signature: [0; SIGNATURE],
    };
    GpuContent { report, firmware_id, authority: false, provisioner_revoked: false }
}
