// SPDX-License-Identifier: Apache-2.0

//! A platform of any vendor that a host pretends to be, so that a policy can be tried before it is needed.
//!
//! As text it is a name of [`Rehearsal::known`], then options after `@`, separated by commas:
//!
//! ```text
//! amd/milan@snp=8,microcode=115
//! intel/sapphire-rapids@status=OutOfDate,advisories=INTEL-SA-00837
//! arm/cca@debug
//! ```
//!
//! What no hardware measures here is taken from the Keep program itself ([`Launched`]), in the digest of each TEE:
//!
//! | TEE | where | what |
//! |---|---|---|
//! | SEV-SNP, TDX | launch digest, `MRTD` | what launching the image measures to; of a process, SHA-384 of the program |
//! | CCA, Nitro | initial measurement, PCR 0 | SHA-384 of the program |
//! | SGX | `MRENCLAVE` | SHA-256 of the program |
//! | TPM, also of Azure's machines | PCR 11, in which a boot loader measures the image that it starts | zero, extended with the SHA-256 of the program |
//!
//! On Azure the hardware measures the paravisor; that of simulated machines is [`SIMULATED_PARAVISOR`].

mod catalog;
mod intel;
mod machine;
mod realm;
mod text;

use std::fmt;
use std::str::FromStr;

use enarx_evidence::snp::Product;
use enarx_evidence::{Bundle, Format};
use sha2::{Digest as _, Sha256};

pub use catalog::{KnownPlatform, PlatformOption};
pub use text::RehearsalError;

use crate::{
    AzureContent, Curve, DcapContent, SimulatedEnclave, SimulatedMachine, SimulatedPlatform, Simulator,
    SimulatorError,
};
use intel::IntelPlatform;
use machine::Machine;
use realm::CcaPlatform;
use text::Setting;

/// What the hardware under Azure's simulated machines measures: a paravisor, which is not there.
pub const SIMULATED_PARAVISOR: [u8; 48] = [0x9a; 48];

/// The register of a TPM in which a boot loader measures the image that it starts (UAPI group, *Linux TPM PCR
/// Registry*).
pub const IMAGE_REGISTER: u8 = 11;

/// What is launched on a simulated platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Launched {
    /// What a TEE that measures with SHA-384 says: of an image that its machine was launched from, the measurement of
    /// that launch; of a Keep program, its SHA-384.
    pub sha384: [u8; 48],
    /// SHA-256 of the program or image.
    pub sha256: [u8; 32],
    /// SHA-256 of the configuration that the host launched it with, where hardware has a place for it.
    pub host_data: [u8; 32],
}

/// A platform to rehearse with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rehearsal {
    known: &'static KnownPlatform,
    tee: Tee,
    /// Revocation lists are sent along.
    lists: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Tee {
    Snp(SimulatedPlatform),
    Intel(IntelPlatform),
    Cca(CcaPlatform),
    Nitro(SimulatedEnclave),
    Tpm(Machine),
    AzureSnp(SimulatedPlatform, Machine),
    AzureTdx(IntelPlatform, Machine),
}

impl Rehearsal {
    /// Every platform that can be rehearsed with.
    pub fn known() -> &'static [KnownPlatform] {
        catalog::PLATFORMS
    }

    /// Its name, without options.
    pub fn name(&self) -> &'static str {
        self.known.name
    }

    /// The kind of evidence that it makes.
    pub fn format(&self) -> Format {
        match &self.tee {
            Tee::Snp(_) => Format::SevSnp,
            Tee::Intel(platform) => platform.format(),
            Tee::Cca(_) => Format::Cca,
            Tee::Nitro(_) => Format::Nitro,
            Tee::Tpm(_) => Format::Tpm,
            Tee::AzureSnp(..) => Format::AzureSnp,
            Tee::AzureTdx(..) => Format::AzureTdx,
        }
    }

    /// What its kind would not give even on real hardware.
    pub fn caveat(&self) -> Option<&'static str> {
        matches!(self.tee, Tee::Tpm(_)).then_some(
            "a TPM HIDES NOTHING: it says what was started, and whoever operates the machine reads its memory",
        )
    }

    /// Whether what is launched is measured with SHA-256.
    pub fn measures_by_sha256(&self) -> bool {
        matches!(self.format(), Format::Sgx | Format::Tpm | Format::AzureSnp | Format::AzureTdx)
    }

    /// What a policy compares with its measurements: of a TPM the digest of the registers that it quotes, of Azure's
    /// machines that of the paravisor.
    pub fn measurement(&self, launched: &Launched) -> Vec<u8> {
        match &self.tee {
            Tee::Intel(platform) if platform.format() == Format::Sgx => launched.sha256.to_vec(),
            Tee::Tpm(_) => sha256(&[&machine::image(&launched.sha256)]),
            Tee::AzureSnp(..) | Tee::AzureTdx(..) => SIMULATED_PARAVISOR.to_vec(),
            Tee::Snp(_) | Tee::Intel(_) | Tee::Cca(_) | Tee::Nitro(_) => launched.sha384.to_vec(),
        }
    }

    fn of(known: &'static KnownPlatform) -> Self {
        let tee = match known.kind {
            catalog::Kind::Snp(product) => Tee::Snp(SimulatedPlatform::new(product)),
            catalog::Kind::Intel(family) => Tee::Intel(IntelPlatform::new(family)),
            catalog::Kind::Cca => Tee::Cca(CcaPlatform::default()),
            catalog::Kind::Nitro => Tee::Nitro(SimulatedEnclave::default()),
            catalog::Kind::Tpm => Tee::Tpm(Machine::default()),
            catalog::Kind::AzureSnp => {
                Tee::AzureSnp(SimulatedPlatform::new(Product::Milan), Machine::default())
            }
            catalog::Kind::AzureTdx => Tee::AzureTdx(IntelPlatform::under_azure(), Machine::default()),
        };
        Self { known, tee, lists: true }
    }

    fn set(&mut self, setting: Setting<'_>) -> Result<(), RehearsalError> {
        if self.known.has_lists() && setting == Setting::flag("no-crl") {
            self.lists = false;
            return Ok(());
        }
        let known = match &mut self.tee {
            Tee::Snp(platform) => text::amd(platform, setting)?,
            Tee::Intel(platform) => platform.set(setting)?,
            Tee::Cca(platform) => platform.set(setting)?,
            Tee::Nitro(enclave) => realm::enclave(enclave, setting)?,
            Tee::Tpm(machine) => machine.set_tpm(setting)?,
            Tee::AzureSnp(platform, machine) => {
                text::product(platform, setting)? || machine.set(setting)? || text::amd(platform, setting)?
            }
            Tee::AzureTdx(platform, machine) => {
                // Quotes of such machines are of one kind.
                platform.set_family(setting)?
                    || machine.set(setting)?
                    || (!matches!(setting.name, "tee" | "version") && platform.set(setting)?)
            }
        };
        if known { Ok(()) } else { Err(text::unknown_option(setting, self.known)) }
    }
}

