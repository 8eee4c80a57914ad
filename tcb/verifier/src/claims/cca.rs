// SPDX-License-Identifier: Apache-2.0

//! What an Arm CCA attestation token says.

use alloc::format;
use alloc::vec::Vec;

use enarx_evidence::cca::{LifecycleState, MecPolicy, PlatformClaims, RealmClaims, SoftwareComponent};
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use super::{Register, Text};
use crate::policy::{Feature, Features};

/// What an Arm CCA attestation token says about a platform and a realm on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CcaClaims {
    /// What the platform token says.
    pub platform: PlatformClaims,
    /// What the realm token says.
    pub realm: RealmClaims,
}

impl CcaClaims {
    /// Whether the platform can be debugged beside its root of trust, and with the realm manager every realm.
    pub fn debug(&self) -> bool {
        self.platform.lifecycle.state() == Some(LifecycleState::NonCcaPlatformDebug)
    }

    pub(super) fn features(&self) -> Features {
        Features::from([
            (Feature::ImplementationIds, Vec::from([self.platform.implementation_id.to_vec()])),
            (Feature::InstanceIds, Vec::from([self.platform.instance_id.to_vec()])),
        ])
    }

    pub(super) fn registers(&self) -> Vec<Register<'_>> {
        let extensible = self.realm.extensible.iter().enumerate();
        extensible
            .map(|(index, value)| Register { name: format!("rem{index}"), value: value.as_bytes() })
            .collect()
    }
}

impl Serialize for CcaClaims {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (platform, realm) = (&self.platform, &self.realm);
        let mut fields = serializer.serialize_struct("CcaClaims", 16)?;
        fields.serialize_field("platform_profile", platform.profile.name())?;
        fields.serialize_field("implementation_id", &hex::encode(platform.implementation_id))?;
        fields.serialize_field("instance_id", &hex::encode(platform.instance_id))?;
        fields.serialize_field("platform_config", &hex::encode(&platform.config))?;
        fields.serialize_field("lifecycle", &Text(platform.lifecycle))?;
        let components = platform.components.iter().map(|component| Component(component, self));
        fields.serialize_field("software", &components.collect::<Vec<_>>())?;
        fields.serialize_field("verification_service", &platform.service)?;
        fields.serialize_field("realm_profile", &realm.profile.name())?;
        fields.serialize_field("challenge", &hex::encode(realm.challenge))?;
        fields.serialize_field("realm_instance_id", &realm.instance_id.map(hex::encode))?;
        fields.serialize_field("personalization", &hex::encode(realm.personalization))?;
        fields.serialize_field("hash", realm.hash.name())?;
        fields.serialize_field("initial_measurement", &hex::encode(realm.initial.as_bytes()))?;
        let extensible = realm.extensible.map(|measurement| hex::encode(measurement.as_bytes()));
        fields.serialize_field("extensible_measurements", &extensible)?;
        fields.serialize_field("attestation_key", &hex::encode(&realm.public_key))?;
        let own_key = realm.mec_policy.map(|policy| policy == MecPolicy::Private);
        fields.serialize_field("memory_key_of_its_own", &own_key)?;
        fields.end()
    }
}

struct Component<'a>(&'a SoftwareComponent, &'a CcaClaims);

impl Serialize for Component<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(component, claims) = self;
        let mut fields = serializer.serialize_struct("SoftwareComponent", 5)?;
        fields.serialize_field("kind", &component.kind)?;
        fields.serialize_field("version", &component.version)?;
        fields.serialize_field("measurement", &hex::encode(component.measurement.as_bytes()))?;
        fields.serialize_field("hash", component.hash.unwrap_or(claims.platform.hash).name())?;
        fields.serialize_field("signer", &hex::encode(component.signer.as_bytes()))?;
        fields.end()
    }
}
