// SPDX-License-Identifier: Apache-2.0

//! Machines with a TPM: on their own, and those of Azure.

use std::collections::BTreeMap;

use enarx_evidence::Bundle;
use enarx_evidence::tpm::{HashAlgorithm, PcrSelection, PcrValues};
use sha2::{Digest as _, Sha256, Sha384};

use super::text::{RehearsalError, Setting};
use super::{IMAGE_REGISTER, sha256};
use crate::{AzureContent, Curve, SimulatedTpm, Simulator, SimulatorError, TpmContent, TpmKey};

/// A machine whose TPM quotes the register of what was started, and what else one wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Machine {
    pub(super) key: TpmKey,
    /// Somebody certifies the attestation key.
    pub(super) certified: bool,
    sha1: bool,
    registers: BTreeMap<u8, [u8; 32]>,
}

impl Default for Machine {
    fn default() -> Self {
        Self { key: TpmKey::RsaSsa, certified: true, sha1: false, registers: BTreeMap::new() }
    }
}

/// What the register of the image holds: zero, extended with the digest of the program (*TPM 2.0, part 1*,
/// section 17.2).
pub(super) fn image(program: &[u8; 32]) -> Vec<u8> {
    sha256(&[&[0; 32], program])
}

impl Machine {
    /// Sets an option of the TPM of any machine; `false` if there is none of this name.
    pub(super) fn set(&mut self, setting: Setting<'_>) -> Result<bool, RehearsalError> {
        let number = setting.register(0..=23).filter(|number| *number != IMAGE_REGISTER);
        let (Some(number), Some(digits)) = (number, setting.value) else { return Ok(false) };
        self.registers.insert(number, setting.padded(digits)?);
        Ok(true)
    }

    /// The same of a machine with nothing but a TPM.
    pub(super) fn set_tpm(&mut self, setting: Setting<'_>) -> Result<bool, RehearsalError> {
        match (setting.name, setting.value) {
            ("sha1", None) => self.sha1 = true,
            ("uncertified", None) => self.certified = false,
            ("key", Some(kind)) => {
                let kind = match kind {
                    "rsa" => Some(TpmKey::RsaSsa),
                    "rsa-pss" => Some(TpmKey::RsaPss),
                    "p256" => Some(TpmKey::Ecdsa(Curve::P256)),
                    "p384" => Some(TpmKey::Ecdsa(Curve::P384)),
                    _ => None,
                };
                self.key = setting.read("`rsa`, `rsa-pss`, `p256` or `p384`", kind)?;
            }
            _ => return self.set(setting),
        }
        Ok(true)
    }

    pub(super) fn attest(
        &self,
        simulator: &Simulator,
        report_data: &[u8; 64],
        program: &[u8; 32],
    ) -> Result<Bundle, SimulatorError> {
        let tpm = SimulatedTpm { key: self.key, certified: self.certified, ..SimulatedTpm::default() };
        simulator.attest_tpm(&tpm, report_data, |content| self.quote(content, program))
    }

    /// The same of a machine of Azure's.
    pub(super) fn change(&self, content: &mut AzureContent, program: &[u8; 32]) {
        self.quote(&mut content.tpm, program);
    }

    /// Quotes these registers and no other.
    fn quote(&self, content: &mut TpmContent, program: &[u8; 32]) {
        let bank = if self.sha1 { HashAlgorithm::Sha1 } else { HashAlgorithm::Sha256 };
        let cut = |value: &[u8]| value.iter().copied().take(bank.digest_len()).collect::<Vec<u8>>();
        let mut registers: BTreeMap<u8, Vec<u8>> =
            self.registers.iter().map(|(number, value)| (*number, cut(value))).collect();
        registers.insert(IMAGE_REGISTER, cut(&image(program)));
        let numbers = registers.keys().copied().collect::<Vec<_>>();
        let quoted = registers.values().flatten().copied().collect::<Vec<_>>();
        content.attest.pcr_select = vec![PcrSelection::of(bank, &numbers)];
        content.attest.pcr_digest = match self.key {
            TpmKey::Ecdsa(Curve::P384) => Sha384::digest(&quoted).to_vec(),
            _ => Sha256::digest(&quoted).to_vec(),
        };
        content.values = PcrValues { banks: BTreeMap::from([(bank, registers)]) };
    }
}
