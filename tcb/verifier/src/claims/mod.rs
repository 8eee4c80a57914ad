// SPDX-License-Identifier: Apache-2.0

//! What evidence says, once its format is understood: the input of a policy, and the substance of a result.

mod azure;
mod cca;
mod dcap;
mod nitro;
mod nvgpu;
mod snp;
mod tpm;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Display;

use serde::{Serialize, Serializer};

pub use azure::{AzureMachine, AzureSnpClaims, AzureTdxClaims};
pub use cca::CcaClaims;
pub use dcap::{DcapClaims, DcapTcb, JudgedTcb};
pub use nitro::NitroClaims;
pub use nvgpu::NvGpuClaims;
pub use snp::SnpClaims;
pub use tpm::{KeyName, QuoteClaims, TpmClaims};

use crate::policy::{Features, Product, Tee, Vendor, Vocabulary as _};

/// What evidence says about a platform and what runs on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "tee", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Claims {
    /// Of an AMD SEV-SNP report and the certificate of its key.
    SevSnp(Box<SnpClaims>),
    /// Of a quote about an Intel TD and the certificate of its platform.
    Tdx(Box<DcapClaims>),
    /// Of a quote about an Intel SGX enclave and the certificate of its platform.
    Sgx(Box<DcapClaims>),
    /// Of an Arm CCA attestation token.
    Cca(Box<CcaClaims>),
    /// Of an attestation document of AWS Nitro Enclaves.
    Nitro(Box<NitroClaims>),
    /// Of a TPM quote and the certificate of its key.
    Tpm(Box<TpmClaims>),
    /// Of a virtual machine of Azure on AMD SEV-SNP.
    AzureSnp(Box<AzureSnpClaims>),
    /// Of a virtual machine of Azure on Intel TDX.
    AzureTdx(Box<AzureTdxClaims>),
    /// Of the measurements of an NVIDIA GPU or switch.
    #[serde(rename = "nvgpu")]
    NvGpu(Box<NvGpuClaims>),
}

/// A measurement beside that of the launch, which firmware or the guest itself extends as it starts more code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register<'a> {
    /// Its name in policies, such as `rtmr0`.
    pub name: String,
    /// What it holds.
    pub value: &'a [u8],
}

impl Claims {
    /// The kind of trusted execution environment.
    pub fn tee(&self) -> Tee {
        match self {
            Self::SevSnp(_) => Tee::SevSnp,
            Self::Tdx(_) => Tee::Tdx,
            Self::Sgx(_) => Tee::Sgx,
            Self::Cca(_) => Tee::Cca,
            Self::Nitro(_) => Tee::Nitro,
            Self::Tpm(_) => Tee::Tpm,
            Self::AzureSnp(_) => Tee::AzureSnp,
            Self::AzureTdx(_) => Tee::AzureTdx,
            Self::NvGpu(_) => Tee::NvGpu,
        }
    }

    /// Who made the processor, or whose processor is simulated.
    pub fn vendor(&self) -> Vendor {
        match self {
            Self::Tdx(_) | Self::Sgx(_) | Self::AzureTdx(_) => Vendor::Intel,
            Self::SevSnp(_) | Self::AzureSnp(_) => Vendor::Amd,
            Self::Cca(_) => Vendor::Arm,
            Self::Nitro(_) => Vendor::Aws,
            Self::Tpm(_) => Vendor::Tpm,
            Self::NvGpu(_) => Vendor::Nvidia,
        }
    }

