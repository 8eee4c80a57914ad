// SPDX-License-Identifier: Apache-2.0

//! What confidential virtual machines of Azure give out: an HCL report of simulated hardware about runtime data, and a
//! quote of the virtual TPM that those name.

use enarx_evidence::azure::{
    AzureEvidence, HardwareReport, HclReport, HclVersion, Jwk, RuntimeData, TdReport, VmConfiguration,
};
use enarx_evidence::dcap::{Body, Quote, QuoteVersion};
use enarx_evidence::snp::Report;
use enarx_evidence::x509::PublicKey;
use enarx_evidence::{Bundle, Endorsements, Evidence, Format};
use sha2::{Digest as _, Sha256};

use crate::tpm::{self, Key};
use crate::{
    DcapContent, SimulatedPlatform, SimulatedQuote, SimulatedTpm, Simulator, SimulatorError, TpmContent,
    TpmKey,
};

/// The size of the index that HCL reports are stored in.
const INDEX: usize = 2600;

/// A simulated virtual machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SimulatedMachine {
    /// The certificate of the attestation key is sent along.
    pub certified: bool,
}

/// What paravisor and TPM say, before anything of it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AzureContent {
    /// The runtime data.
    pub runtime: RuntimeData,
    /// What the TPM says.
    pub tpm: TpmContent,
}

/// A quote by the virtual TPM, and the runtime data that name its key.
struct Machine {
    content: AzureContent,
    key: Key,
    runtime_data: Vec<u8>,
    items: Vec<Vec<u8>>,
}

impl Simulator {
    /// What a machine on SEV-SNP would give out. Its measurement is that of the paravisor. The endorsements are those
    /// of the platform and then those of the TPM. `change` may change what is said before it is signed.
    pub fn attest_azure_snp(
        &self,
        platform: &SimulatedPlatform,
        machine: &SimulatedMachine,
        report_data: &[u8; 64],
        measurement: &[u8; 48],
        change: impl FnOnce(&mut AzureContent),
    ) -> Result<Bundle, SimulatorError> {
        let machine = self.machine(machine, report_data, change)?;
        let bundle = self.attest(platform, &machine.hardware_data(), measurement, &[0; 32])?;
        let report = Report::parse(&bundle.evidence.bytes).map_err(|_| failed())?;
        let hardware = HardwareReport::Snp(Box::new(report));
        machine.bundle(Format::AzureSnp, hardware, None, bundle.endorsements.items)
    }

    /// The same on TDX. `change` may also change what the quote says; the `TDREPORT` then says the same.
    pub fn attest_azure_tdx(
        &self,
        machine: &SimulatedMachine,
        report_data: &[u8; 64],
        measurement: &[u8; 48],
        change: impl FnOnce(&mut AzureContent),
        change_quote: impl FnOnce(&mut DcapContent),
    ) -> Result<Bundle, SimulatorError> {
        let machine = self.machine(machine, report_data, change)?;
        let platform =
            SimulatedQuote { version: QuoteVersion::V4, extended: false, ..SimulatedQuote::default() };
        let bundle = self.attest_quote(&platform, &machine.hardware_data(), measurement, change_quote)?;
        let td_quote = bundle.evidence.bytes;
        let quote = Quote::parse(&td_quote).map_err(|_| failed())?;
        let hardware = HardwareReport::Tdx(Box::new(td_report(&quote.body).ok_or_else(failed)?));
        machine.bundle(Format::AzureTdx, hardware, Some(td_quote), bundle.endorsements.items)
    }

    fn machine(
        &self,
        machine: &SimulatedMachine,
        report_data: &[u8; 64],
        change: impl FnOnce(&mut AzureContent),
    ) -> Result<Machine, SimulatorError> {
        let key = self.tpm_key(TpmKey::RsaSsa)?;
        let tpm = tpm::content(&SimulatedTpm::default(), &key, report_data)?;
        let spki = key.spki()?;
        let Ok(PublicKey::Rsa { modulus, exponent }) = PublicKey::from_spki(&spki) else {
            return Err(failed());
        };
        let (modulus, exponent) = (modulus.to_vec(), exponent.to_vec());
        let runtime = RuntimeData {
            attestation_key: Jwk { name: "HCLAkPub".into(), modulus, exponent },
            endorsement_key: None,
            configuration: VmConfiguration {
                secure_boot: true,
                tpm_enabled: true,
                vm_unique_id: "5A1D0000-0000-4000-8000-000000000000".into(),
                ..VmConfiguration::default()
            },
            user_data: "00".repeat(64),
        };
        let mut content = AzureContent { runtime, tpm };
        change(&mut content);
        let items = if machine.certified { self.certificates(&key, &content.tpm)? } else { Vec::new() };
        let runtime_data = content.runtime.to_json();
        Ok(Machine { content, key, runtime_data, items })
    }
}

impl Machine {
    /// What the report of the hardware is bound to.
    fn hardware_data(&self) -> [u8; 64] {
        let mut data = [0; 64];
        for (byte, digest) in data.iter_mut().zip(Sha256::digest(&self.runtime_data)) {
            *byte = digest;
        }
        data
    }

    fn bundle(
        self,
        format: Format,
        hardware: HardwareReport,
        td_quote: Option<Vec<u8>>,
        mut items: Vec<Vec<u8>>,
    ) -> Result<Bundle, SimulatorError> {
        let quote = self.key.quote(&self.content.tpm)?;
        let (version, runtime_data) = (HclVersion::V2, self.runtime_data);
        let mut hcl_report = HclReport { version, hardware, runtime_data, padding: 0 };
        hcl_report.padding = INDEX.saturating_sub(hcl_report.encode().len());
        items.extend(self.items);
        let bytes = AzureEvidence { hcl_report, quote, td_quote }.encode();
        Ok(Bundle { evidence: Evidence { format, bytes }, endorsements: Endorsements { items } })
    }
}

/// The report that a quote was made of.
fn td_report(body: &Body) -> Option<TdReport> {
    let Body::Td(quoted) = body else { return None };
    Some(TdReport {
        version: 0,
        cpu_svn: [0; 16],
        tee_tcb_info_hash: [0; 48],
        tee_info_hash: [0; 48],
        report_data: quoted.report_data,
        mac: [0; 32],
        valid: [0; 8],
        tee_tcb_svn: quoted.tee_tcb_svn,
        mr_seam: quoted.mr_seam,
        mr_signer_seam: quoted.mr_signer_seam,
        seam_attributes: quoted.seam_attributes.0.to_le_bytes(),
        tee_tcb_svn_2: [0; 16],
        attributes: quoted.td_attributes.0.to_le_bytes(),
        xfam: quoted.xfam.0.to_le_bytes(),
        mr_td: quoted.mr_td,
        mr_config_id: quoted.mr_config_id,
        mr_owner: quoted.mr_owner,
        mr_owner_config: quoted.mr_owner_config,
        rtmr: quoted.rtmr,
        servtd_hash: [0; 48],
    })
}

fn failed() -> SimulatorError {
    SimulatorError::Crypto { action: "read evidence that was just made" }
}
