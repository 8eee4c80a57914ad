// SPDX-License-Identifier: Apache-2.0

//! Platforms of the Arm Confidential Compute Architecture, and enclaves of AWS Nitro.

use enarx_evidence::Bundle;
use enarx_evidence::cca::{Lifecycle, Measurement, PlatformProfile};

use super::Launched;
use super::text::{RehearsalError, Setting};
use crate::{SimulatedEnclave, SimulatedRealm, Simulator, SimulatorError};

/// An Arm platform, with what differs from a sound one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CcaPlatform {
    realm: SimulatedRealm,
    implementation: Option<[u8; 32]>,
    /// By the names of components.
    software: Vec<(&'static str, [u8; 32])>,
}

impl CcaPlatform {
    /// `false` if there is no option of this name.
    pub(super) fn set(&mut self, setting: Setting<'_>) -> Result<bool, RehearsalError> {
        match (setting.name, setting.value) {
            ("debug", None) => self.realm.lifecycle = Lifecycle(0x4000),
            ("lifecycle", Some(state)) => {
                let state = match state {
                    "unknown" => Some(0x0000),
                    "assembly" => Some(0x1000),
                    "provisioning" => Some(0x2000),
                    "secured" => Some(0x3000),
                    "debug" => Some(0x4000),
                    "root-debug" => Some(0x5000),
                    "decommissioned" => Some(0x6000),
                    _ => None,
                };
                let expected = "`secured`, `debug`, `root-debug`, `provisioning`, `assembly`, `decommissioned` or `unknown`";
                self.realm.lifecycle = Lifecycle(setting.read(expected, state)?);
            }
            ("bl2", Some(digits)) => self.software.push(("BL2", setting.padded(digits)?)),
            ("monitor", Some(digits)) => self.software.push(("MONITOR", setting.padded(digits)?)),
            ("rmm", Some(digits)) => self.software.push(("RMM", setting.padded(digits)?)),
            ("implementation", Some(digits)) => self.implementation = Some(setting.padded(digits)?),
            ("profile", Some(number)) => {
                let profile = match number {
                    "1" => Some(PlatformProfile::V1),
                    "2" => Some(PlatformProfile::V2),
                    _ => None,
                };
                self.realm.platform_profile = setting.read("1 or 2", profile)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub(super) fn attest(
        &self,
        simulator: &Simulator,
        report_data: &[u8; 64],
        launched: &Launched,
    ) -> Result<Bundle, SimulatorError> {
        simulator.attest_realm(&self.realm, report_data, &launched.sha384, |platform, realm| {
            realm.personalization.iter_mut().zip(launched.host_data).for_each(|(to, from)| *to = from);
            if let Some(id) = self.implementation {
                platform.implementation_id = id;
            }
            for (name, digest) in &self.software {
                let named = platform.components.iter_mut().find(|part| part.kind.as_deref() == Some(name));
                if let (Some(component), Some(measurement)) = (named, Measurement::new(digest)) {
                    component.measurement = measurement;
                }
            }
        })
    }
}

/// Sets an option of an enclave; `false` if there is none of this name.
pub(super) fn enclave(enclave: &mut SimulatedEnclave, setting: Setting<'_>) -> Result<bool, RehearsalError> {
    match (setting.name, setting.value) {
        ("debug", None) => enclave.debug = true,
        ("module", Some(text)) => {
            let sound = (1..=64).contains(&text.len())
                && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-');
            let expected = "a name such as `i-0123456789abcdef0-enc0123456789abcdef`";
            enclave.module_id = setting.read(expected, sound.then(|| text.to_owned()))?;
        }
        (_, Some(digits)) => {
            let Some(number) = setting.register(3..=15) else { return Ok(false) };
            enclave.registers.insert(number, setting.padded(digits)?);
        }
        _ => return Ok(false),
    }
    Ok(true)
}
