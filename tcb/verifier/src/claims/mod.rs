// SPDX-License-Identifier: Apache-2.0

//! What evidence says, once its format is understood: the input of a policy, and the substance of a result.

mod cca;
mod dcap;
mod nitro;
mod snp;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Display;

use enarx_evidence::snp::Product as SnpProduct;
use serde::{Serialize, Serializer};

pub use cca::CcaClaims;
pub use dcap::{DcapClaims, DcapTcb, JudgedTcb};
pub use nitro::NitroClaims;
pub use snp::SnpClaims;

use crate::policy::{Product, Tee, Vendor, Vocabulary as _};

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
        }
    }

    /// Who made the processor, or whose processor is simulated.
    pub fn vendor(&self) -> Vendor {
        match self {
            Self::SevSnp(_) => Vendor::Amd,
            Self::Tdx(_) | Self::Sgx(_) => Vendor::Intel,
            Self::Cca(_) => Vendor::Arm,
            Self::Nitro(_) => Vendor::Aws,
        }
    }

    /// The product, as finely as the evidence tells it.
    pub fn product_name(&self) -> &'static str {
        match self {
            Self::SevSnp(claims) => claims.product_name(),
            Self::Tdx(claims) | Self::Sgx(claims) => claims.product().name(),
            Self::Cca(_) => Product::CcaPlatform.name(),
            Self::Nitro(_) => Product::NitroSystem.name(),
        }
    }

    /// What the product may be: one, or several that the evidence does not tell apart. Then it counts as each.
    pub fn products(&self) -> Vec<Product> {
        match self {
            Self::SevSnp(claims) => {
                let of_generation = |product: &SnpProduct| product.generation() == claims.generation;
                match claims.product {
                    Some(product) => Vec::from([product.into()]),
                    None => SnpProduct::ALL.into_iter().filter(of_generation).map(Product::from).collect(),
                }
            }
            Self::Tdx(claims) | Self::Sgx(claims) => Vec::from([claims.product()]),
            Self::Cca(_) => Vec::from([Product::CcaPlatform]),
            Self::Nitro(_) => Vec::from([Product::NitroSystem]),
        }
    }

    /// The measurement of what was launched: the digest of the initial memory or image.
    pub fn measurement(&self) -> &[u8] {
        match self {
            Self::SevSnp(claims) => &claims.report.measurement,
            Self::Tdx(claims) | Self::Sgx(claims) => claims.measurement(),
            Self::Cca(claims) => claims.realm.initial.as_bytes(),
            Self::Nitro(claims) => claims.measurement(),
        }
    }

    /// The measurements beside it. One that is not zero says that more code was started than was launched, and is
    /// refused unless the policy names its value.
    pub fn registers(&self) -> Vec<Register<'_>> {
        match self {
            Self::SevSnp(_) => Vec::new(),
            Self::Tdx(claims) | Self::Sgx(claims) => claims.registers(),
            Self::Cca(claims) => claims.registers(),
            Self::Nitro(claims) => claims.registers(),
        }
    }

    /// Further measurements, which say nothing about code beyond what was launched. They are compared only where the
    /// policy names their values; one that the evidence does not have is empty.
    pub fn optional_registers(&self) -> Vec<Register<'_>> {
        match self {
            Self::SevSnp(_) | Self::Tdx(_) | Self::Sgx(_) | Self::Cca(_) => Vec::new(),
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