impl FromStr for Rehearsal {
    type Err = RehearsalError;

    fn from_str(text: &str) -> Result<Self, RehearsalError> {
        let (name, options) = text.split_once('@').map_or((text, None), |(name, rest)| (name, Some(rest)));
        let known = catalog::PLATFORMS.iter().find(|platform| platform.name == name);
        let mut rehearsal = Self::of(known.ok_or_else(|| text::unknown_platform(name))?);
        let options = options.iter().flat_map(|options| options.split(','));
        let mut settings: Vec<_> = options.map(Setting::parse).collect();
        // What says which platform it is comes first, wherever it stands: it brings the rest of a sound one.
        settings.sort_by_key(|setting| !setting.selects());
        for setting in settings {
            rehearsal.set(setting)?;
        }
        Ok(rehearsal)
    }
}

impl fmt::Display for Rehearsal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Simulator {
    /// What the platform and its host would give out for what was launched there.
    pub fn rehearse(
        &self,
        platform: &Rehearsal,
        report_data: &[u8; 64],
        launched: &Launched,
    ) -> Result<Bundle, SimulatorError> {
        let Launched { sha384, sha256, host_data } = launched;
        let azure = SimulatedMachine::default();
        let mut bundle = match &platform.tee {
            Tee::Snp(snp) => self.attest(snp, report_data, sha384, host_data)?,
            Tee::Intel(intel) => intel.attest(self, report_data, launched)?,
            Tee::Cca(cca) => cca.attest(self, report_data, launched)?,
            Tee::Nitro(enclave) => self.attest_enclave(enclave, report_data, sha384, |_| {})?,
            Tee::Tpm(machine) => machine.attest(self, report_data, sha256)?,
            Tee::AzureSnp(snp, machine) => {
                let change = |content: &mut AzureContent| machine.change(content, sha256);
                self.attest_azure_snp(snp, &azure, report_data, &SIMULATED_PARAVISOR, change)?
            }
            Tee::AzureTdx(intel, machine) => {
                let change = |content: &mut AzureContent| machine.change(content, sha256);
                let quote = |content: &mut DcapContent| intel.change(content);
                self.attest_azure_tdx(&azure, report_data, &SIMULATED_PARAVISOR, change, quote)?
            }
        };
        if !platform.lists {
            bundle.endorsements.items.retain(|item| !is_list(item));
        }
        if let Tee::Intel(intel) | Tee::AzureTdx(intel, _) = &platform.tee
            && !intel.tcb_info
        {
            bundle.endorsements.items.retain(|item| item.first() != Some(&b'{'));
        }
        Ok(bundle)
    }

    /// What identifies the root that the evidence of a platform ends with: the SHA-256 of its subject public key info.
    pub fn rehearsal_root_spki_sha256(&self, platform: &Rehearsal) -> Result<[u8; 32], SimulatorError> {
        match &platform.tee {
            Tee::Snp(snp) | Tee::AzureSnp(snp, _) => self.root_spki_sha256(snp.product.generation()),
            Tee::Intel(_) | Tee::AzureTdx(..) => self.dcap_root_spki_sha256(),
            Tee::Cca(_) => self.cca_platform_spki_sha256(Curve::P384),
            Tee::Nitro(_) => self.nitro_root_spki_sha256(),
            Tee::Tpm(machine) if machine.certified => self.tpm_root_spki_sha256(),
            Tee::Tpm(machine) => self.tpm_key_spki_sha256(machine.key),
        }
    }
}

fn is_list(item: &[u8]) -> bool {
    use enarx_evidence::x509::Document;
    matches!(Document::parse(item), Ok(Document::RevocationList(_)))
}

/// SHA-256 of several pieces.
fn sha256(pieces: &[&[u8]]) -> Vec<u8> {
    Sha256::digest(pieces.concat()).to_vec()
}
