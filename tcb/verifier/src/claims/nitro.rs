// SPDX-License-Identifier: Apache-2.0

//! What an attestation document of AWS Nitro Enclaves says.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

use enarx_evidence::nitro::{Claims as Document, Field, Pcr};
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use super::Register;
use crate::UnixTime;
use crate::policy::{Feature, Features};

/// What an attestation document of AWS Nitro Enclaves says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NitroClaims {
    /// The document. It has the registers 0, 1 and 2.
    pub document: Document,
}

impl NitroClaims {
    /// Registers that say who the enclave is and not what else it started: the image (0), of which kernel (1) and
    /// application (2) are parts, the role (3) and number (4) of the instance beside it, and who signed the
    /// image (8).
    const IDENTITY: [u8; 6] = [0, 1, 2, 3, 4, 8];

    /// Whether the enclave was launched so that its parent can read its console. Nothing of its image is
    /// measured then (AWS Nitro Enclaves user guide, `describe-enclaves`).
    pub fn debug(&self) -> bool {
        [0, 1, 2].iter().all(|index| self.document.pcr(*index).is_none_or(Pcr::is_zero))
    }

    /// The measurement of the enclave's image: register 0.
    pub fn measurement(&self) -> &[u8] {
        self.register(0)
    }

    /// When the document was made.
    pub fn made_at(&self) -> UnixTime {
        UnixTime(self.document.timestamp / 1000)
    }

    /// The module is known by its own name, which changes with every launch, and by that of the instance beside it.
    pub(super) fn features(&self) -> Features {
        let module = &self.document.module_id;
        let instance = module.rsplit_once("-enc").map(|(instance, _)| instance);
        let names = [Some(module.as_str()), instance].into_iter().flatten();
        Features::from([(Feature::ModuleIds, names.map(|name| name.as_bytes().to_vec()).collect())])
    }

    pub(super) fn registers(&self) -> Vec<Register<'_>> {
        let beside = |index: &u8| !Self::IDENTITY.contains(index);
        (0..32).filter(beside).map(|index| self.named(index)).collect()
    }

    pub(super) fn optional_registers(&self) -> Vec<Register<'_>> {
        Self::IDENTITY.into_iter().map(|index| self.named(index)).collect()
    }

    fn named(&self, index: u8) -> Register<'_> {
        Register { name: format!("pcr{index}"), value: self.register(index) }
    }

    fn register(&self, index: u8) -> &[u8] {
        self.document.pcr(index).map_or(&[], Pcr::as_bytes)
    }
}

impl Serialize for NitroClaims {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let document = &self.document;
        let pcrs =
            document.pcrs.iter().map(|(index, pcr)| (format!("pcr{index}"), hex::encode(pcr.as_bytes())));
        let field = |field: &Field| field.bytes().map(hex::encode);
        let mut fields = serializer.serialize_struct("NitroClaims", 7)?;
        fields.serialize_field("module_id", &document.module_id)?;
        fields.serialize_field("timestamp", &self.made_at())?;
        fields.serialize_field("debug", &self.debug())?;
        fields.serialize_field("pcrs", &pcrs.collect::<BTreeMap<_, _>>())?;
        fields.serialize_field("public_key", &field(&document.public_key))?;
        fields.serialize_field("user_data", &field(&document.user_data))?;
        fields.serialize_field("nonce", &field(&document.nonce))?;
        fields.end()
    }
}
