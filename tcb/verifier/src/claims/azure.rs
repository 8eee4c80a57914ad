// SPDX-License-Identifier: Apache-2.0

//! What evidence of Azure's confidential virtual machines says.

use alloc::string::String;
use alloc::vec::Vec;

use enarx_evidence::azure::VmConfiguration;
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use super::{DcapClaims, QuoteClaims, Register, SnpClaims, Text};
use crate::Root;

/// What the paravisor and its virtual TPM say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AzureMachine {
    /// The quote of the TPM.
    pub quote: QuoteClaims,
    /// The name in the certificate of its key, if there is one.
    pub certificate: Option<String>,
    /// The root of that certificate. Nothing rests on it: the hardware vouches for the key.
    pub certificate_root: Option<Root>,
    /// What the machine is like.
    pub configuration: VmConfiguration,
    /// What the guest had put into the runtime data, as hexadecimal digits.
    pub user_data: String,
}

impl Serialize for AzureMachine {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let configuration = &self.configuration;
        let mut fields = serializer.serialize_struct("AzureMachine", 9)?;
        fields.serialize_field("quote", &self.quote)?;
        fields.serialize_field("certificate", &self.certificate)?;
        fields.serialize_field("certificate_root", &self.certificate_root.as_ref().map(Text))?;
        fields.serialize_field("secure_boot", &configuration.secure_boot)?;
        fields.serialize_field("console", &configuration.console_enabled)?;
        fields.serialize_field("tpm", &configuration.tpm_enabled)?;
        fields.serialize_field("tpm_persisted", &configuration.tpm_persisted)?;
        fields.serialize_field("vm_unique_id", &configuration.vm_unique_id)?;
        fields.serialize_field("user_data", &self.user_data)?;
        fields.end()
    }
}

/// What a machine of Azure on AMD SEV-SNP says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AzureSnpClaims {
    /// The report that the paravisor asked the hardware for. Its measurement is that of the paravisor.
    pub hardware: SnpClaims,
    /// What the paravisor says about the guest.
    pub machine: AzureMachine,
}

/// What a machine of Azure on Intel TDX says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AzureTdxClaims {
    /// The quote that the paravisor asked for. Its measurement is that of the paravisor.
    pub hardware: DcapClaims,
    /// What the paravisor says about the guest.
    pub machine: AzureMachine,
}

impl AzureTdxClaims {
    /// The registers of the TD, which the paravisor extends, and those of the TPM.
    pub(super) fn registers(&self) -> Vec<Register<'_>> {
        let mut registers = self.hardware.registers();
        registers.extend(self.machine.quote.extended());
        registers
    }
}