    /// The product, as finely as the evidence tells it.
    pub fn product_name(&self) -> &'static str {
        match self {
            Self::SevSnp(claims) => claims.product_name(),
            Self::Tdx(claims) | Self::Sgx(claims) => claims.product().name(),
            Self::AzureSnp(claims) => claims.hardware.product_name(),
            Self::AzureTdx(claims) => claims.hardware.product().name(),
            Self::NvGpu(claims) => claims.product.name(),
            Self::Cca(_) => Product::CcaPlatform.name(),
            Self::Nitro(_) => Product::NitroSystem.name(),
            Self::Tpm(_) => Product::Tpm2.name(),
        }
    }

    /// What the product may be: one, or several that the evidence does not tell apart. Then it counts as each.
    pub fn products(&self) -> Vec<Product> {
        match self {
            Self::Tdx(claims) | Self::Sgx(claims) => Vec::from([claims.product()]),
            Self::SevSnp(claims) => claims.products(),
            Self::AzureSnp(claims) => claims.hardware.products(),
            Self::AzureTdx(claims) => Vec::from([claims.hardware.product()]),
            Self::NvGpu(claims) => Vec::from([claims.product]),
            Self::Cca(_) => Vec::from([Product::CcaPlatform]),
            Self::Nitro(_) => Vec::from([Product::NitroSystem]),
            Self::Tpm(_) => Vec::from([Product::Tpm2]),
        }
    }

    /// What rules of a policy may ask beside vendor, TEE and product.
    pub fn features(&self) -> Features {
        match self {
            Self::SevSnp(claims) => claims.features(),
            Self::AzureSnp(claims) => claims.hardware.features(),
            Self::Tdx(claims) | Self::Sgx(claims) => claims.features(),
            Self::AzureTdx(claims) => claims.hardware.features(),
            Self::Cca(claims) => claims.features(),
            Self::Nitro(claims) => claims.features(),
            Self::NvGpu(claims) => claims.features(),
            Self::Tpm(_) => Features::new(),
        }
    }

    /// Whether somebody outside may look inside by means of debugging.
    pub fn debug(&self) -> bool {
        match self {
            Self::SevSnp(claims) => claims.report.policy.debug(),
            Self::Tdx(claims) | Self::Sgx(claims) => claims.debug(),
            Self::AzureSnp(claims) => claims.hardware.report.policy.debug(),
            Self::AzureTdx(claims) => claims.hardware.debug(),
            Self::Cca(claims) => claims.debug(),
            Self::Nitro(claims) => claims.debug(),
            // A machine is measured and not closed, and reports of devices do not say it.
            Self::Tpm(_) | Self::NvGpu(_) => false,
        }
    }

    /// The measurement of what was launched: the digest of the initial memory or image; of a TPM the digest of the
    /// registers that it quotes, which says nothing about which those are.
    pub fn measurement(&self) -> &[u8] {
        match self {
            Self::SevSnp(claims) => &claims.report.measurement,
            Self::Tdx(claims) | Self::Sgx(claims) => claims.measurement(),
            Self::AzureSnp(claims) => &claims.hardware.report.measurement,
            Self::AzureTdx(claims) => claims.hardware.measurement(),
            Self::NvGpu(claims) => &claims.measurement,
            Self::Cca(claims) => claims.realm.initial.as_bytes(),
            Self::Nitro(claims) => claims.measurement(),
            Self::Tpm(claims) => &claims.quote.attest.pcr_digest,
        }
    }

    /// The measurements beside it. One that is not zero says that more code was started than was launched, and is
    /// refused unless the policy names its value.
    pub fn registers(&self) -> Vec<Register<'_>> {
        match self {
            Self::SevSnp(_) | Self::NvGpu(_) => Vec::new(),
            Self::Tdx(claims) | Self::Sgx(claims) => claims.registers(),
            Self::Cca(claims) => claims.registers(),
            Self::Nitro(claims) => claims.registers(),
            Self::Tpm(claims) => claims.quote.extended(),
            Self::AzureSnp(claims) => claims.machine.quote.extended(),
            Self::AzureTdx(claims) => claims.registers(),
        }
    }

    /// Further measurements, which say nothing about code beyond what was launched. They are compared only where the
    /// policy names their values; one that the evidence does not have is empty.
    pub fn optional_registers(&self) -> Vec<Register<'_>> {
        match self {
            Self::SevSnp(_) | Self::Tdx(_) | Self::Sgx(_) | Self::Cca(_) | Self::NvGpu(_) => Vec::new(),
            Self::Tpm(claims) => claims.quote.as_reset(),
            Self::AzureSnp(claims) => claims.machine.quote.as_reset(),
            Self::AzureTdx(claims) => claims.machine.quote.as_reset(),
            Self::Nitro(claims) => claims.optional_registers(),
        }
    }
}

/// A value as its text.
struct Text<T>(T);

impl<T: Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}
