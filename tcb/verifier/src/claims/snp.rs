// SPDX-License-Identifier: Apache-2.0

//! What SEV-SNP evidence says.

use alloc::string::String;
use alloc::vec::Vec;

use enarx_evidence::snp::{Generation, Product, Report, TcbVersion};
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use super::Text;
use crate::policy::{self, Feature, Features};

/// What an AMD SEV-SNP report and the certificate of its key say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnpClaims {
    /// The report.
    pub report: Report,
    /// The generation of the processor.
    pub generation: Generation,
    /// The product, if the report tells it apart from others of its generation.
    pub product: Option<Product>,
    /// `CURRENT_TCB`.
    pub current_tcb: TcbVersion,
    /// `COMMITTED_TCB`.
    pub committed_tcb: TcbVersion,
    /// `LAUNCH_TCB`.
    pub launch_tcb: TcbVersion,
    /// `REPORTED_TCB`, for which the signing key was made.
    pub reported_tcb: TcbVersion,
    /// Whom a loaded endorsement key (VLEK) was made for.
    pub csp_id: Option<String>,
}

impl SnpClaims {
    /// The name of the product, or of its generation if nothing finer is known.
    pub fn product_name(&self) -> &'static str {
        self.product.map_or(self.generation.name(), Product::name)
    }

    /// What the product may be: one, or several of a generation.
    pub(super) fn products(&self) -> Vec<policy::Product> {
        let of_generation = |product: &Product| product.generation() == self.generation;
        match self.product {
            Some(product) => Vec::from([product.into()]),
            None => Product::ALL.into_iter().filter(of_generation).map(policy::Product::from).collect(),
        }
    }

    /// Reports of version 2 do not tell the CPUID, and a host may hide its chip.
    pub(super) fn features(&self) -> Features {
        // A key that is not lent was lent to nobody, which is not the same as not being told.
        let provider = self.csp_id.iter().map(|id| id.as_bytes().to_vec()).collect();
        let mut features = Features::from([(Feature::Providers, provider)]);
        if let Some(cpuid) = self.report.cpuid {
            features.insert(Feature::Families, Vec::from([Vec::from([cpuid.family])]));
            features.insert(Feature::Models, Vec::from([Vec::from([cpuid.model])]));
            features.insert(Feature::Steppings, Vec::from([Vec::from([cpuid.stepping])]));
        }
        if let Some(chip_id) = self.chip_id() {
            features.insert(Feature::ChipIds, Vec::from([chip_id.to_vec()]));
        }
        features
    }

    /// The chip, unless its host hides it: as many bytes as identify it.
    pub fn chip_id(&self) -> Option<&[u8]> {
        let chip_id = self.report.chip_id.get(..self.generation.chip_id_len());
        chip_id.filter(|_| !self.report.chip_id_masked())
    }
}

impl Serialize for SnpClaims {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let report = &self.report;
        let (policy, platform) = (report.policy, report.platform_info);
        let mut fields = serializer.serialize_struct("SnpClaims", 28)?;
        fields.serialize_field("report_version", &report.version.number())?;
        fields.serialize_field("generation", self.generation.name())?;
        fields.serialize_field("product", self.product_name())?;
        fields.serialize_field("cpuid", &report.cpuid.map(Text))?;
        fields.serialize_field("chip_id", &self.chip_id().map(hex::encode))?;
        fields.serialize_field("signing_key", report.key_info.signing_key.name())?;
        fields.serialize_field("csp_id", &self.csp_id)?;
        fields.serialize_field("current_tcb", &Text(self.current_tcb))?;
        fields.serialize_field("committed_tcb", &Text(self.committed_tcb))?;
        fields.serialize_field("launch_tcb", &Text(self.launch_tcb))?;
        fields.serialize_field("reported_tcb", &Text(self.reported_tcb))?;
        fields.serialize_field("vmpl", &report.vmpl)?;
        fields.serialize_field("debug", &policy.debug())?;
        fields.serialize_field("migration", &policy.migrate_ma())?;
        fields.serialize_field("smt_allowed", &policy.smt())?;
        fields.serialize_field("smt_active", &platform.smt())?;
        fields.serialize_field("ciphertext_hiding", &platform.ciphertext_hiding())?;
        fields.serialize_field("alias_check_complete", &platform.alias_check_complete())?;
        fields.serialize_field("guest_policy", &hex::encode(policy.0.to_be_bytes()))?;
        fields.serialize_field("platform_info", &hex::encode(platform.0.to_be_bytes()))?;
        fields.serialize_field("guest_svn", &report.guest_svn)?;
        fields.serialize_field("family_id", &hex::encode(report.family_id))?;
        fields.serialize_field("image_id", &hex::encode(report.image_id))?;
        fields.serialize_field("host_data", &hex::encode(report.host_data))?;
        fields.serialize_field("id_key_digest", &hex::encode(report.id_key_digest))?;
        fields.serialize_field("author_key_enabled", &report.key_info.author_key_en)?;
        fields.serialize_field("author_key_digest", &hex::encode(report.author_key_digest))?;
        fields.serialize_field("report_id", &hex::encode(report.report_id))?;
        fields.end()
    }
}
